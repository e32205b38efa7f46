"""Every write of a delivery that asks for no baseline, byte by byte: nobody pays for what they did not ask for."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.pod import PodFault
from cd_provider.triggers import canary_loop, cleanup, promote_loop
from cd_provider.triggers.cleanup import take_back
from cd_provider.triggers.progress import Progress
from tests.unit.triggers.canary_world import World

WRITTEN = Path(__file__).with_name("writes.json")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once: the clock of these tests moves when it is read."""
    for module, name in ((canary_loop, "TICK_S"), (promote_loop, "TICK_S"), (cleanup, "POLL_S")):
        monkeypatch.setattr(module, name, 0.001)


async def promoted() -> World:
    """A release that goes out, judged beside stable."""
    world = World(JudgeGate.parse(judge(preset="demo")))
    loop = world.loop()
    await loop.begin()
    assert (await loop.run()).kind == "PASS"
    await world.promotion().run()
    return world


async def taken_back() -> World:
    """A release that is sent away once, comes back, and crashes."""
    world = World(JudgeGate.parse(judge(preset="demo")))
    world.watches[0].trips = 1
    loop = world.loop()
    await loop.begin()
    crashed = PodFault("shop-candidate-0", "CrashLoopBackOff", "back-off")
    report = loop.teller.report

    def watching(progress: Progress) -> None:
        report(progress)
        if progress.step == 1 and progress.weight == 50:
            pod = next(one for one in world.cluster.pods() if one.name == "shop-candidate-0")
            world.pods.instead[pod.name] = replace(pod, fault=crashed)

    loop.teller.report = watching
    assert (await loop.run()).kind == "FAIL"
    await take_back(world.session(), drain_s=0.0)
    return world


async def test_without_a_baseline_every_write_is_as_it_always_was() -> None:
    written = {
        "promoted": (await promoted()).cluster.writes,
        "taken back": (await taken_back()).cluster.writes,
    }

    assert json.loads(json.dumps(written)) == json.loads(WRITTEN.read_text())
    assert "baseline" not in json.dumps(written)
