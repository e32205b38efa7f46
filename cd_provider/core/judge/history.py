"""Counters of stable alone, read in the middle of their life: what they did since, never what they stood at."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from statistics import median

from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Tick
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


def _first(series: Series) -> float:
    return min(at for at, _ in series.samples)
