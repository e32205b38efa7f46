"""The subtle lane: two boundaries, one for any time and one that spends its alpha towards the end."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist
from typing import NamedTuple

from cd_provider.core.judge.drift import Drift, over
from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.likelihood import share_of
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.ranks import contrast
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.tails import poisson
from cd_provider.core.judge.usual import Usual
from cd_provider.core.judge.view import Scene

PART = 0.35  # of alpha, for each of the two boundaries; shared by the metrics that decide
EARLIEST = 0.05  # of the information: before it the second boundary is as high as here


class Lean(NamedTuple):
    """
    Where one metric's sum stands: in standard deviations, without its strongest pod, and as evidence.

    ``reach``: how far towards the nearer of the two boundaries, in the logarithm of odds, from 1 on beyond it;
    ``far``: beyond one of them; ``convicts``: the same, and most of it stays without any one pod.
    """

    deviations: float
    weakest: float
    evidence: float
    reach: float
    far: bool
    convicts: bool


NO_LEAN = Lean(0.0, 0.0, 1.0, 0.0, far=False, convicts=False)


class SubtleLane:
    """
    Looks at one tick after the other, once the cold start is over.

    :param usual: who learns beside it how many errors come together; None: nobody, and ``past`` has the word.
    """

    def __init__(self, settings: JudgeSettings, past: Past, usual: Usual | None = None) -> None:
        self.settings, self._usual = settings, usual or Usual(past)
        self.errors, self.latency = Drift(past.errors_differ), Drift(past.scores_differ)
        self.priors: tuple[float, float] | None = None
        self.requests = self.failed = 0.0  # of the candidate, since errors count
        self.alpha = settings.alpha_each * PART  # of each metric at each boundary
        self._end = NormalDist().inv_cdf(1.0 - self.alpha / 2.0)  # the second boundary's height at the end
        self._looked: tuple[float, tuple[Lean, Lean]] | None = None

    @property
    def cluster(self) -> float:
        """How many errors come together."""
        return self._usual.together

    def step(self, seen: Scene, shape: Shape | None) -> None:
        """Take the next tick."""
        if seen.at <= self.settings.counts_from_s + 1e-9:
            return
        self._looked, ended = None, over(seen)
        self._errors(seen, ended)
        if shape is not None:
            self._latency(seen, shape, ended)
        if self.priors is None and seen.at >= self.settings.quiet_s - 1e-9:
            self.priors = (max(1.0, self.errors.variance), max(1.0, self.latency.variance))

    def _errors(self, seen: Scene, ended: Sequence[bool]) -> None:
        times, stable = self.settings.ignore.errors, seen.stable
        self.requests, self.failed = self.requests + seen.whole.requests, self.failed + seen.whole.errors
        events, amounts = seen.whole.errors + stable.errors, dict.fromkeys(seen.views, 0.0)
        for view, arm in seen.views.items() if events else ():
            share = share_of(times, arm.requests, stable.requests)
            amounts[view] = arm.errors - (arm.errors + stable.errors) * share if share else 0.0
        share = share_of(times, seen.whole.requests, stable.requests)
        scale = events * share * (1.0 - share)
        self.errors.together = self.cluster
        self.errors.add(seen, amounts, ended, chance=scale, scale=scale)

    def _latency(self, seen: Scene, shape: Shape, ended: Sequence[bool]) -> None:
        amounts = {}
        for view, arm in seen.views.items():
            excess, weight = seen.contrast if arm is seen.whole else contrast(arm.scored, seen.stable.scored)
            amounts[view] = excess - weight * shape.ignored
        weight = seen.contrast.weight
        self.latency.add(seen, amounts, ended, chance=weight * seen.score_variance, scale=weight)

    @property
    def limit(self) -> float:
        """The odds to 1 that convict at any time."""
        return 1.0 / self.alpha

    def look(self, at: float) -> tuple[Lean, Lean] | None:
        """Give where errors and latency stand; None while it is too early."""
        if self.priors is None:
            return None
        if self._looked is None or self._looked[0] != at:
            errors = NO_LEAN if self._is_few else self._lean(self.errors, self.priors[0], at)
            self._looked = (at, (errors, self._lean(self.latency, self.priors[1], at)))
        return self._looked[1]

    @property
    def _is_few(self) -> bool:
        """Whether the candidate may have no more errors than nobody minds, however many times stable's they are."""
        if not self.settings.floor:
            return False
        most = self.settings.floor * self.requests / self.cluster
        return poisson(self.failed / self.cluster, most) > self.alpha

    def _lean(self, drift: Drift, prior: float, at: float) -> Lean:
        deviations, weakest = drift.deviations()
        evidence, height = drift.evidence(prior), self._height(at)
        far = evidence >= 1.0 / self.alpha or deviations >= height
        most_stays = weakest >= self.settings.weakest_part * deviations
        reach = max(
            math.log(max(evidence, 1e-9)) / -math.log(self.alpha), deviations * abs(deviations) / height**2
        )
        return Lean(deviations, weakest, evidence, reach, far, far and most_stays)

    def _height(self, at: float) -> float:
        """
        Give the second boundary, in standard deviations.

        Source: O'Brien and Fleming, "A multiple testing procedure for clinical trials" (1979).
        """
        begin = self.settings.counts_from_s
        part = (at - begin) / max(1.0, self.settings.max_s - begin)
        return self._end / math.sqrt(min(1.0, max(EARLIEST, part)))
