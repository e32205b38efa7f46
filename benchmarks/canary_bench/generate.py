"""
One run: what a metrics server sees of a simulated canary.

The same seed gives the same bytes, on every machine with the same numpy: PCG64, seeded with (seed, family, regression,
run), and no other randomness. History has a stream of its own, so that asking for it changes nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from benchmarks.canary_bench.family import Family, Retries
from benchmarks.canary_bench.regressions import HEALTHY, Regression
from benchmarks.canary_bench.samples import EDGES, HORIZON_S, Samples
from benchmarks.canary_bench.scrape import Counted, Done, before, count, keep, restart, restarts, scrapes
from benchmarks.canary_bench.surroundings import Array, Conditions, Pods, Rng, conditions, lasting

_GRID = np.linspace(-8.0, 8.0, 16_001)
_NORMAL = np.array([NormalDist().cdf(float(z)) for z in _GRID])
_LOG_EDGES = np.log(EDGES[:-1])
HISTORY_PODS = 6


@dataclass(frozen=True)
class Record:
    """
    What was counted in one run, from the second on in which the candidate takes traffic.

    :param past: what stable counted before; None: nobody asked.
    """

    live: Counted
    past: Counted | None

    @property
    def before(self) -> Counted | None:
        """The past without its last moment, with which the run begins."""
        return self.past and self.past.until(-self.past.interval_s)

    def scrapes(self, history_s: float = 0.0) -> Iterator[Samples]:
        """Give them, oldest first, with so many seconds of those before."""
        if history_s and self.before:
            yield from (one for one in scrapes(self.before) if one.at >= -history_s)
        yield from scrapes(self.live)


def generate(
    family: Family, regression: Regression, *, seed: int, run: int, history_s: float = 0.0
) -> list[Samples]:
    """
    Give the scrapes of one run, oldest first.

    :param history_s: seconds of stable alone before; a fresh baseline's history is of other pods than its own.
    """
    return list(record(family, regression, seed=seed, run=run, history_s=history_s).scrapes(history_s))


def record(family: Family, regression: Regression, *, seed: int, run: int, history_s: float = 0.0) -> Record:
    """Give what :func:`generate` scrapes."""
    seeds = np.random.SeedSequence([seed, family.number, regression.number, run]).spawn(2)
    live, past = (np.random.Generator(np.random.PCG64(one)) for one in seeds)
    pods = make_pods(live, family)
    ends = grid(family.interval_s, 1, math.floor(HORIZON_S / family.interval_s))
    totals = count(happen(live, family, regression, pods, ends))
    begun_anew = restarts(live, family, totals.shape[:2])
    totals += before(live, family, pods, totals)
    restart(totals, begun_anew)
    seen = Counted(pods, family.interval_s, begun(ends), totals, keep(live, family, totals))
    return Record(seen, history(past, family, pods, totals[0], history_s) if history_s else None)


def grid(interval_s: float, first: int, last: int) -> Array:
    """Give the ends of the ticks from ``first`` to ``last``; tick 1 begins when the candidate takes traffic."""
    return np.array([interval_s * tick for tick in range(first, last + 1)])


def begun(ends: Array) -> Array:
    """Give when it is scraped: at the end of each tick, and when the first one begins."""
    return np.concatenate([2.0 * ends[:1] - ends[1:2], ends])


def make_pods(rng: Rng, family: Family) -> Pods:
    """Name the pods, and draw what stays of each."""
    of_candidate = [f"candidate-{number}" for number in range(family.candidate_pods)]
    of_stable = [f"stable-{number}" for number in range(family.stable_pods)]
    is_candidate = np.array([True] * len(of_candidate) + [False] * len(of_stable))
    young = is_candidate | family.fresh
    return Pods((*of_candidate, *of_stable), is_candidate, young, lasting(rng, family, len(is_candidate)))


def history(rng: Rng, family: Family, pods: Pods, upto: Array, history_s: float) -> Counted:
    """
    Give what stable did before the candidate was there: its own pods, or those that a fresh baseline is beside.

    Its own have not begun anew in that time: what they stand at afterwards has been counted for hours.

    :param upto: what the counters of ``pods`` stand at when the candidate takes traffic.
    """
    old = old_pods(rng, family, pods)
    ticks = math.floor(history_s / family.interval_s)
    ends = grid(family.interval_s, 1 - ticks, 0)
    totals = count(happen(rng, family, HEALTHY, old, ends))
    if family.fresh:
        restart(totals, restarts(rng, family, totals.shape[:2]))
    else:
        totals += upto[~pods.is_candidate] - totals[-1]
    return Counted(old, family.interval_s, begun(ends), totals, keep(rng, family, totals))


def old_pods(rng: Rng, family: Family, pods: Pods) -> Pods:
    if family.fresh:
        names = tuple(f"old-{number}" for number in range(HISTORY_PODS))
        levels = lasting(rng, family, HISTORY_PODS)
    else:
        names = tuple(name for name, its in zip(pods.names, pods.is_candidate, strict=True) if not its)
        levels = (pods.lasting[0][~pods.is_candidate], pods.lasting[1][~pods.is_candidate])
    nobody = np.zeros(len(names), dtype=np.bool_)
    return Pods(names, nobody, nobody, levels)


def happen(rng: Rng, family: Family, regression: Regression, pods: Pods, ends: Array) -> Done:
    """Draw the requests of each tick and pod."""
    found = conditions(rng, family, regression, pods, ends)
    buckets = chances(family, regression, found)
    expected = found.rate * family.interval_s
    errors = failures(rng, expected * found.errors, family.retries, family.interval_s)
    in_bucket = rng.poisson((expected * (1.0 - found.errors))[..., None] * buckets).astype(np.float64)
    failed = errors > 0
    in_bucket[failed] += rng.multinomial(errors[failed].astype(np.int64), buckets[failed])
    return Done(errors, in_bucket)


def chances(family: Family, regression: Regression, found: Conditions) -> Array:
    """Give the chance of a request to end in each latency bucket."""
    sigma = math.log(family.p99_s / family.p50_s) / NormalDist().inv_cdf(0.99)
    z = (_LOG_EDGES - math.log(family.p50_s) - np.log(found.slow)[..., None]) / sigma
    upto = np.interp(z, _GRID, _NORMAL)
    if regression.tail_share:
        slower = np.interp(z - math.log(regression.tail_times) / sigma, _GRID, _NORMAL)
        upto += (found.bad * regression.tail_share)[..., None] * (slower - upto)
    return np.diff(upto, axis=-1, prepend=0.0, append=1.0)


def failures(rng: Rng, expected: Array, retries: Retries | None, interval_s: float) -> Array:
    """
    Draw how many requests fail in each tick and pod; with retries, ``size`` at a time.

    A request's attempts are evenly spread over ``within_s``; some of them may fall into the ticks after.
    """
    if retries is None:
        return rng.poisson(expected).astype(np.float64)
    first = rng.poisson(expected / retries.size)
    errors = np.zeros(expected.shape)
    for attempt in range(retries.size):
        whole, part = divmod(attempt / max(1, retries.size - 1) * retries.within_s / interval_s, 1.0)
        later = rng.binomial(first, part)
        for made, ticks in ((first - later, int(whole)), (later, int(whole) + 1)):
            errors[ticks:] += made[: len(made) - ticks]
    return errors
