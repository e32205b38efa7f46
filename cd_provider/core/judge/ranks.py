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
from operator import mul
from typing import NamedTuple


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


def score_of(buckets: Sequence[float], scores: Sequence[float]) -> float:
    """Add up the scores of all requests."""
    found: float = sum(map(mul, buckets, scores))
    return found


def variance_of(buckets: Sequence[float], scores: Sequence[float]) -> float:
    """Give the variance of one request's score; 0 without a request."""
    whole = sum(buckets)
    if whole <= 0:
        return 0.0
    mean = score_of(buckets, scores) / whole
    return sum([count * (score - mean) ** 2 for count, score in zip(buckets, scores, strict=False)]) / whole


class Contrast(NamedTuple):
    """By how much the candidate's scores exceed its share of the tick's, and the weight of that."""

    excess: float = 0.0
    weight: float = 0.0


def contrast(candidate: tuple[float, float], stable: tuple[float, float]) -> Contrast:
    """
    Compare two sides within a tick: whatever made the whole service slower in it is in both, and cancels.

    :param candidate: its requests, and the sum of their scores. :param stable: the same.
    :returns: nothing when one side had no requests. Were the tick's requests dealt out at random, the variance of the
        excess would be the weight times that of one request's score, but for a part of one in as many requests.
    """
    (m, ours), (n, theirs) = candidate, stable
    if m <= 0 or n <= 0:
        return Contrast()
    weight = m * n / (m + n)
    return Contrast(weight * (ours / m - theirs / n), weight)
