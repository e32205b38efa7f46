"""By how much one sample lies above another: Mann and Whitney's test, with the interval as Kayenta gets it."""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from cd_provider.core.judge.kayenta.root import Point, root

LEVEL = 0.98
"""Of the interval; hard-coded in Kayenta's judge."""


@dataclass(frozen=True)
class Shift:
    """By how much the first sample lies above the second, and between which two numbers that is."""

    estimate: float
    lower: float
    upper: float


def shift(ours: Sequence[float], theirs: Sequence[float], *, level: float = LEVEL) -> Shift:
    """
    Give the shift with its two-sided interval; normal approximation, continuity 0.5, ties corrected.

    Each end is where the statistic of the shifted samples crosses the normal quantile, found by :func:`root` to 5e-5
    in the samples' own unit; with so few points that it never does, it is the outermost difference of two points.

    Two sides of one value each: Kayenta adds random noise of 1e-5 of that value, so that ranks exist. Here there is
    none: the shift and both ends are the difference. The two differ where the difference is not much more than
    the noise; there Kayenta's answer is chance.

    :param ours: one finite number at least, as of ``theirs``. :param level: of the interval, between 0 and 1.
    :raises ValueError: one point against one: they have no ranks, and Kayenta's judge gives an error, too.

    Sources: Mann and Whitney (1947); R, ``wilcox.test``; Kayenta, ``MannWhitney.scala``.
    """
    if len(ours) == len(theirs) == 1:
        raise ValueError("one point against one has no interval; two on one side are needed.")
    if len(set(ours)) == len(set(theirs)) == 1:
        apart = ours[0] - theirs[0]
        return Shift(apart, apart, apart)
    statistic, z = Statistic(ours, theirs), NormalDist().inv_cdf(0.5 + level / 2.0)
    low, high = min(ours) - max(theirs), max(ours) - min(theirs)
    at_low, at_high = statistic(low), statistic(high)

    def crossing(wanted: float) -> float:
        lower, upper = Point(low, at_low - wanted), Point(high, at_high - wanted)
        return root(lambda by: statistic(by) - wanted, lower, upper)

    return Shift(
        estimate=crossing(0.0),
        lower=crossing(z) if at_low > z else low,
        upper=crossing(-z) if at_high < -z else high,
    )


class Statistic:
    """
    Mann and Whitney's statistic in standard deviations, of ``ours`` moved down by some shift against ``theirs``.

    Above 0: ours still lies above. It falls as the shift grows, in steps, at each difference of two points.
    """

    def __init__(self, ours: Sequence[float], theirs: Sequence[float]) -> None:
        self.ours, self.theirs = ours, sorted(theirs)
        self._counts = Counter(theirs)
        self._tied = sum(map(_ties, self._counts.values()))

    def __call__(self, by: float) -> float:
        moved, theirs = [one - by for one in self.ours], self.theirs
        below = sum([bisect_left(theirs, one) + bisect_right(theirs, one) for one in moved]) / 2.0
        excess = below - len(moved) * len(theirs) / 2.0
        return (excess - math.copysign(0.5, excess) * (excess != 0)) / self._deviation(moved)

    def _deviation(self, moved: Sequence[float]) -> float:
        """Give the standard deviation under "no shift", smaller by what points of the same value take away."""
        m, n = len(moved), len(self.theirs)
        tied = self._tied
        for value, count in Counter(moved).items():
            theirs = self._counts.get(value, 0)
            tied += _ties(count + theirs) - _ties(theirs)
        return math.sqrt(m * n / 12.0 * (m + n + 1 - tied / ((m + n) * (m + n - 1))))


def _ties(count: int) -> int:
    return count**3 - count
