"""
A service's own false stops: its pods are split in two groups at random, and one is judged as if it were a candidate.

Both run the same version, so that every FAIL and every TRIP is a false one. Splits of the same minutes are no
independent witnesses: intervals count stretches of time, not splits.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.draws import Draws
from cd_provider.core.judge.past import look_back
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.trial import Ended, Trial

HISTORY_S = 3600.0
THERE = 0.9  # of the ticks of a stretch in which a pod has to have been read to take part
KINDS = ("PASS", "FAIL", "TRIP", "INCONCLUSIVE", "NO_DATA")


@dataclass(frozen=True)
class Stretch:
    """
    Minutes of stable alone that are judged, and the hour before them.

    :param began_at: epoch seconds; the ticks' own clock. :param ticks: of both, with stable's pods alone.
    :param pods: that were there all the while.
    """

    began_at: float
    ticks: tuple[Tick, ...]
    pods: tuple[str, ...]

    @classmethod
    def of(cls, ticks: Sequence[Tick], *, began_at: float, max_s: float) -> Stretch:
        """Cut it out of the record; a canary begins with a tick."""
        found = [tick for tick in ticks if began_at - HISTORY_S < tick.at <= began_at + max_s + 1e-6]
        judged = [tick for tick in found if tick.at > began_at + 1e-6]
        seen: dict[str, int] = {}
        for tick in judged:
            for pod in tick.stable:
                seen[pod] = seen.get(pod, 0) + 1
        there = sorted(pod for pod, count in seen.items() if count >= THERE * len(judged))
        begins = max((tick.at for tick in found if tick.at <= began_at + 1e-6), default=began_at)
        return cls(begins, tuple(found), tuple(there))


@dataclass(frozen=True)
class Split:
    """One canary that never was: these pods against the others."""

    stretch: Stretch
    candidate: tuple[str, ...]
    settings: JudgeSettings


@dataclass(frozen=True)
class Tried:
    """What came of a split. :param began_at: epoch seconds."""

    began_at: float
    candidate: tuple[str, ...]
    ended: Ended


def splits(
    stretch: Stretch, settings: JudgeSettings, *, count: int, pods: int | None = None, seed: str = ""
) -> list[Split]:
    """
    Split the pods so many times, at random; the same seed gives the same splits, each once.

    :param pods: how many are the candidate's; None: half of them. None are given where there are too few pods.
    """
    size = len(stretch.pods) // 2 if pods is None else pods
    if not 0 < size < len(stretch.pods):
        return []
    draws = Draws(f"{seed}/{stretch.began_at}")
    most = math.comb(len(stretch.pods), size)
    found: list[tuple[str, ...]] = []
    while len(found) < min(count, most):
        if (one := draws.some(stretch.pods, size)) not in found:
            found.append(one)
    return [Split(stretch, one, settings) for one in found]


def judge_split(split: Split) -> Tried:
    """Judge one split to its end."""
    stretch, mine = split.stretch, set(split.candidate)
    past = [_without(tick, mine) for tick in stretch.ticks if tick.at <= stretch.began_at + 1e-6]
    trial = Trial(split.settings, began_at=stretch.began_at, past=look_back(past), pods=len(split.candidate))
    for tick in stretch.ticks:
        if tick.at > stretch.began_at + 1e-6:
            trial.step(parted(tick, mine))
            if ended := trial.ended():
                return Tried(stretch.began_at, split.candidate, ended)
    at = stretch.ticks[-1].at - stretch.began_at
    trips = len(trial.judge.trips)
    ended = Ended("NO_DATA", at, trial.off_s, trips, "the samples end before the canary would", trial.seen)
    return Tried(stretch.began_at, split.candidate, ended)


def parted(tick: Tick, mine: set[str]) -> Tick:
    """Give some of stable's pods to the candidate."""
    return replace(
        tick,
        candidate={pod: one for pod, one in tick.stable.items() if pod in mine},
        stable={pod: one for pod, one in tick.stable.items() if pod not in mine},
    )


def _without(tick: Tick, mine: set[str]) -> Tick:
    return replace(parted(tick, mine), candidate={})


@dataclass(frozen=True)
class Count:
    """
    How often something came out.

    :param runs: splits. :param low: the interval's lower end, 0–1. :param high: its upper end.
    """

    runs: int
    share: float
    low: float
    high: float


@dataclass(frozen=True)
class Tally:
    """What came of all splits so far."""

    tried: tuple[Tried, ...] = ()

    @property
    def stretches(self) -> int:
        """How many stretches of time were judged; they do not overlap."""
        return len({one.began_at for one in self.tried})

    def count(self, kind: str) -> Count:
        """
        Count the splits that ended so; for ``TRIP`` those that were off traffic for a while, however they ended.

        The interval takes the mean of each stretch's splits for one trial.
        """
        hits = [one for one in self.tried if _is(one, kind)]
        share = self._by_stretch(hits)
        low, high = wilson(share * self.stretches, self.stretches)
        return Count(len(hits), share, low, high)

    @property
    def stopped(self) -> Count:
        """Count the splits that were stopped at all, for a while or for good."""
        hits = [one for one in self.tried if _is(one, "FAIL") or _is(one, "TRIP")]
        share = self._by_stretch(hits)
        return Count(len(hits), share, *wilson(share * self.stretches, self.stretches))

    def _by_stretch(self, hits: Iterable[Tried]) -> float:
        if not self.tried:
            return 0.0
        sizes: dict[float, int] = {}
        for one in self.tried:
            sizes[one.began_at] = sizes.get(one.began_at, 0) + 1
        return sum(1.0 / sizes[one.began_at] for one in hits) / len(sizes)

    def worst(self, most: int = 5) -> list[tuple[float, list[Tried]]]:
        """Give the stretches in which most splits were stopped, the worst first; those with none are left out."""
        found: dict[float, list[Tried]] = {}
        for one in self.tried:
            if _is(one, "FAIL") or _is(one, "TRIP"):
                found.setdefault(one.began_at, []).append(one)
        return sorted(found.items(), key=lambda pair: (-len(pair[1]), pair[0]))[:most]


def _is(one: Tried, kind: str) -> bool:
    return one.ended.trips > 0 if kind == "TRIP" else one.ended.kind == kind


def wilson(hits: float, of: int, *, level: float = 0.95) -> tuple[float, float]:
    """
    Give the two ends of a share's interval, 0–1; (0, 1) when nothing was tried. Hits need not be whole.

    Source: Wilson, "Probable inference, the law of succession, and statistical inference" (1927).
    """
    if of == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf(0.5 + level / 2.0)
    middle = hits + z * z / 2.0
    reach = z * math.sqrt(max(0.0, hits * (of - hits)) / of + z * z / 4.0)
    return max(0.0, (middle - reach) / (of + z * z)), min(1.0, (middle + reach) / (of + z * z))
