"""An event of a trigger waits until Airflow is done with the slice that deferred; an end of the waiting is obeyed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
from airflow.triggers.base import BaseTrigger, TriggerEvent

from cd_provider.triggers import settled
from cd_provider.triggers.canary import CanaryTrigger
from cd_provider.triggers.health_gate import HealthGateTrigger
from cd_provider.triggers.promote import PromoteTrigger
from cd_provider.triggers.workload import WorkloadReadyTrigger


class Two(BaseTrigger):
    """Yields at once, and once more."""

    def __init__(self) -> None:
        super().__init__()
        self.begun: list[int] = []

    def serialize(self) -> tuple[str, dict[str, object]]:
        return "", {}

    @settled.settled
    async def run(self) -> AsyncIterator[TriggerEvent]:
        for number in range(2):
            self.begun.append(number)
            yield TriggerEvent(number)


async def test_an_event_waits_for_its_time_and_later_ones_wait_no_longer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(settled, "SETTLED_S", 0.2)
    began, seen = time.monotonic(), list[tuple[object, float]]()
    async for event in Two().run():
        seen.append((event.payload, time.monotonic() - began))

    assert [payload for payload, _ in seen] == [0, 1]
    assert seen[0][1] >= 0.2


async def test_what_an_event_is_about_has_been_done_before_it_waits() -> None:
    trigger = Two()
    events = trigger.run()
    waiting = asyncio.ensure_future(anext(events))
    await asyncio.sleep(0)
    await asyncio.sleep(0)

    assert trigger.begun == [0]
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting


@pytest.mark.parametrize("kind", [CanaryTrigger, PromoteTrigger, WorkloadReadyTrigger, HealthGateTrigger])
def test_each_of_our_triggers_waits(kind: type[BaseTrigger]) -> None:
    assert hasattr(kind.run, "__wrapped__")
