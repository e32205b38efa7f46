"""Records stored beside the canary: when, under which key, and what a store that hangs or fails can do."""

from __future__ import annotations

import asyncio

import pytest

from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.record import Record, Recorder
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.triggers import record_keeper as module
from cd_provider.triggers.judge_watch import JudgeWatch
from cd_provider.triggers.record_keeper import RecordKeeper
from tests.fakes import FakeCounters

BEGAN = 10_000.0
TRIP = Judged("TRIP", 5.0, "TRIP 00:00:05 errors", "emergency")


def watch(name: str, *, ticks: int = 3) -> JudgeWatch:
    """Give a judge that has seen so many ticks."""
    gate = JudgeGate.parse(judge(name, preset="demo"))
    made = JudgeWatch(
        gate, FakeCounters(), sides=lambda: Sides("shop", "shop-candidate", "shop"), clock=lambda: BEGAN,
        wake=asyncio.Event(), max_s=1800.0, about={"app": "shop"},
    )  # fmt: skip
    made._aligner = Aligner(started_at=BEGAN, interval_s=5.0)
    made.recorder = Recorder(
        about={"app": "shop"}, gate=gate.as_dict(), max_s=1800.0, began_at=BEGAN, past=Past()
    )
    for number in range(ticks):
        judged(made, number)
    return made


def judged(made: JudgeWatch, number: int, said: Judged | None = None) -> None:
    assert made.recorder is not None
    made.recorder.add(Tick(BEGAN + 5.0 * (number + 1), 5.0, {"c1": Counts(10.0)}), said)


class Store:
    """Keeps what is written; hangs while ``free`` is not set, and raises ``fault`` if there is one."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, Record]] = []
        self.free, self.came = asyncio.Event(), asyncio.Event()
        self.free.set()
        self.fault: Exception | None = None
        self.refused = 0

    async def __call__(self, key: str, packed: str) -> None:
        await self.free.wait()
        if self.fault:
            self.refused += 1
            raise self.fault
        self.kept.append((key, Record.read(packed)))
        self.came.set()

    async def next(self) -> Record:
        await asyncio.wait_for(self.came.wait(), 20)
        self.came.clear()
        return self.kept[-1][1]


async def test_at_the_end_each_judges_record_is_stored_under_a_key_of_its_own() -> None:
    store = Store()

    RecordKeeper([watch("judge"), object(), watch("shadow")], store).finish()
    while len(store.kept) < 2:
        await store.next()

    assert [(key, seen.gate["name"]) for key, seen in store.kept] == [
        ("judge_record", "judge"), ("judge_record_2", "shadow"),
    ]  # fmt: skip


async def test_the_end_does_not_wait_for_a_store_that_hangs() -> None:
    store = Store()
    store.free.clear()
    keeper = RecordKeeper([watch("judge")], store)

    keeper.finish()  # returns, or this test hangs
    store.free.set()

    assert len((await store.next()).ticks) == 3


async def test_a_store_that_fails_is_no_matter_and_the_next_record_holds_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.02)
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    store, seen = Store(), watch("judge")
    store.fault = OSError("the database is away")
    task = asyncio.create_task(RecordKeeper([seen], store).run())
    while not store.refused:
        await asyncio.sleep(0)

    judged(seen, 3)
    store.fault = None

    assert [len((await store.next()).ticks) for _ in range(2)][-1] == 4
    task.cancel()


async def test_a_new_verdict_is_stored_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVERY_S", 3600.0)
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    store, seen = Store(), watch("judge")
    task = asyncio.create_task(RecordKeeper([seen], store).run())

    judged(seen, 3, TRIP)

    assert (await store.next()).verdicts == (TRIP,)
    task.cancel()


async def test_the_last_record_is_written_last_though_an_older_one_hangs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "EVERY_S", 0.01)
    monkeypatch.setattr(module, "LOOK_S", 0.01)
    store, seen = Store(), watch("judge")
    store.free.clear()
    keeper = RecordKeeper([seen], store)
    task = asyncio.create_task(keeper.run())
    while not keeper._writing.locked():
        await asyncio.sleep(0.01)

    judged(seen, 3)
    task.cancel()
    keeper.finish()
    store.free.set()
    while len(store.kept) < 2:
        await store.next()

    assert [len(record.ticks) for _, record in store.kept] == [3, 4]


def test_nothing_is_stored_of_gates_that_are_no_judges() -> None:
    keeper = RecordKeeper([object(), watch("judge", ticks=0)], Store())

    keeper.finish()  # would need a running loop, had it anything to write

    assert keeper._drafts() == {}
