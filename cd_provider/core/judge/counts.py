"""What the judge sees: what pods did between two reads of their counters."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, zip_longest
from operator import add, sub

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
        if len(self.slow) != len(other.slow):
            return together((self, other))
        slow = tuple(map(add, self.slow, other.slow))
        return Counts(self.requests + other.requests, self.errors + other.errors, slow)

    def __sub__(self, other: Counts) -> Counts:
        """Take a part away; of buckets only what both have."""
        slow = tuple(map(sub, self.slow, other.slow))
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

    @property
    def bare(self) -> Tick:
        """The same without latency buckets."""
        ours, theirs = (
            {pod: one.bare for pod, one in side.items()} for side in (self.candidate, self.stable)
        )
        return replace(self, candidate=ours, stable=theirs, edges=())


def together(many: Iterable[Counts]) -> Counts:
    """Add up; of buckets as many as the longest has."""
    many = tuple(many)
    slow = tuple(map(sum, zip_longest(*(one.slow for one in many), fillvalue=0.0)))
    return Counts(sum([one.requests for one in many], 0.0), sum([one.errors for one in many], 0.0), slow)


def by_pod(many: Iterable[Mapping[str, Counts]]) -> dict[str, Counts]:
    """Add up what each pod did."""
    done = defaultdict[str, list[Counts]](list)
    for pods in many:
        for pod, one in pods.items():
            done[pod].append(one)
    return {pod: together(each) for pod, each in done.items()}


def total(pods: Mapping[str, Counts]) -> Counts:
    """Add up a side."""
    return together(pods.values())


def bare(pods: Mapping[str, Counts]) -> Counts:
    """Add up a side without its latency buckets."""
    every = pods.values()
    return Counts(sum([one.requests for one in every], 0.0), sum([one.errors for one in every], 0.0))


def check(*ticks: Tick) -> None:
    """
    Refuse what no counter can do.

    :raises ArgumentError: a count is no number, or below 0.
    """
    if _may_be([done for tick in ticks for pods in (tick.candidate, tick.stable) for done in pods.values()]):
        return
    for tick in ticks:
        for side, pods in (("candidate", tick.candidate), ("stable", tick.stable)):
            for pod, done in pods.items():
                for what, count in _named(done):
                    if not 0.0 <= count < math.inf:
                        raise ArgumentError(
                            f"{side} pod {pod} at {tick.at:g}: saw {count:g} {what}, expected 0 or more."
                        )


def _may_be(many: Sequence[Counts]) -> bool:
    """Say at little cost that nothing is wrong; a sum is finite only if all of it is, and no NaN is in it."""
    counts = [one.requests for one in many] + [one.errors for one in many]
    counts += chain.from_iterable([one.slow for one in many])
    return min(counts, default=0.0) >= 0.0 and sum(counts) < math.inf


def _named(done: Counts) -> Iterator[tuple[str, float]]:
    yield "requests", done.requests
    yield "errors", done.errors
    for count in done.slow:
        yield "requests in a latency bucket", count
