"""Requests of our own: the same to both sides, in turn, bounded, and whatever is answered is counted elsewhere."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable

import pytest
from aiohttp import web

from cd_provider.adapters import prober
from cd_provider.adapters.prober import Prober
from cd_provider.core.judge.presets import DEMO
from cd_provider.core.judge.sides import Sides
from cd_provider.core.probe import Probe
from cd_provider.exceptions import ArgumentError, CdProviderError, MetricsRefusedError
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.api_server import Answer, ApiServer, answers

SIDES = Sides("web", "shop-candidate", "shop", ("c2", "c1"), ("s1", "s2", "s3"))


class Pods(ApiServer):
    """An API server before pods that answer as a test says."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.say: Answer = answers(200)
        self.enough = asyncio.Event()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path_qs)
        if len(self.asked) >= 24:
            self.enough.set()
        return await self.say(request)

    @property
    def pods(self) -> Counter[str]:
        return Counter(path.split("/")[6].partition(":")[0] for path in self.asked)


@pytest.fixture
async def server() -> AsyncIterator[Pods]:
    async with Pods() as server:
        yield server


Probes = Callable[..., Prober]


@pytest.fixture
def probes(client: ClusterClient) -> Probes:
    def made(sides: Sides = SIDES, *, per_second: float = 1000.0, port: int | None = None) -> Prober:
        return Prober(client, Probe("/items?page=2", per_second, port), DEMO, sides=lambda: sides)

    return made


async def run(one: Prober, server: Pods, *, wanted: Callable[[], bool] = lambda: True) -> None:
    task = asyncio.create_task(one.run(wanted))
    try:
        await asyncio.wait_for(server.enough.wait(), 20)
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_each_pod_has_its_turn_and_both_sides_get_as_much(server: Pods, probes: Probes) -> None:
    turns = iter([True] * 12)
    await run(probes(), server, wanted=lambda: next(turns, False))  # until all of theirs have come

    assert server.pods == {"c1": 6, "c2": 6, "s1": 4, "s2": 4, "s3": 4}
    assert server.asked[0].startswith("/api/v1/namespaces/web/pods/")
    assert server.asked[0].endswith(":8080/proxy/items?page=2")


async def test_another_port_than_that_of_the_metrics_is_asked(server: Pods, probes: Probes) -> None:
    await probes(port=9000).once("web", "c1")

    assert server.asked == ["/api/v1/namespaces/web/pods/c1:9000/proxy/items?page=2"]


@pytest.mark.parametrize("status", [404, 500, 503, 403])
async def test_what_pods_answer_ends_nothing(server: Pods, probes: Probes, status: int) -> None:
    server.say = answers(status, "not like this")

    await run(probes(), server)

    with pytest.raises(CdProviderError, match="not like this"):
        await probes().once("web", "c1")


async def test_without_the_right_the_verb_is_named_and_said_once(
    server: Pods, probes: Probes, caplog: pytest.LogCaptureFixture
) -> None:
    server.say = answers(403, 'cannot get resource "pods/proxy"')

    await run(probes(Sides("web", "a", "b", ("c1",), ("s1",))), server)

    with pytest.raises(MetricsRefusedError, match="get on pods/proxy in namespace web"):
        await probes().once("web", "c1")
    assert sum("get on pods/proxy" in one.message for one in caplog.records) == 1


@pytest.mark.parametrize("sides", [Sides("web", "a", "b", (), ("s1",)), Sides("web", "a", "b", ("c1",), ())])
async def test_one_side_alone_is_not_asked(server: Pods, probes: Probes, sides: Sides) -> None:
    one = probes(sides)

    assert one._both() == []
    assert one.sent == 0


async def test_sides_that_cannot_be_told_for_a_moment_end_nothing(
    server: Pods, client: ClusterClient
) -> None:
    moments = iter(range(1000))

    def sides() -> Sides:
        if next(moments) < 5:
            raise ArgumentError("web/c1 is on both sides")
        return SIDES

    await run(Prober(client, Probe("/", 1000.0), DEMO, sides=sides), server)


async def test_a_candidate_without_users_is_left_alone(server: Pods, probes: Probes) -> None:
    asked = 0

    def wanted() -> bool:
        nonlocal asked
        asked += 1
        return asked > 20

    task = asyncio.create_task(probes().run(wanted))
    while asked <= 20:
        assert server.asked == []
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_pods_that_hang_are_not_asked_without_end(
    server: Pods, probes: Probes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prober, "MOST_AT_ONCE", 6)
    released = asyncio.Event()

    async def hang(_: web.Request) -> web.StreamResponse:
        await released.wait()
        return web.Response()

    server.say = hang
    rounds = 0

    def wanted() -> bool:
        nonlocal rounds
        rounds += 1
        return True

    task = asyncio.create_task(probes().run(wanted))
    while rounds < 50:
        await asyncio.sleep(0.001)
    seen = len(server.asked)
    released.set()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)

    assert seen <= 6
