"""Pages of pods through the API server: read at once, and stamped by one clock."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

from aiohttp import web

from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, total
from cd_provider.core.judge.presets import DEMO
from cd_provider.core.judge.sides import Page, Sides
from cd_provider.hooks.cluster import ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.adapters.direct.proxied import (
    PODS,
    SIDES,
    Proxied,
    patient,
    shop,
)


async def test_every_pods_counters_come_with_the_moment_they_were_read(
    server: Proxied, client: ClusterClient
) -> None:
    before = time.time()
    reading = await patient(client, DEMO).read(SIDES, since=0.0)
    after = time.time()

    assert {(one.side, one.pod) for one in reading.series} == {
        ("candidate", "c1"), ("candidate", "c2"), ("stable", "s1"), ("stable", "s2"),
    }  # fmt: skip
    assert all(before <= at <= after for one in reading.series for at, _ in one.samples)
    assert len({one.id for one in reading.series}) == len(reading.series) == 16
    assert (reading.unreachable, reading.missing, reading.remarks) == ((), (), ())
    assert {request.path for request in server.requests} == {
        f"/api/v1/namespaces/web/pods/{pod}:8080/proxy/metrics" for pod in PODS
    }
    assert server.requests[0].headers["Accept"].startswith("text/plain;version=0.0.4")


async def test_pages_are_asked_for_together(server: Proxied, client: ClusterClient) -> None:
    asked = asyncio.Barrier(len(PODS))

    async def once_all_are_asked(_: web.Request) -> web.StreamResponse:
        async with asyncio.timeout(10):
            await asked.wait()
        return web.Response(text=shop(10, 1))

    server.pages = dict.fromkeys(PODS, once_all_are_asked)
    reading = await patient(client, DEMO).read(SIDES, since=0.0)

    assert (reading.unreachable, {one.pod for one in reading.series}) == ((), set(PODS))


class Clocked(ClusterClient):
    """A client whose clock says what a test says."""

    now = 999.0

    async def page(self, path: str, *, accept: str, max_bytes: int) -> tuple[float, str]:
        _, text = await super().page(path, accept=accept, max_bytes=max_bytes)
        return self.now, text


async def test_differences_of_two_reads_make_a_tick(server: Proxied) -> None:
    login = ClusterLogin(kube_config=server.kubeconfig())
    async with Clocked(lambda: load(login, conn_id="k8s")) as client:
        assert isinstance(client, Clocked)
        source, aligner = patient(client, DEMO), Aligner(started_at=1000.0, interval_s=1.0)
        aligner.feed((await source.read(SIDES, since=0.0)).series)
        client.now, server.pages = 1001.0, {pod: shop(15, 3) for pod in PODS}
        (tick,) = aligner.feed((await source.read(SIDES, since=0.0)).series)

    assert total(tick.candidate) == Counts(14, 4, (10, 4))


async def test_a_page_that_is_first_seen_late_is_no_news_and_a_new_line_on_a_known_one_is(
    server: Proxied,
) -> None:
    login = ClusterLogin(kube_config=server.kubeconfig())
    later = replace(SIDES, stable_pods=("s1",))
    async with Clocked(lambda: load(login, conn_id="k8s")) as client:
        assert isinstance(client, Clocked)
        source, aligner = patient(client, DEMO), Aligner(started_at=1000.0, interval_s=1.0)
        server.pages = dict.fromkeys(PODS, 'shop_requests_total{version="v1",code="200"} 5000\n')
        for client.now in (999.0, 1001.0):
            aligner.feed((await source.read(later, since=0.0)).series)
        client.now, server.pages = 1002.0, dict.fromkeys(PODS, shop(5000, 3))
        (tick,) = aligner.feed((await source.read(SIDES, since=0.0)).series)

    assert (total(tick.candidate).errors, total(tick.candidate).requests) == (6, 6)
    assert (total(tick.stable).errors, total(tick.stable).requests) == (3, 3)


async def test_what_is_not_newer_is_left_out(client: ClusterClient) -> None:
    reading = await patient(client, DEMO).read(SIDES, since=time.time() + 60)

    assert (reading.series, reading.missing) == ((), ())


async def test_at_most_six_pods_of_a_side_are_read_and_always_the_same(
    server: Proxied, client: ClusterClient
) -> None:
    mine, theirs = (tuple(f"{side}{number}" for number in range(9)) for side in "cs")
    server.pages = {pod: shop(1, 0) for pod in (*mine, *theirs)}
    pages = {pod: Page("web", pod, 8080) for pod in server.pages}
    source = patient(client, DEMO)
    for order in (1, -1):
        reading = await source.read(Sides("web", "c", "s", mine[::order], theirs[::order], pages), since=0.0)
        assert {one.pod for one in reading.series} == {*mine[:6], *theirs[:6]}
        assert reading.missing == ()
