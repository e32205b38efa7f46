from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator
from typing import Any

import pytest

from cd_provider.adapters.lease import Lease, LeaseState
from cd_provider.core.workload import WorkloadRef
from cd_provider.exceptions import (
    ClusterConflictError,
    ClusterUnavailableError,
    LeaseLostError,
    ReleaseBusyError,
)
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.api_server import ApiServer, answers, hang_up, opened

REF = WorkloadRef("deployment", "shop", "web")
PATH = "/apis/coordination.k8s.io/v1/namespaces/shop/leases/cd-provider-deployment-web"
NOON = 1_764_072_000.25


class World:
    """One cluster, one clock, and as many holders as a test wants."""

    def __init__(self, server: ApiServer, client: ClusterClient) -> None:
        self.server, self.client, self.now = server, client, NOON

    def lease(self, delivery: str = "d-1", attempt: int = 1, instance: str = "i-1", about: str = "") -> Lease:
        return Lease(
            self.client,
            REF,
            delivery=delivery,
            attempt=attempt,
            instance=instance,
            clock=lambda: self.now,
            about=about,
        )

    @property
    def spec(self) -> dict[str, Any]:
        spec: dict[str, Any] = self.server.objects[PATH]["spec"]
        return spec


def renewing() -> bool:
    """Tell whether somebody renews a lock in the background."""
    return any(task.get_name().startswith("lease of") for task in asyncio.all_tasks())


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with ApiServer() as server, opened(server) as client:
        yield World(server, client)


async def test_a_free_lock_is_taken_for_two_minutes(world: World) -> None:
    taken_from = await world.lease(about="Dag shop, run r1").acquire()

    assert taken_from is None
    assert world.spec == {
        "holderIdentity": "d-1#1",
        "leaseDurationSeconds": 120,
        "acquireTime": "2025-11-25T12:00:00.250000Z",
        "renewTime": "2025-11-25T12:00:00.250000Z",
        "leaseTransitions": 0,
    }
    assert world.server.objects[PATH]["metadata"]["annotations"] == {
        "cd-provider/instance": "i-1",
        "cd-provider/delivery": "Dag shop, run r1",
    }


async def test_nobody_holds_a_lock_that_is_not_there(world: World) -> None:
    assert await Lease.read(world.client, REF) is None


async def test_what_was_written_is_read_back(world: World) -> None:
    await world.lease("d-7", 3, "i-9", about="Dag shop").acquire()

    state = await Lease.read(world.client, REF)

    assert state is not None
    assert (state.delivery, state.attempt, state.instance, state.about) == ("d-7", 3, "i-9", "Dag shop")
    assert (state.acquired_at, state.ends_at) == (NOON, NOON + 120)
    assert (state.live(NOON + 119), state.live(NOON + 120)) == (True, False)


async def test_a_lock_that_another_delivery_holds_is_busy_and_names_it(world: World) -> None:
    await world.lease("d-1", 2, about="Dag shop, run r1").acquire()
    world.now += 60

    with pytest.raises(ReleaseBusyError) as caught:
        await world.lease("d-2").acquire()

    assert str(caught.value) == (
        "deployment/web in shop is busy: delivery d-1#2 (Dag shop, run r1) holds its lock since 2025-11-25 "
        "12:00:00 UTC, until 2025-11-25 12:02:00 UTC unless it goes on. Nothing was touched; wait for it, or "
        "stop it."
    )
    assert world.spec["holderIdentity"] == "d-1#2"


async def test_a_lock_that_ran_out_is_taken_over_and_its_holder_named(world: World) -> None:
    await world.lease("d-1", 2).acquire()
    world.now += 120

    taken_from = await world.lease("d-2").acquire()

    assert taken_from == "d-1#2"
    assert (world.spec["holderIdentity"], world.spec["leaseTransitions"]) == ("d-2#1", 1)
    assert world.spec["acquireTime"] == world.spec["renewTime"] == "2025-11-25T12:02:00.250000Z"


@pytest.mark.parametrize(
    ("attempt", "instance"),
    [
        pytest.param(2, "i-2", id="a later attempt"),
        pytest.param(1, "i-2", id="the same attempt on another machine"),
    ],
)
async def test_a_delivery_takes_over_from_itself_at_once(world: World, attempt: int, instance: str) -> None:
    first, second = world.lease(), world.lease(attempt=attempt, instance=instance)
    await first.acquire()

    assert await second.acquire() is None

    await second.check()
    with pytest.raises(LeaseLostError, match=f"held by delivery d-1#{attempt} since"):
        await first.check()


async def test_an_attempt_that_was_overtaken_does_not_come_back(world: World) -> None:
    await world.lease(attempt=2, instance="i-2").acquire()

    with pytest.raises(ReleaseBusyError, match="d-1#2"):
        await world.lease(attempt=1).acquire()


async def test_taking_ones_own_lock_again_renews_it(world: World) -> None:
    lease = world.lease()
    await lease.acquire()
    world.now += 100

    assert await lease.acquire() is None

    assert world.spec["acquireTime"] == "2025-11-25T12:00:00.250000Z"
    assert world.spec["renewTime"] == "2025-11-25T12:01:40.250000Z"
    assert world.spec["leaseTransitions"] == 0


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"holderIdentity": ""}, id="emptied"),
        pytest.param({}, id="without a spec"),
        pytest.param({"holderIdentity": None, "renewTime": None}, id="nulls"),
    ],
)
async def test_a_lock_without_a_holder_is_free(world: World, spec: dict[str, Any]) -> None:
    meta = {"name": "cd-provider-deployment-web", "resourceVersion": "7"}
    world.server.objects[PATH] = {"metadata": meta, "spec": spec}

    assert await world.lease().acquire() is None

    await world.lease().check()


def test_a_holder_of_a_foreign_form_is_kept_as_it_is() -> None:
    state = LeaseState.of({"metadata": {}, "spec": {"holderIdentity": "somebody#else"}})

    assert (state.delivery, state.attempt, state.holder) == ("somebody#else", 0, "somebody#else")


async def test_of_many_that_race_for_a_free_lock_one_gets_it(world: World) -> None:
    rivals = [world.lease(f"d-{number}", instance=f"i-{number}") for number in range(8)]

    results = await asyncio.gather(*(rival.acquire() for rival in rivals), return_exceptions=True)

    assert [type(one) for one in results if one is not None] == [ReleaseBusyError] * 7


async def test_of_many_that_race_for_an_expired_lock_one_gets_it(world: World) -> None:
    await world.lease("d-old").acquire()
    world.now += 121
    rivals = [world.lease(f"d-{number}", instance=f"i-{number}") for number in range(8)]

    results = await asyncio.gather(*(rival.acquire() for rival in rivals), return_exceptions=True)

    assert sorted(str(one)[:7] for one in results) == ["d-old#1", *["deploym"] * 7]


async def test_a_lock_that_changes_all_the_time_is_given_up(world: World) -> None:
    world.server.next = [answers(404), answers(409)] * 10

    with pytest.raises(ClusterConflictError, match="changed 10 times"):
        await world.lease().acquire()


async def test_a_check_near_the_end_renews(world: World) -> None:
    lease = world.lease()
    await lease.acquire()
    world.now += 60
    await lease.check()
    before = world.spec["renewTime"]
    world.now += 1

    await lease.check()

    assert before == "2025-11-25T12:00:00.250000Z"
    assert world.spec["renewTime"] == "2025-11-25T12:01:01.250000Z"


async def test_a_holder_that_slept_past_its_end_keeps_a_lock_that_nobody_took(world: World) -> None:
    lease = world.lease()
    await lease.acquire()
    world.now += 500

    await lease.check()

    with pytest.raises(ReleaseBusyError):
        await world.lease("d-2").acquire()


async def test_a_lock_that_was_deleted_is_lost(world: World) -> None:
    lease = world.lease()
    await lease.acquire()
    del world.server.objects[PATH]

    with pytest.raises(LeaseLostError, match=r"no longer ours .* it is gone"):
        await lease.check()


async def test_a_lost_lock_stays_lost_until_it_is_taken_again(world: World) -> None:
    first, second = world.lease("d-1"), world.lease("d-2")
    await first.acquire()
    as_it_was = copy.deepcopy(world.server.objects[PATH])
    world.now += 121
    await second.acquire()
    with pytest.raises(LeaseLostError):
        await first.check()
    world.server.objects[PATH] = as_it_was

    with pytest.raises(LeaseLostError):
        await first.check()
    await first.acquire()

    await first.check()
    assert not first.lost.is_set()


async def test_an_outage_is_not_taken_for_a_loss(world: World) -> None:
    lease = world.lease()
    await lease.acquire()
    world.server.next = [answers(503)]

    with pytest.raises(ClusterUnavailableError):
        await lease.check()

    assert not lease.lost.is_set()
    await lease.check()


async def test_a_lock_is_kept_through_an_outage(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cd_provider.adapters.lease.RETRY_S", 0.001)
    lease = world.lease()
    await lease.acquire()
    world.server.next = [answers(503), hang_up, hang_up, hang_up, answers(429)]

    async with lease.keep(every_s=0.001), asyncio.timeout(10):
        world.now += 30
        while world.spec["renewTime"] != "2025-11-25T12:00:30.250000Z":
            await asyncio.sleep(0.001)

    assert not lease.lost.is_set()


async def test_the_loss_of_a_kept_lock_is_noticed(world: World) -> None:
    first, second = world.lease(attempt=1), world.lease(attempt=2, instance="i-2")
    await first.acquire()

    async with first.keep(every_s=0.001), asyncio.timeout(10):
        await second.acquire()
        await first.lost.wait()
        while renewing():
            await asyncio.sleep(0)

    with pytest.raises(LeaseLostError):
        await first.check()
    await second.check()


async def test_what_is_kept_is_renewed_no_longer_when_the_keeping_ends(world: World) -> None:
    lease = world.lease()
    await lease.acquire()

    async with lease.keep(every_s=0.001):
        assert renewing()

    assert not renewing()


async def test_a_freed_lock_leaves_no_trace_and_may_be_freed_twice(world: World) -> None:
    lease = world.lease()
    await lease.acquire()

    await lease.release()
    await lease.release()

    assert world.server.objects == {}


@pytest.mark.parametrize(
    ("delivery", "attempt", "instance"),
    [
        pytest.param("d-2", 1, "i-1", id="another delivery's"),
        pytest.param("d-1", 2, "i-1", id="a later attempt's"),
        pytest.param("d-1", 1, "i-2", id="the same attempt's on another machine"),
    ],
)
async def test_a_lock_of_somebody_else_is_not_freed(
    world: World, delivery: str, attempt: int, instance: str
) -> None:
    await world.lease(delivery, attempt, instance).acquire()

    await world.lease().release()

    assert world.spec["holderIdentity"] == f"{delivery}#{attempt}"


async def test_a_lock_taken_over_while_it_is_freed_is_not_freed(world: World) -> None:
    lease = world.lease()
    await lease.acquire()
    delete = world.client.delete

    async def late(path: str, body: Any = None, **query: Any) -> dict[str, Any]:
        await world.lease(attempt=2, instance="i-2").acquire()
        return await delete(path, body, **query)

    world.client.delete = late  # type: ignore[method-assign]
    await lease.release()

    assert world.spec["holderIdentity"] == "d-1#2"
