"""
Are the candidate's requests slower? Scores of latency buckets, and the difference of two sides that share a tick.

A bucket's score says how far up in the common distribution it stands; edges in seconds do not matter, so that a fast
and a slow service are judged alike. Savage's score grows like the logarithm of how rare something is: it sees a slow
tail of two per cent as well as a shift of everything.

Sources: Savage, "Contributions to the theory of rank order statistics" (1956); Hájek and Šidák, "Theory of Rank Tests".
"""

from __future__ import annotations

import math
from collections.abc import Sequence


def savage(pooled: Sequence[float]) -> tuple[float, ...]:
    """
    Score each bucket by the mean of ``-log(survival)`` over it, less one: 0 on average over ``pooled``.

    :param pooled: requests in each bucket of both sides together, lowest edge first; empty ones score between
        their neighbours.
    """
    total = sum(pooled)
    if total <= 0:
        return (0.0,) * len(pooled)
    above, scores = total, []
    for count in pooled:
        scores.append(_mean_score(above / total, (above - count) / total) - 1.0)
        above -= count
    return tuple(scores)


def _mean_score(upper: float, lower: float) -> float:
    """Integrate ``-log(u)`` from ``lower`` to ``upper``, by its length; at a point, the point's own value."""
    if upper - lower < 1e-12:
        return -math.log(max(upper, 1e-12))
    return (_integral(upper) - _integral(max(0.0, lower))) / (upper - lower)


def _integral(u: float) -> float:
    return u - u * math.log(u) if u > 0 else 0.0


def contrast(
    candidate: Sequence[float], stable: Sequence[float], scores: Sequence[float]
) -> tuple[float, float]:
    """
    Give by how much the candidate's scores exceed its share of the tick's, and the variance of that.

    Whatever made the whole service slower within the tick is in both, and cancels.

    :param candidate: requests in each bucket. :param stable: the same.
    :returns: (0, 0) when one side had no requests.
    """
    m, n = sum(candidate), sum(stable)
    if m <= 0 or n <= 0:
        return 0.0, 0.0
    both = [one + other for one, other in zip(candidate, stable, strict=True)]
    mean = sum(count * score for count, score in zip(both, scores, strict=True)) / (m + n)
    spread = sum(count * (score - mean) ** 2 for count, score in zip(both, scores, strict=True))
    ours = sum(count * (score - mean) for count, score in zip(candidate, scores, strict=True))
    return ours, m * n / (m + n) / max(1.0, m + n - 1.0) * spread
