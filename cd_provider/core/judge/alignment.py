"""The record's clock: steps of all series, put into ticks of one grid by the samples' own stamps."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.series import Follower, Notes, Restart, Series, Side

JITTER = 0.02  # of an interval, by which a sample may come too late for its tick: no scrape is on the dot
PATIENCE = 2  # intervals that a tick waits for a pod which has not been read yet
KEPT = 10  # ticks for which it is known when each series was read: answers overlap by fewer


@dataclass
class Pile:
    """What one pod did within one tick, before it is a :class:`Counts`."""

    requests: float = 0.0
    errors: float = 0.0
    upto: dict[float, float] = field(default_factory=lambda: defaultdict(float))  # edge → requests up to it

    def add(self, series: Series, amount: float) -> None:
        if series.edge is not None:
            self.upto[series.edge] += amount
        else:
            self.requests += amount * (not series.counted)
            self.errors += amount * series.bad

    def counts(self, edges: tuple[float, ...]) -> Counts:
        """Make the buckets' cumulative counts plain ones; two reads of one histogram may differ by a request."""
        upto = [0.0, *(self.upto.get(edge, 0.0) for edge in edges)]
        slow = tuple(max(0.0, upper - lower) for lower, upper in zip(upto, upto[1:], strict=False))
        return Counts(self.requests, self.errors, slow)


class Aligner:
    """
    Turns answers of a metrics server into ticks, each tick once and in order.

    Each series is read once in a tick: a second sample that falls into the same stretch counts in the next tick. So a
    tick is complete as soon as every series has been read in it, before its end even; one that lags two intervals
    behind the others is taken for gone. What comes later still counts, in the next tick. Evaluated every second, once a
    minute or once at the end, it gives the same ticks as long as nothing came late, and no pod that was not known
    before.

    :param started_at: epoch seconds since when the candidate is judged; a series whose first sample is younger
        began at 0. The first answer has to reach back beyond it. Of stable only a pod that was read before has series
        that begin at 0: one that is first read later, such as after a metrics server lost its data, may be old.
    :param interval_s: between two samples of one series.
    """

    def __init__(self, *, started_at: float, interval_s: float) -> None:
        self.started_at, self.interval_s = started_at, interval_s
        self.notes = Notes()
        self.restarts: list[Restart] = []  # each pod and tick once, however many counters it has
        self._followers: dict[str, Follower] = {}
        self._piles: dict[int, dict[tuple[Side, str], Pile]] = defaultdict(dict)
        self._first_read: dict[tuple[Side, str], float] = {}
        # by series: of one scrape the requests may be there a moment before the errors
        self._read_upto: dict[str, float] = {}
        self._heard: dict[str, dict[int, float]] = defaultdict(dict)  # tick → the first stamp in it
        self._edges: dict[tuple[Side, str], set[float]] = defaultdict(set)
        self._given = 0

    def feed(self, answer: Iterable[Series]) -> list[Tick]:
        """
        Take an answer; give the ticks that are complete now.

        :raises ArgumentError: a series is no counter.
        """
        new = [unseen for series in answer if (unseen := self._unseen(series)).samples]
        for series in new:
            pod, first = (series.side, series.pod), min(series.samples)[0]
            self._first_read[pod] = min(first, self._first_read.get(pod, first))
        for series in new:
            self._hear(series)
            self._take(series)
        return list(self._complete())

    def _unseen(self, series: Series) -> Series:
        """Leave out what an earlier answer had: answers overlap, so that this is most of it."""
        if (follower := self._followers.get(series.id)) is None:
            return series
        return series.with_samples([one for one in series.samples if one[0] not in follower.seen])

    def _hear(self, series: Series) -> None:
        """Note when it was read, as far as numbers tell; of each tick the first stamp."""
        heard = self._heard[series.id]
        for at, value in series.samples:
            if math.isfinite(value):
                tick = self._number(at)
                heard[tick] = min(at, heard.get(tick, at))
                self._read_upto[series.id] = max(at, self._read_upto.get(series.id, at))

    def _take(self, series: Series) -> None:
        pod, first = (series.side, series.pod), min(series.samples)[0]
        known = series.side == "candidate" or first > self._first_read[pod]
        young = known and first > self.started_at and not series.old
        follower = self._followers.setdefault(series.id, Follower(from_zero=young))
        if series.edge is not None:
            self._edges[pod].add(series.edge)
        for step in follower.steps(series, self.notes):
            if step.at > self.started_at:
                number = self._number(step.at)
                tick = max(self._given + 1, number + (step.at > self._heard[series.id][number]))
                self._piles[tick].setdefault(pod, Pile()).add(series, step.amount)
                if step.reset and (begun := Restart(self._end(tick), series.pod)) not in self.restarts:
                    self.restarts.append(begun)

    def _complete(self) -> Iterator[Tick]:
        for tick in range(self._given + 1, self._upto() + 1):
            self._given = tick
            yield self._tick(tick)
        for heard in self._heard.values():
            for tick in [one for one in heard if one < self._given - KEPT]:
                del heard[tick]

    def _upto(self) -> int:
        """Give the last tick in which nobody is missing but those who were not read for so long that they are gone."""
        newest = max(self._read_upto.values(), default=self.started_at)
        alive = (upto for upto in self._read_upto.values() if upto > newest - PATIENCE * self.interval_s)
        return self._number(min(alive, default=self.started_at))

    def _number(self, at: float) -> int:
        """Give the tick that a moment lies in."""
        return math.ceil((at - self.started_at) / self.interval_s - JITTER)

    def _end(self, tick: int) -> float:
        return self.started_at + tick * self.interval_s

    def _tick(self, number: int) -> Tick:
        piles, edges = self._piles.pop(number, {}), common_edges(self._edges.values())
        sides: dict[Side, dict[str, Counts]] = {"candidate": {}, "stable": {}}
        for (side, pod), pile in piles.items():
            sides[side][pod] = pile.counts(edges)
        return Tick(self._end(number), self.interval_s, sides["candidate"], sides["stable"], edges)


def common_edges(pods: Iterable[set[float]]) -> tuple[float, ...]:
    """Give the bucket edges that every pod has which has any."""
    every = [edges for edges in pods if edges]
    return tuple(sorted(set.intersection(*every))) if every else ()
