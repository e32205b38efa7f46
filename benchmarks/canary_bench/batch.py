"""Many runs of one cell as arrays of what happened in each tick: for judges that look at all of them at once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.canary_bench.family import Family
from benchmarks.canary_bench.generate import counters
from benchmarks.canary_bench.regressions import Regression
from benchmarks.canary_bench.scrape import Counted

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Batch:
    """
    Some runs of one family and regression: differences of counters, run × tick × pod × (errors, latency buckets).

    A scrape that was lost shows nothing; what happened meanwhile is in the pod's next tick.

    :param interval_s: seconds in a tick. :param past: of stable before, in ticks as long; run × 0 × … without history.
    """

    interval_s: float
    candidate: Floats
    stable: Floats
    past: Floats


def batch(family: Family, regression: Regression, *, seed: int, runs: range, history_s: float = 0.0) -> Batch:
    """Make the same runs that :func:`~benchmarks.canary_bench.generate.generate` makes, as arrays."""
    made = [counters(family, regression, seed=seed, run=run, history_s=history_s) for run in runs]
    candidate, stable, past = [], [], []
    for live, old in made:
        done = differences(live)
        candidate.append(done[:, live.pods.is_candidate])
        stable.append(done[:, ~live.pods.is_candidate])
        past.append(differences(old) if old is not None else done[:0, ~live.pods.is_candidate])
    return Batch(family.interval_s, np.stack(candidate), np.stack(stable), np.stack(past))


def differences(seen: Counted) -> Floats:
    """Give tick × pod × (errors, buckets) from what was scraped; a counter that fell began anew at 0."""
    known, shown = last_kept(seen.kept)
    totals = np.take_along_axis(seen.totals, known[..., None], axis=0)
    before, after = totals[:-1], totals[1:]
    fell = after[..., -1:] < before[..., -1:]
    steps = np.where(fell, after, after - before)
    steps *= (shown[:-1] & shown[1:])[..., None]
    steps[..., 1:] = np.diff(steps[..., 1:], axis=-1, prepend=0.0)
    return steps.astype(np.float32)


def last_kept(kept: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Give, for each scrape and pod, the last one that was not lost, and whether there was one."""
    number = np.arange(len(kept))[:, None]
    known = np.maximum.accumulate(np.where(kept, number, -1), axis=0)
    return np.maximum(known, 0), known >= 0


def in_ticks_of(steps: Floats, *, times: int) -> Floats:
    """Put every ``times`` ticks of run × tick × … together; what is left over at the start is left out."""
    whole = math.floor(steps.shape[1] / times)
    kept = steps[:, steps.shape[1] - whole * times :]
    summed: Floats = kept.reshape(len(steps), whole, times, *steps.shape[2:]).sum(axis=2)
    return summed
