"""
The door: what a judge is given, and what it may say.

A judge sees counters only, as a scrape of a metrics server sees them. It is not told which family or regression it
looks at, nor what is true.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol, TypeVar

EDGES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, math.inf)
"""Upper ends of the latency buckets in seconds: the 14 that Prometheus' Python client has by default, and the last."""

HORIZON_S = 1800.0
"""How long one run lasts; a judge that has said nothing by then is INCONCLUSIVE."""

Verdict = Literal["FAIL", "PASS", "INCONCLUSIVE", "TRIP"]


class Counters(NamedTuple):
    """
    One pod's counters at one scrape: totals since its process began, so that they fall when it restarts.

    ``buckets``: requests up to each of ``EDGES``, so that the last is all of them.
    """

    requests: float
    errors: float
    buckets: tuple[float, ...]


NONE = Counters(0.0, 0.0, (0.0,) * len(EDGES))


def plus(one: Counters, other: Counters) -> Counters:
    """Add two pods' counters."""
    buckets = tuple([mine + its for mine, its in zip(one.buckets, other.buckets, strict=True)])
    return Counters(one.requests + other.requests, one.errors + other.errors, buckets)


def minus(one: Counters, other: Counters) -> Counters:
    """Give what happened between two scrapes of one process."""
    buckets = tuple([mine - its for mine, its in zip(one.buckets, other.buckets, strict=True)])
    return Counters(one.requests - other.requests, one.errors - other.errors, buckets)


@dataclass(frozen=True, slots=True)
class Samples:
    """
    One scrape of all pods.

    :param at: seconds since the candidate took traffic; below 0 is history: what stable's pods did before.
    :param candidate: pod → its counters; a pod whose scrape was lost is missing. :param stable: the same.
        The first scrape, at 0, has the counters before any request of the candidate.
    """

    at: float
    candidate: Mapping[str, Counters]
    stable: Mapping[str, Counters]


@dataclass(frozen=True, slots=True)
class Setting:
    """
    What whoever configures a judge knows beforehand.

    :param interval_s: between two scrapes. :param max_s: when the canary ends.
    :param min_s: before which nothing may be passed; 0 leaves it to the judge.
    """

    interval_s: float = 5.0
    max_s: float = HORIZON_S
    min_s: float = 0.0


class Look(Protocol):
    """What is shown at one look, such as a scrape; ``at``: seconds since the candidate took traffic."""

    @property
    def at(self) -> float: ...


Shown = TypeVar("Shown", bound=Look)
Given = TypeVar("Given", bound=Look, covariant=True)
Taken = TypeVar("Taken", contravariant=True)


class Judge(Protocol[Taken]):
    """Looks at one canary, scrape by scrape; each run has one of its own."""

    def step(self, samples: Taken, /) -> Verdict | None:
        """
        Look once more; None says that it is too early to tell.

        TRIP takes the candidate off traffic for 30 s, once; a second one is a FAIL. After PASS the judge goes on being
        asked, since a candidate may turn bad later; after FAIL or INCONCLUSIVE the canary is over.
        """
        ...


class Feed(Protocol[Given]):
    """Shows one run to one judge, look by look."""

    def __iter__(self) -> Iterator[Given]: ...

    def leave(self, away_s: float) -> None:
        """Take the candidate off traffic from this look on, for so many seconds."""
        ...


Maker = Callable[[Setting], Judge[Samples]]
