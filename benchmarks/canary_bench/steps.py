"""What happened between two scrapes, as arrays: for a judge that takes differences, not counters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.canary_bench.samples import EDGES
from benchmarks.canary_bench.scrape import Counted
from benchmarks.canary_bench.surroundings import Array, Pods
from cd_provider.core.judge.counts import Counts, Tick

AT_ONCE = 50
"""Ticks that are made before the first of them is asked for; most bad runs are over soon."""


@dataclass(frozen=True)
class Steps:
    """
    What each pod did before each scrape; nothing before the first, where a reader begins.

    :param ends: of the ticks. :param done: tick × pod × (requests, errors, latency buckets), buckets not cumulative.
    :param there: tick × pod: whether the pod was scraped then, and at some time before.
    """

    pods: Pods
    ends: Array
    span_s: float
    done: Array
    there: NDArray[np.bool_]

    @property
    def bare(self) -> Steps:
        """The same without latency buckets."""
        return replace(self, done=self.done[..., :2])

    def ticks(self) -> Iterator[Tick]:
        """Give them one by one."""
        pods = [(name, bool(its)) for name, its in zip(self.pods.names, self.pods.is_candidate, strict=True)]
        for first in range(0, len(self.ends), AT_ONCE):
            rows = slice(first, first + AT_ONCE)
            parts = (self.ends[rows].tolist(), self.done[rows].tolist(), self.there[rows].tolist())
            for at, row, there in zip(*parts, strict=True):
                yield Tick(at, self.span_s, *sides(pods, row, there), EDGES)


def sides(
    pods: list[tuple[str, bool]], row: list[list[float]], there: list[bool]
) -> tuple[dict[str, Counts], dict[str, Counts]]:
    """Give what (candidate, stable) did in one tick; of each pod it is known whether it is the candidate's."""
    candidate: dict[str, Counts] = {}
    stable: dict[str, Counts] = {}
    for (name, its), done, is_there in zip(pods, row, there, strict=True):
        if is_there:
            (candidate if its else stable)[name] = Counts(done[0], done[1], tuple(done[2:]))
    return candidate, stable


def steps(seen: Counted) -> Steps:
    """
    Take the differences; what a lost scrape did not show, the next one does.

    A counter that fell began anew at 0. So did one whose part fell: buckets show a restart after which there were more
    requests than before.
    """
    known, shown = last_kept(seen.kept)
    totals = np.take_along_axis(seen.totals, known[..., None], axis=0)
    errors, upto = totals[..., :1], totals[..., 1:]
    counted = np.concatenate([upto[..., -1:], errors, np.diff(upto, axis=-1, prepend=0.0)], axis=-1)
    done = np.diff(counted, axis=0, prepend=counted[:1])
    done = np.where((done < 0.0).any(axis=-1, keepdims=True), counted, done)
    there = seen.kept & np.concatenate([np.zeros_like(shown[:1]), shown[:-1]])
    done *= there[..., None]
    return Steps(seen.pods, seen.at, seen.interval_s, done, there)


def last_kept(kept: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give, for each scrape and pod, the last one that was not lost, and whether there was one."""
    number = np.arange(len(kept))[:, None]
    known = np.maximum.accumulate(np.where(kept, number, -1), axis=0)
    return np.maximum(known, 0), known >= 0


def coarse(fine: Steps, span_s: float) -> Steps:
    """Put ticks together, as many as fit into ``span_s``; what is left over at the start is left out."""
    times = max(1, round(span_s / fine.span_s))
    count = len(fine.ends) // times
    skipped = len(fine.ends) - count * times
    done = fine.done[skipped:].reshape(count, times, *fine.done.shape[1:]).sum(axis=1)
    there = np.logical_or.reduce(fine.there[skipped:].reshape(count, times, -1), axis=1)
    ends = fine.ends[skipped + times - 1 :: times]
    return Steps(fine.pods, ends, times * fine.span_s, done, there)
