"""Hints that need no cluster."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.operators import plan_judges
from cd_provider.operators.plan_hints import experimental
from tests.unit.operators.plan_world import World, open_world


def test_a_judge_by_a_preset_that_nobody_recorded_is_named() -> None:
    gates = [judge("a", preset="envoy"), judge("b", preset="istio")]
    own = judge("c", preset="custom", options={"total": "calls", "status": "code"})

    told = experimental(JudgeGate.parse(one) for one in (*gates, own))

    assert [line.split(" reads")[0] for line in told] == ["gate 'b'", "gate 'c'"]
    assert "preset istio, which is experimental" in told[0]


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with open_world(monkeypatch) as made:
        yield made


async def test_the_plan_says_so(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fine(*_: Any) -> list[str]:
        """Find stable's counters: what they look like in a Prometheus is the adapters' matter."""
        return []

    monkeypatch.setattr(plan_judges, "check_judges", fine)
    world.cluster.objects["/api/v1/namespaces/shop/pods"] = {"items": []}

    (hint,) = await world.plan(gates=[judge(preset="istio")], steps=[10, 50], step_s=600)

    assert "preset istio, which is experimental" in hint
