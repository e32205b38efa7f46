"""The sentence that people read about a verdict: numbers first."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

from cd_provider.core.judge.counts import Counts, Tick, total
from cd_provider.core.judge.kayenta.points import cumulative, quantile
from cd_provider.core.judge.verdict import Kind, Word

if TYPE_CHECKING:
    from cd_provider.core.judge.judge import Judge
    from cd_provider.core.judge.reasons import Reason

IS = {"errors": "errors are", "latency": "latency is"}
ONE_POD = "by one pod: it may be the version or its host"
MOST_ODDS = 1e6  # beyond it a number says no more than "over a million"
SAID: Mapping[Word, str] = {
    "no traffic": "the candidate had no requests",
    "no baseline": "{other} had no requests to compare with",
    "baseline unhealthy": "{other} fails as well, and is no measure",
    "too many errors": "more errors than may ever pass",
    "one pod": "one pod alone is worse, and no single pod convicts a version",
    "no latency": "the buckets do not tell how fast either side is",
    "leaning": "leaning towards worse, too little to fail, too much to exclude {harm}",
    "too few requests": "too few requests to exclude {harm}",
}


class Story:
    """Adds up what both sides did, for people only; no lane asks it."""

    def __init__(self) -> None:
        self.candidate, self.stable = Counts(), Counts()
        self.edges: tuple[float, ...] = ()

    def add(self, tick: Tick) -> None:
        """Take the next tick."""
        if tick.edges != self.edges:
            self.candidate, self.stable = self.candidate.bare, self.stable.bare
            self.edges = tick.edges
        self.candidate = self.candidate + total(tick.candidate)
        self.stable = self.stable + total(tick.stable)

    def line(self, judge: Judge, kind: Kind | Literal["so far"], at: float, lane: str) -> str:
        """Say it."""
        begin = f"{kind} {clock(at)} "
        if lane == "emergency":
            return begin + self._emergency(judge)
        if kind == "so far":
            return begin + self._both(judge)
        end = self._weight(judge, lane, at) if lane else self._excluded(judge)
        return f"{begin}{self._both(judge)}: {end}"

    def unclear(self, judge: Judge, kind: Kind, at: float, why: Reason) -> str:
        """Say why there is no verdict about the version, and what it would have taken."""
        said = SAID[why.word].format(harm=_harm(judge), other=other_side(judge))
        return f"{kind} {clock(at)} {self._both(judge)}: {said}; needed: {why.need}"

    def _both(self, judge: Judge) -> str:
        told = (self.errors(judge), self.latency(), self.requests(judge))
        return ", ".join(part for part in told if part)

    def _emergency(self, judge: Judge) -> str:
        trip = judge.trips[-1]
        again = "; the second trip" if len(judge.trips) > 1 else ""
        odds = rounded(min(MOST_ODDS, 1.0 / max(trip.chance, 1.0 / MOST_ODDS)))
        over = "over " if trip.chance < 1.0 / MOST_ODDS else ""
        return (
            f"errors {percent(trip.candidate.error_share)} vs {percent(trip.stable.error_share)} within "
            f"{trip.for_s:g} s, {trip.candidate.errors:,.0f} of {trip.candidate.requests:,.0f} candidate requests: "
            f"{over}{odds}:1 against up to {judge.settings.emergency.times:g}x what is usual at stable{again}"
        )

    def errors(self, judge: Judge) -> str:
        """Compare the error shares."""
        ours, theirs = self.candidate.error_share, self.stable.error_share
        times = f"{rounded(ours / theirs)}x, " if theirs > 0 else ""
        ignored = judge.settings.ignore.errors
        return f"errors {percent(ours)} vs {percent(theirs)} ({times}ignored up to {ignored:g}x)"

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
        errors = f"{worst.errors:g}x the errors" if by == "times" else f"errors of {percent(worst.share)}"
        if judge.settings.latency and judge.harmless.in_first_bucket:
            return f"{errors} and a p99 beyond the first bucket excluded"
        return f"{errors}{_slower(judge, ' and')} excluded"

    def _weight(self, judge: Judge, lane: str, at: float) -> str:
        kind, metric = lane.split()
        if kind == "clear":
            weight = judge.clear.errors if metric == "errors" else judge.clear.latency
            held = f"{rounded(weight.weakest)}:1 without pod {weight.without}" if weight.without else ONE_POD
            return f"{rounded(weight.evidence)}:1 that {IS[metric]} beyond what is tolerated, {held}"
        looked = judge.subtle.look(at)
        assert looked is not None
        lean = looked[0 if metric == "errors" else 1]
        alone = "" if len(judge.pods) > 1 else f", {ONE_POD}"
        return f"{IS[metric]} {lean.deviations:.1f} standard deviations beyond what is ignored{alone}"


def other_side(judge: Judge, *, bare: bool = False) -> str:
    """Name what the candidate is compared with; ``bare``: without an article."""
    if not judge.settings.fresh:
        return "stable"
    return "baseline" if bare else "the baseline"


def _harm(judge: Judge) -> str:
    worst = judge.settings.unacceptable
    return f"{worst.errors:g}x the errors{_slower(judge, ' and')}"


def _slower(judge: Judge, joined: str) -> str:
    percents = 100.0 * (judge.settings.unacceptable.latency - 1.0)
    return f"{joined} {percents:+.0f} % latency" if judge.settings.latency else ""


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
