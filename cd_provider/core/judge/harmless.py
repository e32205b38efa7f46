"""
When a candidate may pass: unacceptable harm is excluded, and nothing leans towards worse now.

"Not failed" is no pass. Errors: twice stable's share is excluded, or half a per cent is. Latency: a quarter slower is
excluded, or all but a hundredth lies in the first bucket. A minute in which one pod was out of order neither convicts a
version nor keeps it from passing: at most two such pod-minutes are left out, and only when the pod's other minutes make
them all but impossible.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import NormalDist

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.drift import Drift, ends
from cd_provider.core.judge.latency import EXCEEDED_BY, Shape
from cd_provider.core.judge.likelihood import share_of
from cd_provider.core.judge.settings import METRICS, JudgeSettings, Metric
from cd_provider.core.judge.subtle import SubtleLane
from cd_provider.core.judge.tails import mixture, poisson
from cd_provider.core.judge.view import Arm, Scene

MINUTE_S = 60.0
LEFT_OUT = 2  # pod-minutes, at most
ODD = 1e-5  # chance of such a minute, by the pods' others
ODD_ERRORS = 5.0
FIRST_BUCKET_BUT = (
    0.01  # of the requests may be slower than the first bucket's edge, where buckets tell no more
)


@dataclass
class PodMinutes:
    """The candidate's errors by pod and minute; only the worst are kept."""

    worst: list[Counts] = field(default_factory=list)
    open: dict[str, Counts] = field(default_factory=lambda: defaultdict(Counts))
    sums: Counts = field(default_factory=Counts)

    def add(self, tick: Tick, whole: Arm) -> None:
        """Take a tick in which both sides had requests."""
        for pod, done in tick.candidate.items():
            so_far = self.open[pod]
            self.open[pod] = Counts(so_far.requests + done.requests, so_far.errors + done.errors)
        self.sums = Counts(self.sums.requests + whole.requests, self.sums.errors + whole.errors)

    def close(self, seen: Scene) -> None:
        """End the minute when it is over."""
        if ends(seen.at, seen.span_s, MINUTE_S):
            self.worst = self._worst()
            self.open.clear()

    def _worst(self) -> list[Counts]:
        return sorted([*self.worst, *self.open.values()], key=lambda one: (-one.errors, one.requests))[
            :LEFT_OUT
        ]

    def odd(self, cluster: float) -> Counts:
        """Add up the minutes that may be left out."""
        worst = self._worst()
        rest = self.sums - sum(worst, Counts())
        usual = (rest.errors + 0.5) / max(1.0, rest.requests)
        found = Counts()
        for one in worst:
            chance = poisson(one.errors / cluster, usual * one.requests / cluster)
            if one.errors >= ODD_ERRORS and chance <= ODD:
                found = found + one
        return found


class Harmless:
    """Looks at one tick after the other, with what the subtle lane counts."""

    def __init__(self, settings: JudgeSettings, subtle: SubtleLane) -> None:
        self.settings, self.subtle = settings, subtle
        self._least = NormalDist().inv_cdf(1.0 - settings.beta)  # standard deviations that do at the end
        self.minutes = PodMinutes()
        self.stable = Counts()
        self._errors = self._slower = 0.0  # sums that grow while the candidate is better than unacceptable
        self._tail = [(0.0, 0.0)] * len(EXCEEDED_BY)
        self._timed = self._beyond_first = (
            0.0  # of the candidate: requests, and those beyond the first bucket
        )
        self.in_first_bucket = False  # nearly all of the candidate's requests, however slow stable is
        self.errors_by = ""  # what was excluded last: ``times`` stable's, or a ``share``

    def step(self, tick: Tick, seen: Scene, shape: Shape | None) -> None:
        """Take the next tick."""
        if shape is not None and seen.at > self.settings.cold_s + 1e-9:
            self._add_tail(seen, shape)
        if seen.at <= self.settings.counts_from_s + 1e-9:
            return
        ours, theirs, worst = seen.whole, seen.stable, self.settings.unacceptable
        if share := share_of(worst.errors, ours.requests, theirs.requests):
            self._errors += (ours.errors + theirs.errors) * share - ours.errors
            self.minutes.add(tick, ours)
            self.stable = Counts(self.stable.requests + theirs.requests, self.stable.errors + theirs.errors)
        self.minutes.close(seen)
        if shape is not None:
            self._timed += ours.timed
            self._beyond_first += ours.timed - ours.in_first
            self._slower += seen.contrast.weight * shape.unacceptable - seen.contrast.excess

    def _add_tail(self, seen: Scene, shape: Shape) -> None:
        ours, theirs = seen.whole, seen.stable
        if not ours.beyond or not theirs.beyond or ours.timed <= 0 or theirs.timed <= 0:
            return
        found = []
        for (total, variance), times, mine, its in zip(
            self._tail, shape.tolerated[0], ours.beyond, theirs.beyond, strict=True
        ):
            share, events = share_of(times, ours.timed, theirs.timed), mine + its
            found.append((total + mine - events * share, variance + events * share * (1.0 - share)))
        self._tail = found

    @property
    def tail_leans(self) -> bool:
        """Whether more requests than tolerated are beyond one of the edges."""
        return any(
            total > self.settings.leaning * math.sqrt(max(variance, 1e-9)) for total, variance in self._tail
        )

    def excluded(self, *, at_end: bool, alone: bool = False) -> bool:
        """
        Whether unacceptable harm is excluded in every metric that is judged.

        :param alone: there is nothing to compare with: a share of errors is excluded, whoever decides, and no more.
        """
        if self.subtle.priors is None:
            return False
        if self.settings.latency and not self._latency_excluded(at_end=at_end, alone=alone):
            return False
        self.errors_by = self._errors_excluded(at_end=at_end)
        return bool(self.errors_by) or not (self.settings.errors or alone)

    def still_open(self) -> tuple[Metric, ...]:
        """Name the metrics that decide and of which unacceptable harm is not excluded, even were this the end."""
        if self.subtle.priors is None:
            return tuple(metric for metric in METRICS if self.settings.decides(metric))
        excluded: Mapping[Metric, bool] = {
            "errors": bool(self._errors_excluded(at_end=True)),
            "latency": self._latency_excluded(at_end=True, alone=False),
        }
        return tuple(metric for metric in METRICS if self.settings.decides(metric) and not excluded[metric])

    def _latency_excluded(self, *, at_end: bool, alone: bool) -> bool:
        assert self.subtle.priors is not None
        self.in_first_bucket = self._too_fast_to_tell(at_end=at_end)
        variance = self.subtle.latency.variance
        not_slow = alone or self._clears(self._slower, variance, self.subtle.priors[1], at_end=at_end)
        return not_slow or self.in_first_bucket

    def _too_fast_to_tell(self, *, at_end: bool) -> bool:
        """Whether the candidate's p99 lies in the first bucket: faster than anybody cares to measure is fast enough."""
        expected = FIRST_BUCKET_BUT * self._timed
        prior = max(1.0, FIRST_BUCKET_BUT * 300.0)
        return self._clears(expected - self._beyond_first, expected, prior, at_end=at_end)

    @property
    def may_be_times(self) -> bool:
        """Whether a candidate could be unacceptably many times as bad as stable at all: beyond 1 there is no share."""
        return self.stable.error_share * self.settings.unacceptable.errors < 1.0

    def _errors_excluded(self, *, at_end: bool) -> str:
        assert self.subtle.priors is not None
        prior = self.subtle.priors[0]
        cluster, share = self.subtle.cluster, self.settings.unacceptable.share
        odd = self.minutes.odd(cluster)
        total, variance = self._ratio(odd)
        if self.may_be_times and self._clears(total, variance, prior, at_end=at_end):
            return "times"
        expected = share * (self.subtle.requests - odd.requests)
        few = expected - (self.subtle.failed - odd.errors)
        variance, prior = cluster * share * self.subtle.requests, max(1.0, cluster * share * 300.0)
        return "share" if self._clears(few, variance, prior, at_end=at_end) else ""

    def _ratio(self, odd: Counts) -> tuple[float, float]:
        """Give the sum against "so many times stable's share", and its variance, without the odd minutes."""
        drift: Drift = self.subtle.errors
        if not odd.errors:
            return self._errors, drift.variance
        ours = self.minutes.sums - odd
        share = share_of(self.settings.unacceptable.errors, ours.requests, self.stable.requests)
        events = ours.errors + self.stable.errors
        scale = events * share * (1.0 - share)
        between = drift.between(drift.counted_s)
        return events * share - ours.errors, self.subtle.cluster * scale + scale**2 * between

    def _clears(self, total: float, variance: float, prior: float, *, at_end: bool) -> bool:
        if mixture(total, variance, prior) >= 1.0 / self.settings.beta:
            return True
        return at_end and total >= self._least * math.sqrt(max(variance, 1e-9))
