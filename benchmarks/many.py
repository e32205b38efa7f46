"""
Many canaries in one triggerer: what 200 judges that read a metrics server cost, and how far behind they are.

The judges are the product's, with its own reader, connection and HTTP client, in one event loop. The metrics server is
a small one in another process: its cost is not counted. Needs no stack.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.many_server import World, namespace, pods, serving
from benchmarks.progress import say
from benchmarks.report import Figure, Report
from benchmarks.summary import median, quantile
from benchmarks.world import as_variables, environment
from cd_provider.adapters.metrics import open_counter_source
from cd_provider.core.judge.sides import Reading, Sides, sides_of
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.ports import CounterSource
from cd_provider.triggers.judge_watch import JudgeWatch

CANARIES, TARGET_SHARE, CONN_ID = 200, 0.40, "many_prometheus"
HOLDS = 0.95  # of the looks that are due have to come


@dataclass(frozen=True)
class Case:
    """
    One way to read.

    :param scrape_s: between two samples. :param every_s: between two looks. :param past_s: history there is.
    :param pause_s: between the beginnings of two canaries. :param for_s: measured after that.
    """

    key: str
    scrape_s: float
    every_s: float
    past_s: float
    pause_s: float
    for_s: float


FIVE = Case("every_5", scrape_s=5.0, every_s=5.0, past_s=3600.0, pause_s=0.5, for_s=60.0)
USUAL = Case("every_2", scrape_s=5.0, every_s=2.0, past_s=600.0, pause_s=0.15, for_s=30.0)
ONE = Case("every_1", scrape_s=1.0, every_s=1.0, past_s=60.0, pause_s=0.15, for_s=30.0)
LEAST, MOST_CASES = 10, 7


@dataclass
class Seen:
    """What was measured of some canaries; lists of seconds."""

    lags: list[float] = field(default_factory=list)  # a sample's stamp → judged
    own: list[float] = field(default_factory=list)  # when a look was due → judged, one for each look


class Noted(asyncio.Event):
    """What a judge's watch sets after each look: here it also takes the time at which samples were judged."""

    def __init__(self, every_s: float) -> None:
        super().__init__()
        self.every_s = every_s
        self.watch: JudgeWatch | None = None
        self.seen: Seen | None = None  # None: nothing is measured now
        self._waiting: dict[str, list[float]] = {}  # pod → stamps that came and are not judged yet
        self._asked = self._due = 0.0

    def asked(self) -> None:
        """Note that a look begins."""
        now = time.time()
        self._due = self._asked + self.every_s if self._asked else now
        self._asked = now

    def came(self, reading: Reading) -> None:
        """Note the samples that came; of a pod's series, which all have the same stamps, one is enough."""
        assert self.watch is not None
        judged_upto = (self.watch.began_at or 0.0) + (self.watch.judge.at if self.watch.judge else 0.0)
        for one in reading.series:
            if one.edge is None and not one.bad:
                known = self._waiting.setdefault(one.pod, [])
                newest = known[-1] if known else judged_upto
                known += [at for at, _ in one.samples if at > newest]

    def set(self) -> None:
        """Take the time: a look is over."""
        now, watch = time.time(), self.watch
        if watch is not None and watch.judge is not None and watch.began_at is not None:
            judged_upto = watch.began_at + watch.judge.at
            for pod, stamps in self._waiting.items():
                self._waiting[pod] = [at for at in stamps if at > judged_upto]
                if self.seen is not None:
                    self.seen.lags += [now - at for at in stamps if watch.began_at < at <= judged_upto]
        if self.seen is not None:
            self.seen.own.append(now - min(self._asked, self._due))
        super().set()


class Telling:
    """A counter source that tells a :class:`Noted` when it was asked and what it gave."""

    def __init__(self, source: CounterSource, noted: Noted) -> None:
        self.source, self.noted = source, noted

    async def read(self, sides: Sides, *, since: float) -> Reading:
        """Read, and tell."""
        self.noted.asked()
        reading = await self.source.read(sides, since=since)
        self.noted.came(reading)
        return reading

    async def probe(self, sides: Sides) -> str | None:
        """Ask as it is."""
        return await self.source.probe(sides)


def run(runs: int | None = None) -> Report:
    """Measure 200 canaries, each way once; with ``runs`` ten for each run, at most 200."""
    canaries = CANARIES if runs is None else min(CANARIES, 10 * runs)
    samples = [measure(FIVE, canaries), measure(USUAL, canaries), measure(ONE, canaries)]
    while not holds(samples[-1]) and samples[-1]["canaries"] > LEAST and len(samples) < MOST_CASES:
        samples.append(measure(ONE, fewer(samples[-1])))
    return report(samples)


def fewer(sample: Mapping[str, Any]) -> int:
    """Give how many to try next: what one core would have held of what was seen, and at least a fifth less."""
    held = int(sample["canaries"] * sample["came"] / max(1.0, sample["cpu_share"]) * 0.9)
    return max(LEAST, min(held, int(sample["canaries"] * 0.8)))


def holds(sample: Mapping[str, Any]) -> bool:
    """Say whether every look came, and was over before the next was due."""
    return bool(sample["came"] >= HOLDS and sample["own_p99_s"] <= sample["every_s"])


def measure(case: Case, canaries: int) -> dict[str, Any]:
    """Run some canaries for a while."""
    say(f"{canaries} canaries, a look every {case.every_s:g} s, a sample every {case.scrape_s:g} s")
    now = time.time()
    world = World(epoch=now - case.past_s, scrape_s=case.scrape_s, until=now + 600.0)
    with serving(world) as port:
        known = {CONN_ID: {"conn_type": "prometheus", "schema": "http", "host": "127.0.0.1", "port": port}}
        with environment(as_variables(known)):
            found = asyncio.run(watched(case, canaries))
    say(
        f"{found['cpu_share']:.0%} of a core, p99 of the lag {found['lag_p99_s']:.2f} s, "
        f"own part {found['own_p99_s']:.2f} s"
    )
    return found


async def watched(case: Case, canaries: int) -> dict[str, Any]:
    """Begin them one after the other; when all are under way, look at clock and CPU for a while."""
    async with AsyncExitStack() as opened:
        before = time.process_time()
        notes = [await opened.enter_async_context(one_canary(case, 0))]
        await notes[0].wait()  # alone, until its first look is over
        beginning_cpu = time.process_time() - before
        for number in range(1, canaries):
            notes.append(await opened.enter_async_context(one_canary(case, number)))
            await asyncio.sleep(case.pause_s)
        seen = [Seen() for _ in notes]
        await asyncio.sleep(2 * case.every_s)
        for note, its in zip(notes, seen, strict=True):
            note.seen = its
        began, cpu = time.perf_counter(), time.process_time()
        await asyncio.sleep(case.for_s)
        cpu, took = time.process_time() - cpu, time.perf_counter() - began
        for note in notes:
            note.seen = None
        states = [note.watch.state.finding for note in notes if note.watch]
    return sample(case, seen, cpu_s=cpu, took_s=took, beginning_cpu_s=beginning_cpu, states=states)


@asynccontextmanager
async def one_canary(case: Case, number: int) -> AsyncIterator[Noted]:
    """Watch one as its trigger would, with a client of its own, until the end of the context."""
    gate = JudgeGate.parse(judge(preset="demo", every_s=case.every_s))
    began_at = float(round(time.time()))
    where, (ours, theirs) = namespace(number, began_at), pods(number)
    sides = sides_of(gate.counters(), where, "shop", candidate_pods=ours, stable_pods=theirs)
    noted = Noted(case.every_s)
    async with open_counter_source("prometheus", CONN_ID, gate.counters()) as source:
        noted.watch = JudgeWatch(
            gate, Telling(source, noted), sides=lambda: sides, clock=time.time, wake=noted, max_s=1800.0
        )
        noted.watch.open(at=began_at)
        task = asyncio.create_task(noted.watch.run())
        try:
            yield noted
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def sample(
    case: Case,
    seen: Sequence[Seen],
    *,
    cpu_s: float,
    took_s: float,
    beginning_cpu_s: float,
    states: Sequence[str],
) -> dict[str, Any]:
    """
    Put one case together.

    ``came``: looks that came, of those that were due, 0–1. ``lag``: from a sample's stamp until it was judged; ``own``:
    from when a look was due until it was judged, what the triggerer itself is late.
    """  # fmt: skip
    lags = [lag for one in seen for lag in one.lags]
    own = [late for one in seen for late in one.own]
    due = len(seen) * took_s / case.every_s
    return {
        "what": case.key, "canaries": len(seen), "every_s": case.every_s, "scrape_s": case.scrape_s,
        "cpu_share": round(cpu_s / took_s, 4), "cpu_ms_per_look": round(1000.0 * cpu_s / len(own), 3) if own else None,
        "came": round(min(1.0, len(own) / due), 3), "samples": len(lags),
        "lag_median_s": round(median(lags), 3) if lags else None,
        "lag_p99_s": round(quantile(lags, 0.99), 3) if lags else float("inf"),
        "own_median_s": round(median(own), 4) if own else None,
        "own_p99_s": round(quantile(own, 0.99), 4) if own else float("inf"),
        "beginning_cpu_s": round(beginning_cpu_s, 4),
        "states": {str(state): list(states).count(state) for state in sorted(set(states))},
    }  # fmt: skip


def report(samples: Sequence[Mapping[str, Any]]) -> Report:
    """Make the figures; of the cases at a look a second the last one is the one that was held."""
    first, usual, *seconds = samples
    held = seconds[-1]
    figures = [
        *case_figures(first, "look and sample every 5 s", at_most=target(first["canaries"])),
        Figure(
            key="begin_ms", label="… CPU to begin one: a client, and the hour before", unit="ms",
            value=1000.0 * first["beginning_cpu_s"],
        ),
        *case_figures(usual, "look every 2 s, sample every 5 s (as it comes)"),
        *case_figures(seconds[0], "look and sample every second"),
    ]  # fmt: skip
    if held is not seconds[0]:
        figures += case_figures(held, "the same, as many as one core holds")
    figures.append(
        Figure(
            key="saturates_at", label="canaries that a look every second was held for", unit="",
            value=held["canaries"] if holds(held) else None,
        )
    )  # fmt: skip
    return Report(
        name="many", title="Many judged canaries in one triggerer", figures=figures, samples=list(samples),
        settings={"pods": "3 + 3", "series_per_pod": 14}, notes=NOTES,
    )  # fmt: skip


def target(canaries: int) -> float:
    """Give the bar, per cent of a core, for as many as were measured."""
    return 100.0 * TARGET_SHARE * canaries / CANARIES


def case_figures(one: Mapping[str, Any], label: str, *, at_most: float | None = None) -> list[Figure]:
    """Make those of one case."""
    key = f"{one['what']}_{one['canaries']}"
    return [
        Figure(
            key=f"{key}_cpu", label=f"{one['canaries']} canaries, {label}: CPU, of one core", unit="%",
            value=100.0 * one["cpu_share"], at_most=at_most,
        ),
        Figure(key=f"{key}_lag_p99_s", label="… sample's stamp → judged, p99", value=one["lag_p99_s"]),
        Figure(key=f"{key}_own_p99_s", label="… of it: look due → judged, p99", value=one["own_p99_s"]),
        Figure(key=f"{key}_came", label="… looks that came, of those due", value=100.0 * one["came"], unit="%"),
    ]  # fmt: skip


NOTES = [
    "The lag has three parts: until all pods have been scraped beyond the end of a step of the record, until the next "
    "look, and what the triggerer itself is late, which alone grows with the number of canaries.",
    f"A number is held when {HOLDS:.0%} of the looks came, and 99 % of them were over before the next was due.",
]
