"""What the judge sees: what pods did between two reads of their counters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cd_provider.exceptions import ArgumentError


@dataclass(frozen=True, slots=True)
class Counts:
    """
    What one pod, or several, did in a stretch of time: differences of counters, never totals.

    :param slow: requests in each latency bucket, not cumulative, in the order of the edges; empty when unknown.
    """

    requests: float = 0.0
    errors: float = 0.0
    slow: tuple[float, ...] = ()

    def __add__(self, other: Counts) -> Counts:
        longer, shorter = sorted((self.slow, other.slow), key=len, reverse=True)
        padded = shorter + (0.0,) * (len(longer) - len(shorter))
        slow = tuple(one + two for one, two in zip(longer, padded, strict=True))
        return Counts(self.requests + other.requests, self.errors + other.errors, slow)

    def __sub__(self, other: Counts) -> Counts:
        """Take a part away; of buckets only what both have."""
        slow = tuple(one - two for one, two in zip(self.slow, other.slow, strict=False))
        return Counts(self.requests - other.requests, self.errors - other.errors, slow)

    @property
    def bare(self) -> Counts:
        """The same without its latency buckets."""
        return Counts(self.requests, self.errors)

    @property
    def error_share(self) -> float:
        """Errors per request, 0–1; 0 where nothing was asked."""
        return self.errors / self.requests if self.requests else 0.0


@dataclass(frozen=True, slots=True)
class Tick:
    """
    One step of the record: what each pod did in the ``span_s`` seconds before ``at`` (the samples' own clock).

    :param candidate: pod → what it did; a pod without a sample is not in it. :param stable: the same.
    :param edges: of the latency buckets, in seconds; only those that every pod has.
    """

    at: float
    span_s: float
    candidate: Mapping[str, Counts] = field(default_factory=dict)
    stable: Mapping[str, Counts] = field(default_factory=dict)
    edges: tuple[float, ...] = ()


def total(pods: Mapping[str, Counts]) -> Counts:
    """Add up a side."""
    return sum(pods.values(), Counts())


def check(tick: Tick) -> None:
    """
    Refuse what no counter can do.

    :raises ArgumentError: a count is no number, or below 0.
    """
    for side, pods in (("candidate", tick.candidate), ("stable", tick.stable)):
        for pod, done in pods.items():
            for what, count in (("requests", done.requests), ("errors", done.errors), *_bucketed(done.slow)):
                if not 0.0 <= count < math.inf:
                    raise ArgumentError(
                        f"{side} pod {pod} at {tick.at:g}: saw {count:g} {what}, expected 0 or more."
                    )


def _bucketed(slow: Sequence[float]) -> Iterator[tuple[str, float]]:
    return (("requests in a latency bucket", count) for count in slow)
