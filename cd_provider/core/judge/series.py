"""
Counters as a metrics server keeps them, turned into what happened between two samples.

``rate()`` and ``increase()`` are not used: they extrapolate, and so invent events; and they miss the first events of
a series that is born with its first error. Differences are taken here, from raw samples and their own stamps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cd_provider.exceptions import ArgumentError

Side = Literal["candidate", "stable"]
FALLS, FALLS_PART = 4, 0.2  # as often as that, and in so large a part of its samples, no counter falls


@dataclass(frozen=True, slots=True)
class Series:
    """
    One counter of one pod.

    :param id: what tells it from every other, such as its label set as text.
    :param pod: whose counter it is: a pod of that side, or the gateway's pod that sent the requests there.
    :param bad: its requests are errors. :param edge: it counts the requests up to this many seconds (a classic
        histogram's bucket, ``inf`` the last); None: it counts requests.
    :param counted: another series of the pod counts the same requests too: this one is an own counter of errors.
    :param old: it may have counted for long before its first sample here: begin there, not from 0.
    :param samples: (stamp in epoch seconds, value), in any order, doubles allowed.
    """

    id: str
    side: Side
    pod: str
    samples: Sequence[tuple[float, float]]
    bad: bool = False
    edge: float | None = None
    counted: bool = False
    old: bool = False

    def with_samples(self, samples: Sequence[tuple[float, float]]) -> Series:
        """Give the same counter with these; ``replace`` takes ten times as long, and each look has hundreds."""
        return Series(self.id, self.side, self.pod, samples, self.bad, self.edge, self.counted, self.old)


@dataclass(frozen=True, slots=True)
class Step:
    """What one series did up to ``at``. ``reset``: the counter began anew since the sample before."""

    at: float
    amount: float
    reset: bool = False


@dataclass(frozen=True, slots=True)
class Restart:
    """A pod's counters began anew before ``at`` (epoch seconds, a tick's end)."""

    at: float
    pod: str


@dataclass
class Notes:
    """What was odd in the samples, for people; nothing of it is an event."""

    resets: int = 0
    late: int = 0
    gaps: int = 0  # samples that are no number

    @property
    def line(self) -> str:
        """Say it in a few words; empty when all was well."""
        told = (
            (self.resets, "counter reset(s)"),
            (self.late, "late sample(s)"),
            (self.gaps, "sample(s) without a value"),
        )
        return ", ".join(f"{count} {what}" for count, what in told if count)


@dataclass
class Follower:
    """
    Follows one series: gives each new sample's difference to the one before, once.

    :param from_zero: its first sample is what happened, not where to begin from: the series, or its pod, is younger
        than the judging.
    """

    from_zero: bool
    last: tuple[float, float] | None = None
    taken: int = 0  # samples
    falls: int = 0  # of those, how many were below the one before
    seen: set[float] = field(default_factory=set)

    def steps(self, series: Series, notes: Notes) -> Iterator[Step]:
        """
        Give what is new, in order of time.

        :raises ArgumentError: a value below 0, or one that falls again and again: it is no counter.
        """
        for at, value in sorted(set(series.samples)):
            if at in self.seen or (self.last and at <= self.last[0]):
                notes.late += at not in self.seen
                self.seen.add(at)
                continue
            self.seen.add(at)
            if not math.isfinite(value):  # a stale mark, or a quotient of nothing
                notes.gaps += 1
                continue
            if value < 0:
                raise ArgumentError(
                    f"{series.id} is no counter: saw {value:g} at {at:.0f}, expected 0 or more."
                )
            if (step := self._step(at, value)) is not None:
                notes.resets += step.reset
                self._check(series.id, step)
                yield step
        self._forget()

    def _check(self, id: str, step: Step) -> None:
        """Refuse a gauge, which goes up and down; a process that ends every few samples looks the same."""
        self.taken += 1
        self.falls += step.reset
        if self.falls >= FALLS and self.falls >= FALLS_PART * self.taken:
            raise ArgumentError(
                f"{id} fell {self.falls} times in {self.taken} samples, expected a counter: it falls only when its "
                "process begins anew. Name a counter, or look why the process ends again and again."
            )

    def _step(self, at: float, value: float) -> Step | None:
        before, self.last = self.last, (at, value)
        if before is None:
            return Step(at, value) if self.from_zero else None
        reset = value < before[1]
        return Step(at, value if reset else value - before[1], reset)

    def _forget(self) -> None:
        """Keep only stamps that may come again: answers overlap by a few samples."""
        if len(self.seen) > 400:
            self.seen = set(sorted(self.seen)[-200:])
