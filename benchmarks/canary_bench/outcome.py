"""One judge on one run: what it said first, when, and what that cost."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmarks.canary_bench.samples import NONE, Counters, Judge, Samples, minus, plus

AWAY_S = 30.0
"""How long a candidate that tripped is without traffic, unless its judge has an ``away_s`` of its own."""


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """
    :param fail_s: second of the canary in which it was failed, also after it had been passed; None: never.
    :param pass_s: second of the first PASS. :param unclear_s: of an INCONCLUSIVE; saying nothing to the end is one.
    :param trip_s: of the first of ``trips``.
    :param evaluations: how often the judge looked, in ``cpu_s`` seconds.
    """  # noqa: D205

    fail_s: float | None
    pass_s: float | None
    unclear_s: float | None
    trip_s: float | None
    trips: int
    evaluations: int
    cpu_s: float

    @property
    def first(self) -> str:
        """The verdict that ended the canary."""
        if self.pass_s is not None:
            return "PASS"
        return "FAIL" if self.fail_s is not None else "INCONCLUSIVE"


class Exposure:
    """
    What a scrape shows of a candidate that was off traffic for a while: counters that stand still.

    What the simulated candidate did meanwhile never happened: it is taken off its counters from then on. It returns at
    the weight that the family has by then.
    """

    def __init__(self) -> None:
        self._until_s = 0.0
        self._last: dict[str, Counters] = {}
        self._missed: dict[str, Counters] = {}

    def leave(self, samples: Samples, away_s: float) -> None:
        """Take the candidate off traffic for so many seconds."""
        self._until_s = samples.at + away_s
        self._last.update(samples.candidate)

    def show(self, samples: Samples) -> Samples:
        """Give the scrape as it would have been."""
        shown = {name: self._shown(name, now, samples.at) for name, now in samples.candidate.items()}
        return Samples(samples.at, shown, samples.stable)

    def _shown(self, name: str, now: Counters, at: float) -> Counters:
        was, missed = self._last.get(name, now), self._missed.get(name, NONE)
        if now.requests < was.requests:  # a new process: nothing of it was missed yet
            was = missed = NONE
        if at <= self._until_s:
            missed = plus(missed, minus(now, was))
        self._last[name], self._missed[name] = now, missed
        return minus(now, missed)


def follow(judge: Judge, scrapes: Sequence[Samples]) -> Outcome:
    """Show a judge one run until it is over; a second trip is a FAIL."""
    seen: dict[str, float] = {}
    exposure, trips, evaluations, began = Exposure(), 0, 0, time.process_time()
    for samples in scrapes:
        verdict = judge.step(exposure.show(samples) if trips else samples)
        evaluations += 1
        if verdict is None:
            continue
        if verdict == "TRIP":
            trips += 1
            verdict = "FAIL" if trips > 1 else verdict
            exposure.leave(samples, getattr(judge, "away_s", AWAY_S))
        seen.setdefault(verdict, samples.at)
        if verdict == "FAIL" or (verdict == "INCONCLUSIVE" and "PASS" not in seen):
            break
    return outcome(seen, scrapes[-1].at, trips, evaluations, time.process_time() - began)


def outcome(seen: Mapping[str, float], end: float, trips: int, evaluations: int, cpu_s: float) -> Outcome:
    """Put together what was said; nothing is INCONCLUSIVE, at the end."""
    over = "FAIL" in seen or "PASS" in seen
    return Outcome(
        fail_s=seen.get("FAIL"),
        pass_s=seen.get("PASS"),
        unclear_s=None if over else seen.get("INCONCLUSIVE", end),
        trip_s=seen.get("TRIP"),
        trips=trips,
        evaluations=evaluations,
        cpu_s=cpu_s,
    )
