"""Ticks made by hand: whole requests and errors, dealt out evenly; latencies of a log-normal with a p99 of 306 ms."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import cache
from statistics import NormalDist

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.past import Past, look_back
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.verdict import Judged

EDGES = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0, math.inf)
MEDIAN_S, SIGMA = 0.06, 0.7
HALF_HOUR_S = 1800.0

At = Callable[[float], float] | float  # a number, or what gives it for the second of the canary


def value(of: At, at: float) -> float:
    return of(at) if callable(of) else of


@cache
def beyond(edge: float, slower: float = 1.0) -> float:
    """Give the exact share of requests that take longer than ``edge`` when all take ``slower`` times as long."""
    return (
        1.0 - NormalDist(math.log(MEDIAN_S * slower), SIGMA).cdf(math.log(edge)) if edge < math.inf else 0.0
    )


@cache
def buckets(requests: float, slower: float = 1.0, edges: tuple[float, ...] = EDGES) -> tuple[float, ...]:
    """Deal requests out to latency buckets, in fractions: without chance in them."""
    upto = [1.0, *(beyond(edge, slower) for edge in edges)]
    return tuple(requests * max(0.0, more - less) for more, less in zip(upto, upto[1:], strict=False))


def all_in(bucket: int, requests: int) -> Counts:
    """Give requests that are all as fast as each other, and do not fail."""
    return Counts(requests, 0, tuple(float(requests * (one == bucket)) for one in range(len(EDGES))))


class Pod:
    """One pod: so many requests a second, of which such a share fails, so many times as slow as usual."""

    def __init__(
        self, per_second: At, share: At = 0.0, slower: At = 1.0, *, edges: tuple[float, ...] = EDGES
    ) -> None:
        self.per_second, self.share, self.slower, self.edges = per_second, share, slower, edges
        self._owed = [0.5, 0.5]

    def counts(self, at: float, span_s: float) -> Counts:
        requests = self._dealt(0, value(self.per_second, at) * span_s)
        errors = min(requests, self._dealt(1, requests * value(self.share, at)))
        return Counts(requests, errors, buckets(requests, value(self.slower, at), self.edges))

    def _dealt(self, which: int, amount: float) -> float:
        owed = self._owed[which] + amount
        self._owed[which] = owed - math.floor(owed)
        return float(math.floor(owed))


def pods(
    number: int, per_second: At, share: At = 0.0, slower: At = 1.0, *, edges: tuple[float, ...] = EDGES
) -> list[Pod]:
    """Give pods alike, out of step with each other so that their errors do not meet in one tick."""
    found = [Pod(per_second, share, slower, edges=edges) for _ in range(number)]
    for count, pod in enumerate(found):
        pod._owed[1] = (count + 0.5) / number
    return found


def canary(
    candidate: Sequence[Pod],
    stable: Sequence[Pod],
    *,
    upto_s: float = HALF_HOUR_S,
    span_s: float = 5.0,
    edges: tuple[float, ...] = EDGES,
) -> list[Tick]:
    """Give the ticks of one canary; a pod that had no requests is in them all the same."""
    found = []
    for number in range(1, round(upto_s / span_s) + 1):
        at = number * span_s
        ours = {f"c{count}": pod.counts(at, span_s) for count, pod in enumerate(candidate)}
        theirs = {f"s{count}": pod.counts(at, span_s) for count, pod in enumerate(stable)}
        found.append(Tick(at, span_s, ours, theirs, edges))
    return found


def usual(share: float = 0.001, *, per_second: float = 10.0, number: int = 3) -> Past:
    """Give the past of a calm hour."""
    stable = pods(number, per_second, share)
    return look_back([replace(tick, candidate={}) for tick in canary([], stable, upto_s=3600.0)])


def verdicts(
    ticks: Iterable[Tick], settings: JudgeSettings | None = None, past: Past | None = None
) -> list[Judged]:
    """Give every verdict of a run."""
    judge = Judge(settings or JudgeSettings(), past=past)
    return [found for tick in ticks if (found := judge.step(tick))]


def kinds(
    ticks: Iterable[Tick], settings: JudgeSettings | None = None, past: Past | None = None
) -> list[str]:
    """Give every verdict of a run in a word or two: ``FAIL clear errors``, ``INCONCLUSIVE one pod``."""
    return [f"{one.kind} {one.lane or one.reason}".strip() for one in verdicts(ticks, settings, past)]
