"""What befalls the pods of one run: noise, common shocks, incidents, youth, and what is wrong with the candidate."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from benchmarks.canary_bench.family import Common, Family, Incident
from benchmarks.canary_bench.regressions import Regression

Array = NDArray[np.float64]
Rng = np.random.Generator


@dataclass(frozen=True)
class Pods:
    """
    The pods of one run, the candidate's first.

    :param lasting: (errors, latency) factor of each that stays as long as it lives. :param young: which started with
        the candidate.
    """

    names: tuple[str, ...]
    is_candidate: NDArray[np.bool_]
    young: NDArray[np.bool_]
    lasting: tuple[Array, Array]


@dataclass(frozen=True)
class Conditions:
    """
    What pods live in: a row for each tick, a column for each pod.

    :param rate: requests per second. :param errors: share of them that fail, 0–1. :param slow: factor of every latency.
    :param bad: share of the tick, 0–1, in which the candidate's regression was there; 0 at stable's pods.
    """

    rate: Array
    errors: Array
    slow: Array
    bad: Array


def lasting(rng: Rng, family: Family, count: int) -> tuple[Array, Array]:
    """Draw what stays of each pod."""
    noise = family.pod
    return lognormal(rng.standard_normal(count), noise.errors_lasting), lognormal(
        rng.standard_normal(count), noise.slow_lasting
    )


def lognormal(normal: Array, sd: float) -> Array:
    """Make a factor with mean 1 out of standard normal numbers."""
    return np.exp(sd * normal - sd * sd / 2.0)


def wander(rng: Rng, ticks: int, width: int, *, corr: float) -> Array:
    """
    Draw stationary standard normal rows, each correlated with the one before.

    :param corr: ticks after which the correlation has fallen to 1/e.
    """
    kept = math.exp(-1.0 / corr)
    rows = rng.standard_normal((ticks, width))
    rows[1:] *= math.sqrt(1.0 - kept * kept)
    # plain Python: a step of numpy for each row would cost ten times as much
    columns = [accumulate(column, lambda before, new: new + kept * before) for column in rows.T.tolist()]
    return np.array(list(zip(*columns, strict=True)))


def conditions(rng: Rng, family: Family, regression: Regression, pods: Pods, ends: Array) -> Conditions:
    """
    Draw one run's.

    :param ends: when each tick ends, in seconds since the candidate took traffic.
    """
    shape, noise = (len(ends), len(pods.names)), family.pod
    corr = noise.corr_s / family.interval_s
    errors = family.errors * pods.lasting[0] * np.ones(shape)
    slow = pods.lasting[1] * np.ones(shape)
    if noise.errors_sd:
        errors *= lognormal(wander(rng, *shape, corr=corr), noise.errors_sd)
    if noise.slow_sd:
        slow *= lognormal(wander(rng, *shape, corr=corr), noise.slow_sd)
    load = np.ones(shape)
    common(rng, family.common, family.interval_s, ends, load, errors, slow)
    if family.cold is not None:
        fading = np.exp2(-np.maximum(ends - family.interval_s / 2.0, 0.0) / family.cold.half_s)[:, None]
        errors *= np.where(pods.young, 1.0 + (family.cold.errors_times - 1.0) * fading, 1.0)
        slow *= np.where(pods.young, 1.0 + (family.cold.slow_times - 1.0) * fading, 1.0)
    for incident in family.incidents:
        for each in happenings(rng, incident, pods, ends, family.interval_s):
            befall(incident, each, load, errors, slow)
    bad = inside(regression.from_s, math.inf, ends, family.interval_s)[:, None] * pods.is_candidate
    errors *= 1.0 + bad * (regression.errors_times - 1.0)
    errors += bad * regression.errors_plus
    errors = np.minimum(1.0, np.maximum(errors, bad * regression.errors_to))
    slow *= 1.0 + bad * (regression.slow_times - 1.0)
    return Conditions(load * share(family, pods, ends) * family.rate, errors, slow, bad)


def share(family: Family, pods: Pods, ends: Array) -> Array:
    """Give each pod's share of the service's traffic, 0–1; history has it all on its own pods."""
    begins = ends - family.interval_s
    weights = np.zeros(len(ends))
    for since, weight in family.steps:
        weights[begins >= since - 1e-9] = weight
    rest = np.where((begins >= -1e-9) & family.fresh, family.stable_share, 1.0 - weights)
    count = int(pods.is_candidate.sum())
    mine = weights[:, None] / max(1, count)
    theirs = rest[:, None] / max(1, len(pods.names) - count)
    return np.where(pods.is_candidate, mine, theirs)


def common(rng: Rng, wanted: Common, interval_s: float, ends: Array, *factors: Array) -> None:
    """Multiply load, errors and latency by what both sides share."""
    sds = (wanted.load_sd, wanted.errors_sd, wanted.slow_sd)
    for factor, sd in zip(factors, sds, strict=True):
        if sd:
            factor *= lognormal(wander(rng, len(ends), 1, corr=wanted.corr_s / interval_s), sd)
    if wanted.drift:
        grown = 1.0 + wanted.drift * (ends - ends[0]) / (ends[-1] - ends[0])
        for factor in (factors[0], factors[2]):
            factor *= grown[:, None]


@dataclass(frozen=True)
class Happening:
    """One incident: ``there`` is the share of each tick, at each pod, in which it was; ``errors_to`` as drawn."""

    there: Array
    errors_to: float


def happenings(
    rng: Rng, incident: Incident, pods: Pods, ends: Array, interval_s: float
) -> Iterator[Happening]:
    """Draw when it happens, to whom, and how bad it is."""
    begin, length = ends[0] - interval_s, ends[-1] - ends[0] + interval_s
    count = 1 if incident.every_s is None else int(rng.poisson(length / incident.every_s))
    whom = hit(rng, incident, pods)
    for start in np.sort(begin + rng.random(count) * max(0.0, length - incident.for_s)):
        if not incident.same:
            whom = hit(rng, incident, pods)
        there = inside(start, start + incident.for_s, ends, interval_s)[:, None] * whom
        if incident.lead_s is not None:
            there += (
                inside(start + incident.lead_s, start + incident.for_s, ends, interval_s)[:, None] * ~whom
            )
        yield Happening(there, float(rng.uniform(*incident.errors_to)) if incident.errors_to else 0.0)


def hit(rng: Rng, incident: Incident, pods: Pods) -> NDArray[np.bool_]:
    """Draw the pods that it happens to."""
    everyone = np.arange(len(pods.names))
    if incident.on == "both":
        return np.ones(len(everyone), dtype=np.bool_)
    if incident.on == "pod":
        return np.isin(everyone, rng.integers(len(everyone)))
    is_candidate = bool(rng.integers(2)) if incident.on == "either" else incident.on == "candidate"
    theirs = everyone[pods.is_candidate == is_candidate]
    chosen = theirs if incident.pods is None else rng.permutation(theirs)[: incident.pods]
    return np.isin(everyone, chosen)


def befall(incident: Incident, each: Happening, load: Array, errors: Array, slow: Array) -> None:
    """Let one incident change what there is."""
    load *= 1.0 + each.there * (incident.load_times - 1.0)
    errors *= 1.0 + each.there * (incident.errors_times - 1.0)
    slow *= 1.0 + each.there * (incident.slow_times - 1.0)
    if incident.errors_to is not None:
        errors += each.there * (each.errors_to - errors)


def inside(begin: float, end: float, ends: Array, interval_s: float) -> Array:
    """Give the share of each tick that lies between ``begin`` and ``end``, 0–1."""
    overlap = np.minimum(end, ends) - np.maximum(begin, ends - interval_s)
    return np.clip(overlap / interval_s, 0.0, 1.0)
