"""A plan with a judge: one that could not decide, or whose counters nobody keeps, is refused beforehand."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from cd_provider.core.judge_gate import judge
from cd_provider.exceptions import PlanError
from tests.loopback import Loopback
from tests.unit.operators.plan_world import World, open_world
from tests.unit.triggers.bad_days import STABLE, Prometheus

PODS = "/api/v1/namespaces/shop/pods"


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with open_world(monkeypatch) as made:
        made.cluster.objects[PODS] = {"items": [{"metadata": {"name": name}} for name in STABLE]}
        yield made


@pytest.fixture
def prometheus(world: World) -> Iterator[Prometheus]:
    """One that scrapes stable's pods."""
    made = Prometheus()
    made.namespace = "shop"
    with Loopback(made) as server:
        world.connect_prometheus(server.port)
        yield made


async def plan(world: World, **changed: Any) -> str:
    """Give the faults of a plan with a judge; empty: there is none."""
    try:
        await world.plan(**{"gates": [judge(preset="demo")], "max_s": 900, **changed})
    except PlanError as err:
        return str(err)
    return ""


async def test_a_judge_whose_counters_are_there_is_let_through(world: World, prometheus: Prometheus) -> None:
    assert await plan(world) == ""
    assert world.cluster.changed == []


async def test_counters_that_nobody_keeps_are_a_fault_with_preset_and_selector(
    world: World, prometheus: Prometheus
) -> None:
    prometheus.silent = dict.fromkeys(STABLE, 0.0)

    found = await plan(world)

    assert (
        "gate 'judge' (preset demo, prometheus): stable shop: no shop_requests_total. Asked: Prometheus of"
        in found
    )
    assert 'namespace="shop", pod=~"s1|s2|s3"' in found


async def test_a_preset_of_another_product_is_a_fault(world: World, prometheus: Prometheus) -> None:
    found = await plan(world, gates=[judge(preset="otel_http_server")])

    assert "(preset otel_http_server, prometheus)" in found
    assert "http_server_request_duration_seconds_count" in found


@pytest.mark.parametrize(
    ("gate", "changed", "told"),
    [
        pytest.param(
            {}, {"max_s": 200}, "nothing passes before 180 s, and the canary's max_s is 200 s", id="no time"
        ),
        pytest.param({"min_s": 900}, {"max_s": 960}, "nothing passes before 900 s", id="no time of its own"),
        pytest.param(
            {"every_s": 90}, {}, "looks every 90 s, but the shortest step takes 60 s", id="too seldom"
        ),
        pytest.param({"preset": "nginx"}, {}, "preset: saw 'nginx'", id="no such preset"),
    ],
)
async def test_a_judge_that_cannot_decide_is_a_fault(
    world: World, prometheus: Prometheus, gate: dict[str, Any], changed: dict[str, Any], told: str
) -> None:
    found = await plan(world, gates=[judge(**{"preset": "demo", **gate})], **changed)

    assert told in found
    assert re.match(r"shop: 1 fault\(s\) found, nothing was touched", found)
    assert world.cluster.changed == []


async def test_a_first_release_has_nothing_to_compare_with_and_is_refused(
    world: World, prometheus: Prometheus
) -> None:
    world.cluster.objects = {
        path: one for path, one in world.cluster.objects.items() if "deployments" not in path
    }

    assert "shop" in await plan(world)
    assert world.cluster.changed == []


async def test_without_a_ready_pod_of_stable_there_is_no_baseline(
    world: World, prometheus: Prometheus
) -> None:
    shop = next(one for path, one in world.cluster.objects.items() if path.endswith("/deployments/shop"))
    shop["status"] |= {"readyReplicas": 0, "availableReplicas": 0}

    assert "has no ready pod, so that there is nothing to compare with" in await plan(world)
