"""Counters of stable alone, read in the middle of their life: what they did since, and what they stood at."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from cd_provider.core.judge.alignment import Aligner, Pile, common_edges
from cd_provider.core.judge.counts import Tick, together
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.presets import Unit
from cd_provider.core.judge.series import Series, Side

USUAL_INTERVAL_S = 5.0
TOGETHER = 1.5  # intervals within which a pod's counters all have their first sample


def interval(series: Iterable[Series]) -> float:
    """Give the seconds between two samples, as most series have it."""
    gaps = []
    for one in series:
        stamps = sorted({at for at, _ in one.samples})
        gaps += [later - at for at, later in zip(stamps, stamps[1:], strict=False)]
    return max(1.0, round(median(gaps), 1)) if gaps else USUAL_INTERVAL_S


def begun(series: Sequence[Series], interval_s: float) -> list[Series]:
    """
    Mark the counters that were there with the first sample of their pod: they have counted before.

    One that comes later, such as that of a first error, begins at 0. Without this a pod that was scraped a second after
    another one would bring all that it ever counted into one tick.
    """
    first: dict[tuple[Side, str], float] = {}
    for one in series:
        if one.samples:
            pod, at = (one.side, one.pod), _first(one)
            first[pod] = min(at, first.get(pod, at))
    return [
        replace(one, old=True)
        if one.samples and _first(one) <= first[one.side, one.pod] + TOGETHER * interval_s
        else one
        for one in series
    ]


def by_unit(series: Iterable[Series], unit: Unit) -> list[Series]:
    """Take a gateway's counters for one pod's of each side: its own pods are nobody's who could be left out."""
    return list(series) if unit == "backend_pod" else [replace(one, pod=one.side) for one in series]


def history(series: Sequence[Series], interval_s: float) -> list[Tick]:
    """
    Give the ticks of counters that were read from some moment on.

    :param series: as :func:`begun` marks them. :param interval_s: between two samples of one series.
    :raises ArgumentError: a series is no counter.
    """
    first = min((_first(one) for one in series if one.samples), default=0.0)
    return Aligner(started_at=first, interval_s=interval_s).feed(series)


def before(stable: Sequence[Series], interval_s: float, unit: Unit) -> list[Tick]:
    """Give the ticks of stable's counters as they were read: marked where they have counted before, by their unit."""
    return history(by_unit(begun(stable, interval_s), unit), interval_s)


def lifetime(series: Iterable[Series]) -> Past:
    """
    Give what counters say at their first look: all that is known of before where only pods' own pages are read.

    It tells how often requests fail and how long they take; not how many errors come together, nor how pods differ.
    """
    piles, edges = defaultdict[str, Pile](Pile), defaultdict[str, set[float]](set)
    for one in series:
        counted = [value for _, value in one.samples if math.isfinite(value)]
        if counted:
            piles[one.pod].add(one, counted[-1])
            edges[one.pod] |= set() if one.edge is None else {one.edge}
    shared = common_edges(edges.values())
    done = together(pile.counts(shared) for pile in piles.values())
    return Past(done.requests, done.errors, done.slow, shared) if done.requests else Past()


def _first(series: Series) -> float:
    return min(at for at, _ in series.samples)
