"""Two sides' counts turned into one number each for errors and latency, whose sum is compared with its variance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.canary_bench.samples import Counters


@dataclass(frozen=True, slots=True)
class Score:
    """By how much the candidate has more than its share of what both sides have, and the variance of that."""

    excess: float
    variance: float


def errors(candidate: Counters, stable: Counters) -> Score:
    """Compare errors, as if each request failed by itself."""
    m, n = candidate.requests, stable.requests
    if m <= 0 or n <= 0:
        return Score(0.0, 0.0)
    both = (candidate.errors + stable.errors) / (m + n)
    return Score(candidate.errors - m * both, m * n / (m + n) * both * (1.0 - both))


def latency(candidate: Counters, stable: Counters) -> Score:
    """Compare latencies by mid-ranks of buckets, as if each request were slow by itself; Wilcoxon's test with ties."""
    m, n = candidate.requests, stable.requests
    if m <= 0 or n <= 0:
        return Score(0.0, 0.0)
    ours, theirs = apart(candidate.buckets), apart(stable.buckets)
    below, excess, square = 0.0, 0.0, 0.0
    for mine, its in zip(ours, theirs, strict=True):
        rank = (below + (mine + its) / 2.0) / (m + n) - 0.5
        excess += rank * mine
        square += rank * rank * (mine + its)
        below += mine + its
    return Score(excess, m * n / (m + n) * square / (m + n))


def apart(upto: Sequence[float]) -> list[float]:
    """Give each bucket's own requests."""
    return [upper - lower for lower, upper in zip((0.0, *upto), upto, strict=False)]
