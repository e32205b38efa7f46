"""
What no version may do, whatever it stands beside: let more of its requests fail than ``never_above``.

A likelihood ratio again, against a fixed share instead of stable's: one request is one toss, and how often it fails is
bounded. Under "no more than the limit" it is a supermartingale, so that it may be looked at after every tick.

Where stable is above the limit as well, over these minutes or the whole canary, or so close to it that a difference
which is ignored leads beyond, the limit says something of the service and nothing of the version: no FAIL then, and no
PASS.
"""

from __future__ import annotations

import copy

from cd_provider.core.judge.clear import Weight, weigh
from cd_provider.core.judge.likelihood import RatioEvidence
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.view import WHOLE, Arm, Scene, grown_from

ABOVE = (1.1, 1.5, 3.0, 10.0)  # times the odds of an error at the limit
SAYS_NOTHING = 1.0 + 1e-9


class LimitEvidence:
    """
    Evidence that more than ``limit`` of one side's requests fail.

    :param limit: 0–1; 1 is never exceeded. :param cluster: how many errors come together, at least 1.
    """

    def __init__(self, limit: float, cluster: float) -> None:
        # Errors against answers, where the chance of an error is the limit: the same ratio as between two sides.
        self.against = (limit, 1.0 - limit)
        self.ratio = RatioEvidence(cluster=cluster, alternatives=ABOVE, began_at=0.0)

    def step(self, at: float, arm: Arm) -> None:
        """Take what happened since the last tick; errors of no request are none."""
        if arm.requests <= 0.0:
            return
        self.ratio.step(at, (arm.errors,), (max(0.0, arm.requests - arm.errors),), self.against)

    @property
    def evidence(self) -> float:
        return self.ratio.evidence


class NeverAbove:
    """
    Looks at one tick after the other, with all pods and without each one.

    :param cluster: how many errors come together, at least 1.
    """

    def __init__(self, settings: JudgeSettings, cluster: float) -> None:
        self.settings = settings
        self._ours = {WHOLE: LimitEvidence(settings.never_above, cluster)}
        self._stable = LimitEvidence(settings.never_above, cluster)
        self._sums = [0.0] * 4  # errors and requests of the candidate, of stable

    def tripped(self) -> None:
        """Ask for more from now on, as the clear lane does."""
        self.settings = self.settings.after_trip

    def step(self, seen: Scene) -> None:
        """Take the next tick."""
        for view in seen.views:
            if view not in self._ours:
                self._ours[view] = copy.deepcopy(self._ours[grown_from(view, self._ours)])
        for view, arm in seen.views.items():
            self._ours[view].step(seen.at, arm)
        self._stable.step(seen.at, seen.stable)
        now = (seen.whole.errors, seen.whole.requests, seen.stable.errors, seen.stable.requests)
        self._sums = [one + more for one, more in zip(self._sums, now, strict=True)]

    @property
    def weight(self) -> Weight:
        return weigh({view: one.evidence for view, one in self._ours.items()})

    @property
    def leans(self) -> bool:
        """Whether the candidate seems to be above the limit now, whichever pod is left out."""
        if self._ours[WHOLE].evidence <= SAYS_NOTHING:
            return False  # it costs little to see that there is nothing to weigh
        weight = self.weight
        return min(weight.evidence, weight.weakest) > SAYS_NOTHING

    @property
    def stable_too(self) -> bool:
        """Whether stable seems to be above it now, or was so close to it over the whole canary."""
        errors, requests = self._sums[2:]
        ignored = self.settings.ignore.errors * errors
        return self._stable.evidence > SAYS_NOTHING or ignored > self.settings.never_above * requests

    @property
    def convicts(self) -> bool:
        """Whether the candidate is above the limit, and no better than stable, which is not above it."""
        errors, requests, stable_errors, stable_requests = self._sums
        worse = errors * stable_requests >= stable_errors * requests
        if self._ours[WHOLE].evidence < self.settings.clear:
            return False
        return self.weight.convicts(self.settings) and worse and not self.stable_too
