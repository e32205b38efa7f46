"""By how much one sample lies above another: the confidence interval of Mann and Whitney's test."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from statistics import NormalDist, median

from cd_provider.core.judge.kayenta.mann_whitney import LEVEL, Shift


def shift(ours: Sequence[float], theirs: Sequence[float], *, level: float = LEVEL) -> Shift:
    """
    Give the shift with its two-sided interval; normal approximation, continuity 0.5, ties within a sample corrected.

    :param ours: one number at least, as of ``theirs``. :param level: of the interval, such as 0.98.

    Seen as a function of the shift, the statistic falls at each pairwise difference; the interval ends where it
    crosses the normal quantile. With so few numbers that it never does, it ends at the outermost difference, as
    a root finder that is given those as its bounds does.

    Sources: Mann and Whitney (1947); Hollander, Wolfe and Chicken, "Nonparametric Statistical Methods", 4.3.
    """
    differences = sorted(one - other for one in ours for other in theirs)
    z, sigma = NormalDist().inv_cdf(0.5 + level / 2.0), deviation(ours, theirs)
    half = len(differences) / 2.0
    beyond = math.floor(half - 0.5 - z * sigma) + 1
    index = min(max(beyond, 1), math.ceil(half)) - 1
    return Shift(median(differences), differences[index], differences[-1 - index])


def deviation(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Give the statistic's standard deviation under "no shift"; of two constant samples as if they had no ties."""
    m, n = len(ours), len(theirs)
    total = m + n
    if len(set(ours)) == len(set(theirs)) == 1:
        return math.sqrt(m * n * (total + 1) / 12.0)
    ties = [count for sample in (ours, theirs) for count in Counter(sample).values()]
    tied = sum(count**3 - count for count in ties) / (total * (total - 1))
    return math.sqrt(m * n / 12.0 * (total + 1 - tied))
