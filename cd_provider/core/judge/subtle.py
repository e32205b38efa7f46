"""The subtle lane: two boundaries, one for any time and one that spends its alpha towards the end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

from cd_provider.core.judge.drift import Drift
from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.view import Arm, Scene

PART = 0.35  # of alpha, for each of the two boundaries; half of it for each metric
EARLIEST = 0.05  # of the information: before it the second boundary is as high as here


@dataclass(frozen=True, slots=True)
class Lean:
    """
    Where one metric's sum stands: in standard deviations, without its strongest pod, and as evidence.

    :param reach: how far towards the nearer of the two boundaries, in the logarithm of odds; from 1 on it is beyond.
    :param far: beyond one of the boundaries. :param convicts: the same, and most of it stays without any one pod.
    """

    deviations: float
    weakest: float
    evidence: float
    reach: float
    far: bool
    convicts: bool


def share_of(times: float, ours: Arm, stable: Arm) -> float:
    """Give the chance that an event is the candidate's if it is ``times`` as bad; 0 when a side had no requests."""
    if ours.requests <= 0 or stable.requests <= 0:
        return 0.0
    return times * ours.requests / (times * ours.requests + stable.requests)


def score_contrast(ours: Arm, stable: Arm) -> tuple[float, float]:
    """Give by how much the candidate's scores exceed its share of the tick's, and the weight of that."""
    if ours.timed <= 0 or stable.timed <= 0:
        return 0.0, 0.0
    weight = ours.timed * stable.timed / (ours.timed + stable.timed)
    return weight * (ours.score / ours.timed - stable.score / stable.timed), weight


class SubtleLane:
    """Looks at one tick after the other, once the cold start is over."""

    def __init__(self, settings: JudgeSettings, past: Past) -> None:
        self.settings, self.cluster = settings, past.cluster
        self.errors, self.latency = Drift(past.errors_differ), Drift(past.scores_differ)
        self.priors: tuple[float, float] | None = None

    def step(self, seen: Scene, shape: Shape | None) -> None:
        """Take the next tick."""
        if seen.at <= self.settings.counts_from_s + 1e-9:
            return
        self._errors(seen)
        if shape is not None:
            self._latency(seen, shape)
        if self.priors is None and seen.at >= self.settings.quiet_s - 1e-9:
            self.priors = (max(1.0, self.errors.variance), max(1.0, self.latency.variance))

    def _errors(self, seen: Scene) -> None:
        amounts = {}
        for view, arm in seen.views.items():
            share = share_of(self.settings.ignore.errors, arm, seen.stable)
            amounts[view] = arm.errors - (arm.errors + seen.stable.errors) * share if share else 0.0
        share = share_of(self.settings.ignore.errors, seen.whole, seen.stable)
        scale = (seen.whole.errors + seen.stable.errors) * share * (1.0 - share)
        self.errors.add(seen, amounts, chance=self.cluster * scale, scale=scale)

    def _latency(self, seen: Scene, shape: Shape) -> None:
        amounts = {}
        for view, arm in seen.views.items():
            contrast, weight = score_contrast(arm, seen.stable)
            amounts[view] = contrast - weight * shape.ignored
        weight = score_contrast(seen.whole, seen.stable)[1]
        self.latency.add(seen, amounts, chance=weight * seen.score_variance, scale=weight)

    @property
    def limit(self) -> float:
        """The odds to 1 that convict at any time."""
        return 2.0 / (self.settings.alpha * PART)

    def look(self, at: float) -> tuple[Lean, Lean] | None:
        """Give where errors and latency stand; None while it is too early."""
        if self.priors is None:
            return None
        return self._lean(self.errors, self.priors[0], at), self._lean(self.latency, self.priors[1], at)

    def _lean(self, drift: Drift, prior: float, at: float) -> Lean:
        settings = self.settings
        deviations, weakest = drift.deviations()
        evidence, alpha = drift.evidence(prior), settings.alpha * PART / 2.0
        height = self._height(alpha, at)
        far = evidence >= 1.0 / alpha or deviations >= height
        reach = max(
            math.log(max(evidence, 1e-9)) / -math.log(alpha), deviations * abs(deviations) / height**2
        )
        most_stays = weakest >= settings.weakest_part * deviations
        return Lean(deviations, weakest, evidence, reach, far, far and most_stays)

    def _height(self, alpha: float, at: float) -> float:
        """
        Give the second boundary, in standard deviations.

        Source: O'Brien and Fleming, "A multiple testing procedure for clinical trials" (1979).
        """
        begin = self.settings.counts_from_s
        part = (at - begin) / max(1.0, self.settings.max_s - begin)
        return NormalDist().inv_cdf(1.0 - alpha / 2.0) / math.sqrt(min(1.0, max(EARLIEST, part)))
