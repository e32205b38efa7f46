"""What a person answers to a canary's question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from cd_provider.core.finding import Finding
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.override import NOT_ANSWERED, Override
from cd_provider.triggers import answers, canary_loop
from cd_provider.triggers.answers import Answers
from tests.unit.triggers.canary_world import World

WORD = {"by": "ada", "reason": "nobody shops at night"}
ASKS = JudgeGate.parse(judge(preset="demo", on_inconclusive="ask", ask_s=300))


class Desk:
    """Where answers are put; gives one after the other, then the last again and again."""

    def __init__(self, *found: Any) -> None:
        self.found, self.reads = list(found), 0

    async def read(self) -> Any:
        self.reads += 1
        found = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if isinstance(found, Exception):
            raise found
        return found


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "EVERY_S", 0.0)
    monkeypatch.setattr(canary_loop, "TICK_S", 0.0)


async def test_the_first_yes_stands_and_nobody_looks_any_more() -> None:
    desk, woken = Desk(None, OSError("Airflow is away"), WORD, None), asyncio.Event()
    found = Answers(desk.read, woken)

    await asyncio.wait_for(found.run(), 30)

    assert found.latest.given == Override("ada", "nobody shops at night")
    assert woken.is_set()
    assert desk.reads == 3


@pytest.mark.parametrize(
    "odd", [{"by": "ada"}, ["yes"], "yes", {"by": "ada", "reason": "x", "colour": "red"}, 1]
)
async def test_what_cannot_be_read_is_no_answer_and_says_why(odd: Any) -> None:
    desk, woken = Desk(odd, WORD), asyncio.Event()
    found = Answers(desk.read, woken)
    told: list[str] = []

    async def listen() -> None:
        while not found.latest.given:
            await woken.wait()
            woken.clear()
            told.append(found.latest.fault)

    await asyncio.wait_for(asyncio.gather(found.run(), listen()), 30)

    assert told[0].startswith(" (the answer was not understood: ")


@pytest.mark.parametrize("empty", [None, {}, "", {"by": "", "reason": " "}])
async def test_nothing_is_no_answer(empty: Any) -> None:
    assert Override.answer(empty) == NOT_ANSWERED


def world(*gates: JudgeGate) -> World:
    made = World(*(gates or (ASKS,)))
    made.plan = replace(made.plan, deadline=made.now + 500.0)
    made.watches[0].finding = Finding.ASKED
    return made


async def run(made: World, *found: Any) -> tuple[Any, Desk, Sequence[Any]]:
    desk = Desk(*found)
    loop = made.loop(read_answer=desk.read)
    result = await asyncio.wait_for(loop.run(), 20)
    return result, desk, made.reports


async def test_a_canary_that_was_taken_on_says_by_whom_and_why() -> None:
    made = world()

    result, _, reports = await run(made, *[None] * 40, WORD)

    assert (result.kind, result.verdict.by, result.verdict.reason) == ("OVERRIDE", *WORD.values())
    assert any(one.asks for one in reports)


async def test_a_question_that_nobody_answers_ends_off_traffic() -> None:
    result, desk, reports = await run(world(), None)

    assert result.kind == "INCONCLUSIVE"
    assert result.off_at is not None
    assert desk.reads > 1
    assert {one.weight for one in reports if one.asks} == {10}


async def test_where_no_gate_asks_nobody_looks_for_answers() -> None:
    made = world(JudgeGate.parse(judge(preset="demo")))
    made.watches[0].finding = Finding.OK

    result, desk, _ = await run(made, WORD)

    assert (result.kind, desk.reads) == ("PASS", 0)
