"""What a canary's trigger makes of what it finds, where a baseline is asked for or was left."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from cd_provider.core.gate import promql
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.names import ATTEMPT
from cd_provider.core.order import CanaryOrder
from cd_provider.exceptions import ClusterRefusedError, PermanentError
from cd_provider.triggers import canary, canary_loop
from cd_provider.triggers.adoption import adopt
from cd_provider.triggers.session import find_baseline
from tests.small_cluster import DEPLOYMENTS, SERVICES, SmallCluster
from tests.unit.triggers.canary_world import RELEASE, World, fresh_judge

PLAIN = promql("errors", query="errors{pod=~'$pods'}", max=1)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canary_loop, "TICK_S", 0.001)
    monkeypatch.setattr(canary, "DRAIN_S", 0.0)


def order(gate: Mapping[str, Any], *, attempt: int) -> CanaryOrder:
    target = {
        "workload": "deployment/shop", "namespace": "shop", "router": {"kind": "gateway_api", "route": "shop"},
    }  # fmt: skip
    return CanaryOrder(RELEASE.as_dict(), target, [{"weight": 10, "for_s": 2}], [gate], attempt, 1e9, 120.0)


async def ran(*gates: JudgeGate) -> World:
    """A canary that went through its first attempt."""
    world = World(*gates)
    loop = world.loop()
    await loop.begin()
    await loop.run()
    return world


def there(world: World) -> set[str]:
    return world.cluster.names("Deployment") | world.cluster.names("Service")


async def test_another_attempt_beside_a_fresh_baseline_begins_with_nothing() -> None:
    world = await ran(fresh_judge())
    asked = order(judge(preset="demo", baseline="fresh"), attempt=2)

    assert await adopt(world.session(fresh=True), asked) is None

    assert there(world) == {"shop"}
    assert world.cluster.split() == {"shop": None}


async def test_the_same_attempt_goes_on_with_both() -> None:
    world = await ran(fresh_judge())
    asked = order(judge(preset="demo", baseline="fresh"), attempt=1)

    ended = await adopt(world.session(fresh=True), asked)

    assert ended is not None
    assert ended["kind"] == "PASS"
    assert world.cluster.split() == {"shop": 0, "shop-candidate": 50, "shop-baseline": 50}


async def test_an_attempt_that_asks_for_none_any_more_begins_with_nothing() -> None:
    world = await ran(fresh_judge())

    await adopt(world.session(knows=True), order(PLAIN, attempt=2))

    assert there(world) == {"shop"}
    assert world.cluster.split() == {"shop": None}


async def test_an_attempt_that_asks_for_one_for_the_first_time_begins_with_nothing() -> None:
    world = await ran()

    await adopt(world.session(fresh=True), order(judge(preset="demo", baseline="fresh"), attempt=2))

    assert there(world) == {"shop"}


async def test_without_any_the_candidate_is_adopted_as_ever() -> None:
    world = await ran()

    await adopt(world.session(), order(PLAIN, attempt=2))

    notes = world.cluster.objects[f"{DEPLOYMENTS}/shop-candidate"]["metadata"]["annotations"]
    assert notes[ATTEMPT] == "1"  # its loop begins the second
    assert world.cluster.split() == {"shop": 100, "shop-candidate": 0}


async def test_a_deployment_of_that_name_that_is_not_ours_is_refused_before_anything_is_made() -> None:
    world = World(fresh_judge())
    theirs = await world.cluster.get(f"{DEPLOYMENTS}/shop")
    theirs["metadata"]["name"] = "shop-baseline"
    await world.cluster.create(DEPLOYMENTS, theirs)
    session, released = world.session(fresh=True), list[bool]()

    async def release() -> None:
        released.append(True)

    session.lease.release = release  # type: ignore[method-assign]
    with pytest.raises(PermanentError, match="Deployment shop-baseline in shop is not ours"):
        await adopt(session, order(judge(preset="demo", baseline="fresh"), attempt=1))

    assert released
    assert world.cluster.names("Service") == {"shop"}


@pytest.mark.parametrize("fresh", [True, False])
async def test_its_service_is_known_when_it_is_ours_or_will_be(fresh: bool) -> None:
    cluster: Any = SmallCluster()

    assert await find_baseline(cluster, "shop", "shop", fresh=fresh) == ("shop-baseline" if fresh else None)

    mine = await cluster.get(f"{SERVICES}/shop")
    mine["metadata"] |= {"name": "shop-baseline", "labels": {"cd-provider/side": "baseline"}}
    await cluster.create(SERVICES, mine)
    assert await find_baseline(cluster, "shop", "shop", fresh=fresh) == "shop-baseline"


async def test_a_service_of_that_name_that_is_not_ours_is_refused_or_left_alone() -> None:
    cluster: Any = SmallCluster()
    theirs = await cluster.get(f"{SERVICES}/shop")
    theirs["metadata"]["name"] = "shop-baseline"
    await cluster.create(SERVICES, theirs)

    assert await find_baseline(cluster, "shop", "shop", fresh=False) is None
    with pytest.raises(ClusterRefusedError, match="Service shop-baseline in shop is not ours"):
        await find_baseline(cluster, "shop", "shop", fresh=True)
