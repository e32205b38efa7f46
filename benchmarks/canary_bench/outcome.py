"""One judge on one run: what it said first, when, and what that cost."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from benchmarks.canary_bench.samples import NONE, Counters, Feed, Judge, Samples, Shown, minus, plus

AWAY_S = 30.0
"""How long a candidate that tripped is without traffic, unless its judge has an ``away_s`` of its own."""


@dataclass(frozen=True)
class Cost:
    """
    Seconds of a core.

    :param begin_s: to begin, which is where a judge may read the time before.
    :param cpu_s: for all its ``looks`` together.
    """

    begin_s: float
    looks: int
    cpu_s: float


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """
    :param fail_s: second of the canary in which it was failed, also after it had been passed; None: never.
    :param pass_s: second of the first PASS. :param unclear_s: of an INCONCLUSIVE; saying nothing to the end is one.
    :param trip_s: of the first of ``trips``.
    """  # noqa: D205

    fail_s: float | None
    pass_s: float | None
    unclear_s: float | None
    trip_s: float | None
    trips: int
    cost: Cost

    @property
    def first(self) -> str:
        """The verdict that ended the canary."""
        if self.pass_s is not None:
            return "PASS"
        return "FAIL" if self.fail_s is not None else "INCONCLUSIVE"


class Scrapes:
    """
    Shows scrapes, and of a candidate that was off traffic for a while counters that stand still.

    What the simulated candidate did meanwhile never happened: it is taken off its counters from then on. It returns at
    the weight that the family has by then.
    """

    def __init__(self, scrapes: Iterable[Samples]) -> None:
        self._scrapes = scrapes
        self._now: Samples | None = None
        self._until_s: float | None = None
        self._last: dict[str, Counters] = {}
        self._missed: dict[str, Counters] = {}

    def __iter__(self) -> Iterator[Samples]:
        for samples in self._scrapes:
            self._now = samples
            yield samples if self._until_s is None else self._show(samples, self._until_s)

    def leave(self, away_s: float) -> None:
        """Take the candidate off traffic for so many seconds."""
        assert self._now is not None
        self._until_s = self._now.at + away_s
        self._last.update(self._now.candidate)

    def _show(self, samples: Samples, until_s: float) -> Samples:
        away = samples.at <= until_s
        shown = {name: self._shown(name, now, away=away) for name, now in samples.candidate.items()}
        return Samples(samples.at, shown, samples.stable)

    def _shown(self, name: str, now: Counters, *, away: bool) -> Counters:
        was, missed = self._last.get(name, now), self._missed.get(name, NONE)
        if now.requests < was.requests:  # a new process: nothing of it was missed yet
            was = missed = NONE
        if away:
            missed = plus(missed, minus(now, was))
        self._last[name], self._missed[name] = now, missed
        return minus(now, missed)


def follow(judge: Judge[Shown], feed: Feed[Shown], *, begin_s: float = 0.0) -> Outcome:
    """Show a judge one run until it is over; a second trip is a FAIL. Only its own time is counted."""
    seen: dict[str, float] = {}
    at, trips, evaluations, cpu_s = 0.0, 0, 0, 0.0
    for shown in feed:
        began = time.process_time()
        verdict = judge.step(shown)
        cpu_s += time.process_time() - began
        evaluations += 1
        at = shown.at
        if verdict is None:
            continue
        if verdict == "TRIP":
            trips += 1
            verdict = "FAIL" if trips > 1 else verdict
            feed.leave(getattr(judge, "away_s", AWAY_S))
        seen.setdefault(verdict, at)
        if verdict == "FAIL" or (verdict == "INCONCLUSIVE" and "PASS" not in seen):
            break
    return outcome(seen, at, Cost(begin_s, evaluations, cpu_s), trips)


def outcome(seen: Mapping[str, float], end: float, cost: Cost, trips: int) -> Outcome:
    """Put together what was said; nothing is INCONCLUSIVE, at the end."""
    over = "FAIL" in seen or "PASS" in seen
    return Outcome(
        fail_s=seen.get("FAIL"),
        pass_s=seen.get("PASS"),
        unclear_s=None if over else seen.get("INCONCLUSIVE", end),
        trip_s=seen.get("TRIP"),
        trips=trips,
        cost=cost,
    )
