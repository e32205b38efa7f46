"""What every door to pods must do: the fake, and a watch on a real cluster."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from cd_provider.adapters.pods import open_pods
from cd_provider.adapters.workloads import open_candidate
from cd_provider.core.names import CANDIDATE
from cd_provider.core.pod import PodFault, PodState
from cd_provider.core.ports import Pods
from cd_provider.hooks.cluster import ClusterHook
from tests.contracts.conftest import Deployed, Shop, open_shop
from tests.fakes import FakePods, pod
from tests.stack.images import push_shop

if TYPE_CHECKING:
    from tests.stack import Stack


@dataclass(frozen=True)
class Case:
    """Pods of a stable with one pod: how a candidate of an image is added, and how a pod is changed a little."""

    pods: Pods
    add: Callable[[str], Awaitable[None]]
    touch: Callable[[], None]


@pytest.fixture(scope="session")
def crash(stack: Stack) -> str:
    """A version that ends with code 1 at once."""
    return push_shop(stack, "crash", crash=True)


@pytest.fixture
def deployed(standing: Deployed) -> Deployed:
    return standing


@pytest.fixture
def hook(deployed: Deployed, monkeypatch: pytest.MonkeyPatch) -> ClusterHook:
    """The hook on a connection to that cluster, with the documented rights."""
    extra = {"kube_config_path": str(deployed.kubeconfig)}
    monkeypatch.setenv("AIRFLOW_CONN_PODS_TEST", json.dumps({"conn_type": "kubernetes", "extra": extra}))
    return ClusterHook("pods_test")


async def add_candidate(shop: Shop, image: str) -> None:
    await open_candidate(shop.client, shop.ref, service="shop", app="shop").apply(
        images={"shop": image}, replicas=1, annotations={}
    )


@pytest.fixture(params=["fake", "watch"])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    if request.param == "fake":
        stable, fake = pod("shop-1", side=None), FakePods(pod("shop-1", side=None))

        async def add(image: str) -> None:
            fake.put(stable, pod("shop-candidate-1", digest=image.partition("@")[2]))

        yield Case(fake, add, lambda: fake.put(*fake.pods))
        return
    hook = request.getfixturevalue("hook")
    async with (
        open_shop(request.getfixturevalue("stack"), request.getfixturevalue("deployed")) as shop,
        open_pods(hook, shop.ref, container="shop", selector={"app": "shop"}) as pods,
    ):
        yield Case(pods, lambda image: add_candidate(shop, image), lambda: touch(shop))


async def until(pods: Pods, done: Callable[[Sequence[PodState]], bool]) -> Sequence[PodState]:
    """Wait, by the door itself, until its states are as asked."""
    async with asyncio.timeout(40):
        while not done(states := await pods.states()):
            await pods.wait(30)
    return states


def touch(shop: Shop) -> None:
    shop.kubectl("annotate", "pods", "-l", "app=shop", f"touched={uuid.uuid4().hex}", "--overwrite")


async def heard(pods: Pods, touch: Callable[[], None]) -> None:
    """
    Change a pod and wait until that is heard; what the first list said is no change.

    A connection that is given up while it is still being made outlives the test's event loop, so tests do this
    before they close.
    """
    await pods.states()
    await pods.wait(0.05)
    await asyncio.to_thread(touch)
    async with asyncio.timeout(40):
        await pods.wait(60)


def ready_candidates(states: Sequence[PodState]) -> list[PodState]:
    return [one for one in states if one.side == CANDIDATE and one.serves]


async def test_both_sides_are_seen_with_the_digest_that_they_run(case: Case, v1: str, v2: str) -> None:
    await until(case.pods, lambda states: len(states) == 1 and states[0].ready)
    await case.add(v2)

    states = await until(case.pods, lambda states: bool(ready_candidates(states)))

    assert {one.side for one in states} == {None, CANDIDATE}
    assert len(states) == 2
    candidate = ready_candidates(states)[0]
    assert v2.partition("@")[2] in candidate.digests
    assert v1.partition("@")[2] not in candidate.digests
    assert candidate.fault is None


async def test_wait_ends_with_a_change_or_without_one(case: Case) -> None:
    await heard(case.pods, case.touch)

    async with asyncio.timeout(10):
        await case.pods.wait(0.05)


async def test_pods_that_were_disowned_are_seen_no_more_and_the_others_are(case: Case, v2: str) -> None:
    await case.add(v2)
    states = await until(case.pods, lambda states: bool(ready_candidates(states)))

    case.pods.disown([one.uid for one in states if one.side == CANDIDATE])

    for left in (await case.pods.states(), case.pods.latest()):
        assert [one.side for one in left] == [None]


# --- the watch itself --------------------------------------------------------------------------------------


async def test_a_crash_is_known_with_its_reason_and_last_lines(
    deployed: Deployed, stack: Stack, hook: ClusterHook, crash: str
) -> None:
    async with (
        open_shop(stack, deployed) as shop,
        open_pods(hook, shop.ref, container="shop", selector={"app": "shop"}) as pods,
    ):
        await add_candidate(shop, crash)

        states = await until(pods, lambda states: any(one.fault for one in states))

        fault = next(one.fault for one in states if one.fault)
        assert isinstance(fault, PodFault)
        assert (fault.reason, fault.container) in [("Crashed", "shop"), ("CrashLoopBackOff", "shop")]
        async with asyncio.timeout(30):
            while not (lines := await pods.last_lines(fault.pod, container=fault.container, lines=2)):
                await pods.wait(1)
        assert 1 <= len(lines.splitlines()) <= 2


async def test_pods_that_go_are_seen_to_go(
    deployed: Deployed, stack: Stack, hook: ClusterHook, v2: str
) -> None:
    async with (
        open_shop(stack, deployed) as shop,
        open_pods(hook, shop.ref, container="shop", selector={"app": "shop"}) as pods,
    ):
        await add_candidate(shop, v2)
        await until(pods, lambda states: bool(ready_candidates(states)))
        await open_candidate(shop.client, shop.ref, service="shop", app="shop").remove()

        await until(pods, lambda states: not ready_candidates(states))


async def test_a_namespace_full_of_canaries_is_one_watch_at_the_api_server(
    deployed: Deployed, stack: Stack, hook: ClusterHook
) -> None:
    """The API server's own count of watches on pods tells; other watches come and go, none by the fifty."""

    def watches() -> float:
        lines = stack.kubectl("get", "--raw", "/metrics").splitlines()
        counts = [line for line in lines if line.startswith("apiserver_longrunning_requests{")]
        return sum(
            float(line.rpartition(" ")[2])
            for line in counts
            if 'resource="pods"' in line and 'verb="WATCH"' in line
        )

    async with open_shop(stack, deployed) as shop:
        before = watches()
        users = [open_pods(hook, shop.ref, container="shop", selector={"app": "shop"}) for _ in range(50)]
        opened = [await user.__aenter__() for user in users]
        try:
            await asyncio.gather(*(pods.states() for pods in opened))
            await heard(opened[0], lambda: touch(shop))
            assert watches() - before < 25
        finally:
            for user in users:
                with suppress(Exception):
                    await user.__aexit__(None, None, None)
