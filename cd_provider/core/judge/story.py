"""The sentence that people read about a verdict: numbers first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Literal

from cd_provider.core.judge.counts import Counts, Tick, together
from cd_provider.core.judge.kayenta.points import cumulative, quantile
from cd_provider.core.judge.settings import METRICS, Metric
from cd_provider.core.judge.verdict import Kind, Word
from cd_provider.core.judge.view import spelled

if TYPE_CHECKING:
    from cd_provider.core.judge.clear import Weight
    from cd_provider.core.judge.judge import Judge
    from cd_provider.core.judge.reasons import Reason

MOST_WAITING = 60  # ticks
QUIET_TOO = "dry run"
ONE_POD = "by one pod: it may be the version or its host"
MOST_ODDS = 1e6  # beyond it a number says no more than "over a million"
SAID: Mapping[Word, str] = {
    "no traffic": "the candidate had no requests",
    "no baseline": "{other} had no requests to compare with",
    "baseline unhealthy": "{other} fails as well, and is no measure",
    "too many errors": "more errors than may ever pass",
    "one pod": "one pod, or one host's, is worse alone, and that convicts no version",
    "no latency": "the buckets do not tell how fast either side is",
    "leaning": "leaning towards worse, too little to fail, too much to exclude {harm}",
    "too few requests": "too few requests to exclude {harm}",
}


class Story:
    """Adds up what both sides did; people are told, and no lane asks. Many ticks are added up at once."""

    def __init__(self) -> None:
        self._sums = (Counts(), Counts())
        self._waiting: list[Tick] = []
        self.edges: tuple[float, ...] = ()

    def add(self, tick: Tick) -> None:
        """Take the next tick."""
        if tick.edges != self.edges:
            self._sums = (self.candidate.bare, self.stable.bare)
            self.edges = tick.edges
        self._waiting.append(tick)
        if len(self._waiting) >= MOST_WAITING:
            self._add_up()

    @property
    def candidate(self) -> Counts:
        self._add_up()
        return self._sums[0]

    @property
    def stable(self) -> Counts:
        self._add_up()
        return self._sums[1]

    def _add_up(self) -> None:
        if self._waiting:
            ours = together((self._sums[0], *chain(*(tick.candidate.values() for tick in self._waiting))))
            theirs = together((self._sums[1], *chain(*(tick.stable.values() for tick in self._waiting))))
            self._sums = (ours, theirs)
            self._waiting.clear()

    def line(self, judge: Judge, kind: Kind | Literal["so far"], at: float, lane: str) -> str:
        """Say it."""
        begin, end = f"{kind} {clock(at)} ", aside(judge)
        if lane == "emergency":
            return begin + self._emergency(judge) + end
        if kind == "so far":
            return begin + self._both(judge) + end
        why = self._weight(judge, lane, at) if lane else self._excluded(judge)
        return f"{begin}{self._both(judge)}: {why}{end}"

    def unclear(self, judge: Judge, kind: Kind, at: float, why: Reason) -> str:
        """Say why there is no verdict about the version, and what it would have taken."""
        said = SAID[why.word].format(harm=_harm(judge), other=other_side(judge))
        return f"{kind} {clock(at)} {self._both(judge)}: {said}; needed: {why.need}{aside(judge)}"

    def by_pods(self, judge: Judge, at: float) -> str:
        """Say that the pods' health alone was enough, as the gate has it for so few requests."""
        few = SAID["too few requests"].format(harm=_harm(judge))
        return f"PASS {clock(at)} {self._both(judge)}: {few}, passed by its pods alone{aside(judge)}"

    def _both(self, judge: Judge) -> str:
        told = (self.errors(judge), self.latency(), self.requests(judge))
        return ", ".join(part for part in told if part)

    def _emergency(self, judge: Judge) -> str:
        trip = judge.trips[-1]
        again = "; the second trip" if len(judge.trips) > 1 else ""
        odds = rounded(min(MOST_ODDS, 1.0 / max(trip.chance, 1.0 / MOST_ODDS)))
        over = "over " if trip.chance < 1.0 / MOST_ODDS else ""
        shares = f"{percent(trip.candidate.error_share)} vs {percent(trip.stable.error_share)}"
        return (
            f"{judge.settings.called} {shares} within "
            f"{trip.for_s:g} s, {trip.candidate.errors:,.0f} of {trip.candidate.requests:,.0f} candidate requests: "
            f"{over}{odds}:1 against up to {judge.settings.emergency.times:g}x what is usual at stable{again}"
        )

    def errors(self, judge: Judge) -> str:
        """Compare the error shares."""
        ours, theirs = self.candidate.error_share, self.stable.error_share
        times = f"{rounded(ours / theirs)}x, " if theirs > 0 else ""
        ignored = judge.settings.ignore.errors
        return f"{judge.settings.called} {percent(ours)} vs {percent(theirs)} ({times}ignored up to {ignored:g}x)"

    def latency(self) -> str:
        """Compare a high quantile of the latencies; empty without buckets."""
        ours, theirs = (_p99(self.edges, side.slow) for side in (self.candidate, self.stable))
        if ours is None or theirs is None:
            return ""
        finite = [edge for edge in self.edges if math.isfinite(edge)]
        return f"p99 {_ms(ours, finite)} vs {_ms(theirs, finite)} ms"

    def requests(self, judge: Judge) -> str:
        """Say how many requests each side had."""
        other = other_side(judge, bare=True)
        return f"{self.candidate.requests:,.0f} candidate / {self.stable.requests:,.0f} {other} requests"

    def _excluded(self, judge: Judge) -> str:
        worst, by = judge.settings.unacceptable, judge.harmless.errors_by
        called = judge.settings.called
        if judge.alone:
            return f"{called} of {percent(worst.share)} excluded; stable had no requests, so that nothing was compared"
        errors = f"{worst.errors:g}x the {called}" if by == "times" else f"{called} of {percent(worst.share)}"
        slower = "a p99 beyond the first bucket" if judge.harmless.in_first_bucket else _slower(judge)
        return f"{_joined(judge, errors, slower)} excluded"

    def _weight(self, judge: Judge, lane: str, at: float) -> str:
        if lane == "never above":
            limit = f"{100.0 * judge.settings.never_above:g} %"
            return _odds(judge.never.weight, f"more than {limit} of the requests fail, which never passes")
        kind, metric = lane.split()
        worse = f"{judge.settings.called} are" if metric == "errors" else "latency is"
        if kind == "clear":
            weight = judge.clear.errors if metric == "errors" else judge.clear.latency
            return _odds(weight, f"{worse} beyond what is tolerated")
        looked = judge.subtle.look(at)
        assert looked is not None
        lean = looked[0 if metric == "errors" else 1]
        alone = "" if len(judge.pods) > 1 else f", {ONE_POD}"
        return f"{worse} {lean.deviations:.1f} standard deviations beyond what is ignored{alone}"


def other_side(judge: Judge, *, bare: bool = False) -> str:
    """Name what the candidate is compared with; ``bare``: without an article."""
    if not judge.settings.fresh:
        return "stable"
    return "baseline" if bare else "the baseline"


def _odds(weight: Weight, what: str) -> str:
    held = f"{rounded(weight.weakest)}:1 without {spelled(weight.without)}" if weight.without else ONE_POD
    return f"{rounded(weight.evidence)}:1 that {what}, {held}"


def _harm(judge: Judge) -> str:
    """Name the harm that is not excluded."""
    if judge.alone:
        return f"{judge.settings.called} of {percent(judge.settings.unacceptable.share)}"
    errors = f"{judge.settings.unacceptable.errors:g}x the {judge.settings.called}"
    still_open = judge.harmless.still_open()
    return _joined(judge, errors, _slower(judge), of=still_open or METRICS)


def _slower(judge: Judge) -> str:
    return f"{100.0 * (judge.settings.unacceptable.latency - 1.0):+.0f} % latency"


def _joined(judge: Judge, errors: str, latency: str, *, of: Sequence[Metric] = METRICS) -> str:
    """Join what is said of the metrics that decide."""
    told = zip(METRICS, (errors, latency), strict=True)
    return " and ".join(text for metric, text in told if metric in of and judge.settings.decides(metric))


def aside(judge: Judge) -> str:
    """
    Say what the metrics that do not decide would have done.

    An advisory one speaks up when it has something to say; of a dry run it is also said that it has not.
    """
    parts = []
    for metric, word in judge.settings.aside.items():
        if metric in judge.against:
            at, lane = judge.against[metric]
            done = "tripped" if lane == "emergency" else "failed"
            parts.append(f"; {word}: {metric} would have {done} at {clock(at)}")
        elif word == QUIET_TOO:
            parts.append(f"; {word}: nothing against {metric}")
    return "".join(parts)


def _p99(edges: Sequence[float], buckets: Sequence[float]) -> float | None:
    return quantile(edges, cumulative(buckets), 0.99) if len(edges) == len(buckets) else None


def percent(share: float) -> str:
    """Write a share, such as ``5.1 %``, with as many digits as it takes to see it."""
    value = 100.0 * share
    if value >= 10 or not value:
        return f"{value:.0f} %"
    return f"{value:.1f} %" if value >= 1 else f"{_digits(value)} %"


def rounded(odds: float) -> str:
    """Write odds with two digits that mean something, such as ``48,000``."""
    return f"{float(f'{odds:.2g}'):,.0f}" if odds >= 9.95 else _digits(odds)


def _digits(value: float) -> str:
    """Write two digits that mean something, never as a power of ten."""
    places = 1 - math.floor(math.log10(value)) if value > 1e-9 else 0
    return f"{value:.{max(0, places)}f}".rstrip("0").rstrip(".") if places > 0 else f"{value:.0f}"


def _ms(seconds: float, edges: Sequence[float]) -> str:
    """Write milliseconds; what lies in the first bucket or beyond the last edge is not known closer than that."""
    if edges and seconds >= edges[-1]:
        return f"over {1000 * edges[-1]:,.0f}"
    return f"under {1000 * edges[0]:g}" if edges and seconds <= edges[0] else f"{1000 * seconds:,.0f}"


def clock(seconds: float) -> str:
    """Write seconds as ``00:03:12``."""
    whole = int(seconds)
    return f"{whole // 3600:02}:{whole // 60 % 60:02}:{whole % 60:02}"
