"""From what happened in each tick to counters as they are scraped: totals, restarts, lost scrapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from benchmarks.canary_bench.family import Family
from benchmarks.canary_bench.samples import Counters, Samples
from benchmarks.canary_bench.surroundings import Array, Pods, Rng

AT_ONCE = 50  # scrapes that are made before the first of them is asked for
OLD_S = (7_200.0, 86_400.0)
"""An old pod has counted for two hours to a day before the candidate takes traffic."""


@dataclass(frozen=True)
class Done:
    """What pods did, tick × pod: ``errors``, and ``in_bucket``: all requests, tick × pod × latency bucket."""

    errors: Array
    in_bucket: Array


def count(done: Done) -> Array:
    """Give the counters, scrape × pod × (errors, buckets): 0 when the first tick begins, then at the end of each."""
    counted = np.concatenate([done.errors[..., None], np.cumsum(done.in_bucket, axis=-1)], axis=-1)
    return np.concatenate([np.zeros_like(counted[:1]), np.cumsum(counted, axis=0)])


@dataclass(frozen=True)
class Counted:
    """
    The counters of one run.

    :param at: second of each scrape, ``interval_s`` from the one before.
    :param totals: scrape × pod × (errors, cumulative buckets).
    :param kept: scrape × pod: false where it was lost.
    """

    pods: Pods
    interval_s: float
    at: Array
    totals: Array
    kept: NDArray[np.bool_]

    def until(self, at: float) -> Counted:
        """Leave out what was scraped after this second."""
        count = int((self.at <= at).sum())
        return replace(self, at=self.at[:count], totals=self.totals[:count], kept=self.kept[:count])


def keep(rng: Rng, family: Family, totals: Array) -> NDArray[np.bool_]:
    """Draw which scrapes are not lost."""
    kept: NDArray[np.bool_] = rng.random(totals.shape[:2]) >= family.lost
    return kept


def scrapes(counted: Counted) -> Iterator[Samples]:
    """Turn counters into scrapes, some of which were lost."""
    for first in range(0, len(counted.at), AT_ONCE):
        rows = slice(first, first + AT_ONCE)
        parts = (counted.at[rows].tolist(), counted.totals[rows].tolist(), counted.kept[rows].tolist())
        for when, row, there in zip(*parts, strict=True):
            yield Samples(when, *sides(counted.pods, row, there))


def sides(
    pods: Pods, row: list[list[float]], keep: list[bool]
) -> tuple[dict[str, Counters], dict[str, Counters]]:
    """Give one scrape's counters of (candidate, stable)."""
    both: tuple[dict[str, Counters], dict[str, Counters]] = ({}, {})
    for name, its, (errors, *buckets), there in zip(pods.names, pods.is_candidate, row, keep, strict=True):
        if there:
            both[0 if its else 1][name] = Counters(buckets[-1], errors, tuple(buckets))
    return both


def before(rng: Rng, family: Family, pods: Pods, totals: Array) -> Array:
    """Give what each pod's counters stand at before the first tick, pod × (errors, buckets): 0 of a young one."""
    age_s = np.where(pods.young, 0.0, rng.uniform(*OLD_S, len(pods.names)))
    each_s = totals[-1] / (family.interval_s * (len(totals) - 1))
    start: Array = np.floor(each_s * age_s[:, None])
    return start


def restarts(rng: Rng, family: Family, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Draw with which scrapes each pod's process has begun anew."""
    if not family.restarts_per_h:
        return np.zeros(shape, dtype=np.bool_)
    begun: NDArray[np.bool_] = rng.random(shape) < family.restarts_per_h * family.interval_s / 3600.0
    return begun


def restart(totals: Array, begun: NDArray[np.bool_]) -> None:
    """Let counters start from 0 where a process has begun anew."""
    for tick, pod in np.argwhere(begun[1:]):
        totals[tick + 1 :, pod] -= totals[tick, pod].copy()
