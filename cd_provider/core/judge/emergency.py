"""
The emergency lane: so many errors within seconds that users have to be spared at once.

It asks one question at each new error: had the candidate been hardly worse than stable, how surprising would this be?
Stable's own rate is not known, only what it did before and in these very seconds, and pods of one version differ, so
that the candidate's rate is spread like a gamma distribution around that; its count is negative binomial then. When
both sides suffer, stable's errors in the same seconds say so.

Speed and safety under a short one-sided outage cannot both be had by any rule that looks at seconds. So this one
does not convict: it trips. The candidate is taken off traffic at once, its pods stay, and it gets one return; whoever
trips a second time has failed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from operator import sub

from cd_provider.core.judge.counts import Counts, Tick, bare
from cd_provider.core.judge.limits import EmergencyLimits
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.tails import beta, poisson
from cd_provider.core.judge.usual import Usual
from cd_provider.core.judge.view import WHOLE, views_of


@dataclass(frozen=True, slots=True)
class Trip:
    """
    What was seen, for the sentence that people read.

    :param for_s: length of the window. :param chance: of that, had the candidate been no worse than allowed.
    """

    at: float
    for_s: float
    candidate: Counts
    stable: Counts
    chance: float


class EmergencyLane:
    """Looks at one tick after the other; what is older than its windows says what is usual, after ``past``."""

    def __init__(self, past: Past, *, limits: EmergencyLimits | None = None) -> None:
        self.limits, self.usual = limits or EmergencyLimits(), Usual(past)
        self.differs = past.errors_differ[0]
        self.spread = 0.0  # variance of the candidate's rate relative to stable's, by how pods differ
        self._recent: deque[Tick] = deque()
        self._soon_until = math.inf  # until then a trip is taken for the one before, or is the first

    @property
    def share(self) -> float:
        """Errors per request that are usual at stable."""
        return min(0.5, max(self.usual.share, self.limits.floor))

    def step(self, tick: Tick) -> Trip | None:
        """Take the next tick; give what was seen when it trips."""
        self._recent.append(tick)
        while self._recent[0].at < tick.at - max(self.limits.windows_s) + 1e-9 and len(self._recent) > 1:
            self.usual.add(self._recent.popleft())
        if not any(one.errors for one in tick.candidate.values()):
            return None  # what did not trip before does not trip for want of news
        self.spread = self.differs * sum(1.0 / max(1, len(pods)) for pods in (tick.candidate, tick.stable))
        return next((found for found in self._windows(tick) if found), None)

    def reset(self) -> None:
        """Forget; what was seen before a return to traffic does not count after it."""
        if self._recent:
            self._soon_until = self._recent[-1].at + self.limits.soon_s
        while self._recent:
            self.usual.add(self._recent.popleft())

    def _windows(self, now: Tick) -> Iterator[Trip | None]:
        """Look at each window, the shortest first, by as many whole ticks as fit into it, at least one."""
        ours, stable, looked, for_s = Counts(), Counts(), 0, 0.0
        for ticks, tick in enumerate(reversed(self._recent), 1):
            ours, stable = ours + bare(tick.candidate), stable + bare(tick.stable)
            for_s = now.at - tick.at + tick.span_s
            due = sum(window < for_s + tick.span_s - 1e-9 for window in self.limits.windows_s)
            if due > looked:
                looked = due
                yield self._look(now.at, for_s, ours, stable, ticks)
        if not looked:
            yield self._look(now.at, for_s, ours, stable, len(self._recent))

    def _look(self, at: float, for_s: float, ours: Counts, stable: Counts, ticks: int) -> Trip | None:
        limits = self.limits
        most = limits.chance if at <= self._soon_until else limits.again
        if ours.error_share < limits.share or (chance := self.chance(ours, stable)) > most:
            return None
        mine = ours.requests / (ours.requests + stable.requests)
        cluster = self.usual.cluster
        if beta(mine, ours.errors / cluster, stable.errors / cluster + 1.0) > limits.aside:
            return None
        if not all(self._convinces(rest, ours, stable) for rest in self._rests(ours, ticks)):
            return None
        return Trip(at, for_s, ours, stable, chance)

    def _convinces(self, rest: Counts, ours: Counts, stable: Counts) -> bool:
        """
        Say whether what is left without a pod, or two, speaks of the version as well.

        Where it has as large a part of its requests fail, more or less, fewer errors do: one bad pod among good ones
        leaves a rest that looks quite different from the whole.
        """
        limits = self.limits
        if rest.error_share < limits.share:
            return False
        alike = rest.error_share >= limits.alike * ours.error_share
        return self.chance(rest, stable) <= (limits.without_alike if alike else limits.without)

    def _rests(self, ours: Counts, ticks: int) -> list[Counts]:
        """Leave out each pod of the last so many ticks, or two of one host; none where there is only one."""
        pods: dict[str, Counts] = {}
        for tick in islice(reversed(self._recent), ticks):
            for pod, one in tick.candidate.items():
                pods[pod] = pods.get(pod, Counts()) + one.bare
        views = views_of(ours, pods, list(pods), sub) if len(pods) > 1 else {}
        return [rest for view, rest in views.items() if view != WHOLE]

    def chance(self, ours: Counts, stable: Counts) -> float:
        """Give how likely so many errors, or more, are of a candidate ``times`` as bad as stable, or at ``floor``."""
        if ours.errors <= 0:
            return 1.0
        cluster = self.usual.cluster
        mean = self.limits.times * ours.requests / cluster
        shape = 1.0 + stable.errors / cluster
        wider = 1.0 + shape * self.spread
        known = (1.0 / self.share + stable.requests / cluster) / wider
        likely = beta(mean / (mean + known), ours.errors / cluster, shape / wider)
        return max(likely, poisson(ours.errors / cluster, self.limits.floor * ours.requests / cluster))
