"""
What a service's own pods did in the last hour: what is usual here.

Three things are read from it: how often requests fail, how many errors come together (one request's retries are not so
many witnesses), and by how much pods of one version differ from each other, on which time scale.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

from cd_provider.core.judge.counts import Counts, Tick, bare, check, together
from cd_provider.core.judge.ranks import savage, score_of, variance_of
from cd_provider.core.judge.stretches import Minute, chunks, minutes, together_over

SCALES_S = (60.0, 300.0, 900.0)
CHUNK_S = 300.0
KEPT = 0.8  # of the blocks, those in which pods differed least: an incident is not what is usual
UNKNOWN_CLUSTER = 2.0
MOST_CLUSTER = 8.0
ENOUGH_ERRORS = 20.0
ONE_UNIT = ((0.02,) * 3, (0.001,) * 3)  # how far pods differ (errors, scores) where a single one was seen


@dataclass(frozen=True, slots=True)
class Past:
    """
    What is usual.

    :param requests: of all pods. :param errors: the same.
    :param buckets: requests in each latency bucket. :param edges: of those buckets, as a tick has them.
    :param cluster: errors that come together, 1–8. :param known: whether that was counted, not assumed.
    :param errors_differ: variance of a pod's error share relative to the mean, at each of ``SCALES_S``.
    :param scores_differ: variance of a pod's mean Savage score, the same way.
    """

    requests: float = 0.0
    errors: float = 0.0
    buckets: tuple[float, ...] = ()
    edges: tuple[float, ...] = ()
    cluster: float = UNKNOWN_CLUSTER
    known: bool = False
    errors_differ: tuple[float, ...] = ONE_UNIT[0]
    scores_differ: tuple[float, ...] = ONE_UNIT[1]

    @property
    def share(self) -> float:
        """Errors per request, 0–1."""
        return self.errors / self.requests if self.requests else 0.0


def differ(table: Sequence[float], over_s: float) -> float:
    """Give the variance for means over so many seconds, between the scales by the logarithm of time."""
    at = min(max(over_s, SCALES_S[0]), SCALES_S[-1])
    for (low, high), (before, after) in zip(pairwise(SCALES_S), pairwise(table), strict=True):
        if at <= high:
            part = math.log(at / low) / math.log(high / low)
            return before + part * (after - before)
    return table[-1]


@dataclass(slots=True)
class Residuals:
    """
    By how much pods of one side differ from their share of it, within one stretch of time.

    :param squares: of those differences. :param chance: what chance alone gives. :param scale: squares for a relative
        variance of 1.
    """

    squares: float = 0.0
    chance: float = 0.0
    scale: float = 0.0

    def __iadd__(self, other: Residuals) -> Residuals:
        self.squares += other.squares
        self.chance += other.chance
        self.scale += other.scale
        return self


def look_back(ticks: Sequence[Tick]) -> Past:
    """
    Read the ticks of stable alone, from before the candidate took traffic; none give what is assumed.

    Of latencies only what was counted in the last tick's buckets: numbers of other buckets mean something else.

    :raises ArgumentError: a count is no number, or below 0.
    """
    check(*ticks)
    edges = ticks[-1].edges if ticks else ()
    ticks = [tick if tick.edges == edges else tick.bare for tick in ticks]
    return past_of(ticks, minutes(ticks), edges)


def past_of(ticks: Sequence[Tick], added: Sequence[Minute], edges: tuple[float, ...]) -> Past:
    """
    Read what has been added up.

    :param ticks: those of a few seconds, in which errors come together; their latency buckets are not looked at.
    :param added: the same minute by minute. :param edges: of its latency buckets.
    """
    pods = {pod for minute in added for pod in minute.done}
    sums = together(one for minute in added for one in minute.done.values())
    if not sums.requests:
        return Past()
    cluster = _cluster(ticks, sums)
    if len(pods) < 2:
        return Past(
            sums.requests, sums.errors, sums.slow, edges, cluster or UNKNOWN_CLUSTER, cluster is not None
        )
    scores = savage(sums.slow)
    variance = variance_of(sums.slow, scores)
    errors, slow = [], []
    for scale_s in SCALES_S:
        blocks = list(together_over(added, scale_s))
        inflated = 1.0 + 2.0 / math.sqrt(max(1, len(blocks) * (len(pods) - 1)))
        errors.append(inflated * _usual([_errors(block) for block in blocks], cluster or UNKNOWN_CLUSTER))
        slow.append(inflated * _usual([_scores(block, scores, variance) for block in blocks], 1.0))
    return Past(
        sums.requests, sums.errors, sums.slow, edges, cluster or UNKNOWN_CLUSTER, cluster is not None,
        _falling(errors), _falling(slow) if any(sums.slow) else ONE_UNIT[1],
    )  # fmt: skip


def _cluster(ticks: Sequence[Tick], sums: Counts) -> float | None:
    """Give how many errors come together, by the median stretch of five minutes; None: too few to tell."""
    found = []
    for chunk in chunks(ticks, CHUNK_S):
        seen = Residuals()
        for tick in chunk:
            seen += residuals(tick.stable, usual=sums.error_share)
        if seen.chance > 0.5:
            found.append(seen.squares / seen.chance)
    if len(found) < 4 or sums.errors < ENOUGH_ERRORS:
        return None
    return min(MOST_CLUSTER, max(1.0, median(found)))


def residuals(pods: Mapping[str, Counts], *, usual: float) -> Residuals:
    """Compare pods' errors with each other, and a service's only pod with its own ``usual`` share."""
    if len(pods) > 1:
        return _errors(pods)
    done = bare(pods)
    expected = usual * done.requests
    return Residuals((done.errors - expected) ** 2, expected)


def _errors(pods: Mapping[str, Counts]) -> Residuals:
    whole = bare(pods)
    if not whole.errors or not whole.requests:
        return Residuals()
    found = Residuals()
    for one in pods.values():
        part = one.requests / whole.requests
        expected = whole.errors * part
        found += Residuals((one.errors - expected) ** 2, expected * (1.0 - part), _own(expected, len(pods)))
    return found


def _scores(pods: Mapping[str, Counts], scores: Sequence[float], variance: float) -> Residuals:
    counts = {pod: sum(one.slow) for pod, one in pods.items()}
    sums = {pod: score_of(one.slow, scores) for pod, one in pods.items()}
    requests, together = sum(counts.values()), sum(sums.values())
    if not requests:
        return Residuals()
    found = Residuals()
    for pod, count in counts.items():
        part = count / requests
        off = sums[pod] - part * together
        found += Residuals(off * off, count * (1.0 - part) * variance, _own(count, len(pods)))
    return found


def _own(count: float, pods: int) -> float:
    return count * count * (1.0 - 1.0 / pods)


def _usual(blocks: Sequence[Residuals], cluster: float) -> float:
    """Give the variance beyond chance in the blocks in which pods differed least, 0–1."""

    def excess(one: Residuals) -> float:
        return one.squares - cluster * one.chance

    ranked = sorted(blocks, key=lambda one: excess(one) / max(one.scale, 1e-9))
    kept = ranked[: max(1, round(len(ranked) * KEPT))]
    scale = sum(one.scale for one in kept)
    return min(1.0, max(0.0, sum(map(excess, kept)) / scale)) if scale else 0.0


def _falling(values: Iterable[float]) -> tuple[float, ...]:
    """Let no longer stretch differ more than a shorter one."""
    found: list[float] = []
    for value in values:
        found.append(min([value, *found]))
    return tuple(found)
