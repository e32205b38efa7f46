"""A judge that breaks, waits or knows a secret: nothing passes by it, and nobody waits for it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from dataclasses import replace

import pytest

from cd_provider.core.finding import Finding
from cd_provider.core.gate import Gate, promql
from cd_provider.core.judge.sides import Reading as Counted
from cd_provider.core.judge.sides import Sides
from cd_provider.core.pod import PodFault
from cd_provider.exceptions import MetricsUnavailableError
from cd_provider.triggers.canary_loop import CanaryLoop
from cd_provider.triggers.gate_watch import GateWatch
from cd_provider.triggers.judge_watch import JudgeWatch
from tests.fakes import FakeCounters, FakeMetrics, FakePods
from tests.unit.triggers.bad_days import BEGAN, GATE, SIDES, canary
from tests.unit.triggers.test_progress import NAMES, three
from tests.unit.triggers.test_progress import canary as loop_of
from tests.unit.triggers.troubles import TROUBLES, mend


async def test_a_judge_that_breaks_has_not_said_that_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("float division by zero")

    async with canary() as it:
        await it.go_on(40.0)
        monkeypatch.setattr("cd_provider.core.judge.judge.Judge.step", broken)
        await it.go_on(45.0)
        at_once = it.watch.state.finding

        over = await it.go_on(300.0)

    assert at_once is Finding.BLIND
    assert over is not None
    kind, line, at_s = over
    assert (kind, at_s) == ("INCONCLUSIVE", 40.0 + 30.0)
    assert "the judge itself failed: ZeroDivisionError: float division by zero" in line


async def test_a_judge_that_broke_once_begins_anew_from_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    async with canary() as it:
        await it.go_on(40.0)
        with monkeypatch.context() as broken:
            broken.setattr("cd_provider.core.judge.judge.Judge.step", lambda *_: 1 / 0)
            await it.go_on(45.0)
        await it.go_on(50.0)

    assert it.watch.judge is not None
    assert it.watch.judge.story.candidate.requests > 2 * 10 * 35
    assert it.watch.state.finding is not Finding.BLIND


SECRET = "s3cr3t-t0k3n"


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """All that the product and its HTTP client log."""
    handler, loggers = Lines(), [logging.getLogger(name) for name in ("cd_provider", "httpx", "httpcore")]
    before = [one.level for one in loggers]
    for one in loggers:
        one.addHandler(handler)
        one.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.removeHandler(handler)
            one.setLevel(level)


async def test_credentials_stand_in_no_sentence_and_no_log_whatever_the_trouble(logged: list[str]) -> None:
    said: list[str] = []
    async with canary() as it:
        it.source.server.client.headers["Authorization"] = f"Bearer {SECRET}"
        it.source.server.client.headers["X-Scope-OrgID"] = SECRET
        for begin, _ in TROUBLES.values():
            begin(it)
            it.server.now += 20.0
            await it.look()
            said.append(it.watch.state.line)
            mend(it)

    assert it.server.headers["authorization"] == f"Bearer {SECRET}"  # it was sent
    assert len(set(said)) >= 8
    assert not [line for line in (*said, *logged) if SECRET in line]
    assert any("query" in line for line in logged)


async def test_a_server_that_takes_its_time_is_never_asked_twice_at_once() -> None:
    class Slow(FakeCounters):
        open = most = 0

        async def read(self, sides: Sides, *, since: float) -> Counted:
            self.open += 1
            self.most = max(self.most, self.open)
            await asyncio.sleep(0.1)  # ten times as long as it has between two looks
            self.open -= 1
            raise MetricsUnavailableError("no answer within 0.1 s")

    source, wake = Slow(), asyncio.Event()
    gate = replace(GATE, every_s=0.01)
    watch = JudgeWatch(gate, source, sides=lambda: SIDES, clock=lambda: BEGAN, wake=wake, max_s=1800.0)
    watch.open(at=BEGAN)
    task = asyncio.create_task(watch.run())
    for _ in range(3):
        await asyncio.wait_for(wake.wait(), 20)
        wake.clear()
    task.cancel()

    assert source.most == 1


async def test_a_crashed_pod_ends_a_canary_whose_judge_waits_for_an_answer() -> None:
    """The judge's read hangs for good; the loop beside it goes on at its own pace."""
    asked = asyncio.Event()

    class Hanging(FakeCounters):
        async def read(self, sides: Sides, *, since: float) -> Counted:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    pods = FakePods(*three())
    loop = loop_of(pods, reports=[])
    watch = JudgeWatch(
        GATE, Hanging(), sides=lambda: SIDES, clock=loop.scene.clock, wake=loop.scene.wake, max_s=1800.0
    )
    loop = CanaryLoop(
        loop.scene, plan=replace(loop.plan, gates=(GATE,), no_data_s=1e8), release=loop.release, attempt=1,
        gates_hash="none", watches=[watch], report=lambda _: None,
    )  # fmt: skip
    running = asyncio.create_task(loop.run())
    await asyncio.wait_for(asked.wait(), 20)
    pods.put(*three(PodFault("shop-candidate-0", "OOMKilled", "")))

    result = await asyncio.wait_for(running, 20)

    assert (result.kind, result.off_at is not None) == ("FAIL", True)
    assert "OOMKilled" in result.line


async def test_a_bound_that_breaks_is_silence_and_not_the_end_of_its_watch() -> None:
    class Broken(FakeMetrics):
        async def value(self, query: str) -> float | None:
            raise RuntimeError("no such thing")

    wake, gate = (
        asyncio.Event(),
        Gate.parse(promql("errors", query="errors{pod=~'$pods'}", max=1, every_s=0.2)),
    )
    watch = GateWatch(gate, Broken(), names=lambda: NAMES, clock=lambda: BEGAN, wake=wake)
    watch.open(at=BEGAN)
    task = asyncio.create_task(watch.run())
    for _ in range(2):
        await asyncio.wait_for(wake.wait(), 20)
        wake.clear()
    task.cancel()

    assert watch.state.finding is Finding.BLIND
    assert watch.state.reading.error == "the gate itself failed: RuntimeError: no such thing"
