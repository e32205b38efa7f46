"""The judge's numbers. All times in seconds, so that reading more often changes nothing but how early it knows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from cd_provider.core.judge.limits import EmergencyLimits

Metric = Literal["errors", "latency"]
METRICS: tuple[Metric, ...] = ("errors", "latency")


@dataclass(frozen=True, slots=True)
class Tolerance:
    """
    Two numbers for each of the metrics: up to the first a difference is ignored, from the second on it is not passed.

    In between either verdict is right.

    :param errors: times stable's error share. :param latency: times stable's latencies.
    :param share: errors per request below which no number of times stable's keeps from a pass, 0–1.
    """

    errors: float
    latency: float
    share: float = 0.0


AWAY_S = 30.0  # off traffic after a trip
AWAY_ALONE_S = 65.0  # of a single pod: its host may be out of order for a minute


def away_for_s(pods: int) -> float:
    """Say how long a candidate of so many pods stays off traffic after a trip, seconds."""
    return AWAY_ALONE_S if pods < 2 else AWAY_S


IGNORE = Tolerance(errors=1.25, latency=1.05)
UNACCEPTABLE = Tolerance(errors=2.0, latency=1.25, share=0.005)
CLEAR = Tolerance(errors=1.5, latency=1.10, share=5e-4)
"""What the clear lane doubts, between the two; below its share of errors nobody is convicted."""
COLD = Tolerance(errors=8.0, latency=2.5, share=2e-3)
"""The same, while a young candidate stands beside an old baseline."""


NEVER_ABOVE = 0.02  # errors per request that no version may have


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """
    How one canary is judged.

    :param alpha: chance to fail a candidate that is exactly at ``ignore``, over the whole canary.
    :param beta: chance to pass one that is exactly at ``unacceptable``, before the end; and once more there.
    :param fresh: the baseline started together with the candidate, so that both are as cold.
    :param min_s: before which nothing passes; None: two minutes beside a fresh baseline, three beside an old one.
    :param max_s: when the canary is over.
    :param clear: evidence (odds to 1) that convicts in the clear lane. :param clear_again: the same after a trip, whose
        seconds are among the evidence. :param weakest: what must be left of it without any pod, or two that may share
        a host. :param weakest_few: the same of errors, while the candidate has had but a few in all.
    :param leaning: standard deviations towards worse with which nothing passes now.
    :param never_above: errors per request, 0–1, that never pass, and that convict where stable has fewer; where stable
        is above it, too, it is no measure. 1: no such limit.
    :param called: what people call what is counted as errors. :param floor: errors per request, 0–1, up to which a
        candidate that has many times stable's only drifts within what is ignored.
    :param errors: whether they decide. :param latency: the same; if it does, nothing passes without latency buckets.
    :param aside: metric that does not decide → the word with which people are told what it would have done.
    :param alone: where stable has no request at all, pass by the candidate's own share of errors.
    :param pods_only: where too few requests are the only thing that is missing at the end, pass.
    :param asks: INCONCLUSIVE and NO_DATA are questions: it goes on judging until somebody answers.
    :param away_s: how long a candidate that tripped stays off traffic; what still comes back then is no second trip.
    """

    alpha: float = 0.06
    beta: float = 0.05
    fresh: bool = False
    min_s: float | None = None
    max_s: float = 1800.0
    ignore: Tolerance = IGNORE
    unacceptable: Tolerance = UNACCEPTABLE
    clear_at: Tolerance = CLEAR
    cold_at: Tolerance = COLD
    clear: float = 20.0
    clear_again: float = 60.0
    weakest: float = 6.0
    weakest_few: float = 3.0
    weakest_part: float = 0.4
    leaning: float = 1.0
    never_above: float = NEVER_ABOVE
    called: str = "errors"
    floor: float = 0.0
    errors: bool = True
    latency: bool = True
    aside: Mapping[Metric, str] = field(default_factory=dict)
    alone: bool = False
    pods_only: bool = False
    asks: bool = False
    away_s: float = AWAY_S
    cold_s: float = 60.0
    emergency: EmergencyLimits = field(default_factory=EmergencyLimits)

    def decides(self, metric: Metric) -> bool:
        """Whether this metric changes the outcome."""
        return self.errors if metric == "errors" else self.latency

    @property
    def after_trip(self) -> JudgeSettings:
        """The same for a candidate that has returned."""
        return replace(self, clear=self.clear_again)

    @property
    def alpha_each(self) -> float:
        """What each metric has of alpha: those that do not decide take none from the others."""
        return self.alpha / max(1, self.errors + self.latency)

    @property
    def quiet_s(self) -> float:
        """How long the subtle lane neither fails nor passes."""
        return 120.0 if self.fresh else 180.0

    @property
    def counts_from_s(self) -> float:
        """From when on the subtle lane counts: what a cold start did is not what the version does."""
        return self.cold_s if self.fresh else 180.0

    @property
    def least_s(self) -> float:
        """Before which nothing passes."""
        return max(self.quiet_s, self.min_s or 0.0)
