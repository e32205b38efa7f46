"""Pages that do not come: evidence, an outage, a missing right, or a wrong port, and each is told apart."""

from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from cd_provider.adapters.metrics.counters_direct import DirectCounters
from cd_provider.core.judge.presets import DEMO
from cd_provider.exceptions import (
    MetricQueryError,
    MetricsRefusedError,
    MetricsUnavailableError,
)
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.adapters.direct.proxied import (
    PODS,
    REFUSED_CONNECTION,
    SIDES,
    Proxied,
    patient,
    shop,
)
from tests.unit.api_server import Answer, answers, hang_up


@pytest.mark.parametrize(
    "miss",
    [
        pytest.param(REFUSED_CONNECTION, id="the port is closed"),
        pytest.param(hang_up, id="the connection breaks"),
        pytest.param(answers(502), id="502"),
    ],
)
async def test_a_ready_candidate_pod_that_does_not_answer_twice_is_evidence(
    server: Proxied, client: ClusterClient, miss: Answer
) -> None:
    source = patient(client, DEMO)
    server.pages["c1"] = miss
    first, second = await source.read(SIDES, since=0.0), await source.read(SIDES, since=0.0)
    server.pages["c1"] = shop(1, 0)
    third = await source.read(SIDES, since=0.0)
    server.pages["c1"] = miss
    fourth = await source.read(SIDES, since=0.0)

    assert [one.unreachable for one in (first, second, third, fourth)] == [(), ("c1",), (), ()]
    assert {one.pod for one in first.series} == {"c2", "s1", "s2"}
    assert first.remarks


async def silence(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


async def test_a_page_that_takes_too_long_is_left(server: Proxied, client: ClusterClient) -> None:
    server.pages["c1"] = silence
    reading = await DirectCounters(client, DEMO, timeout_s=2.0).read(SIDES, since=0.0)

    assert reading.remarks == ("pod web/c1: no page within 2 s.",)


async def test_while_stable_is_silent_too_nobody_is_blamed(server: Proxied, client: ClusterClient) -> None:
    source = patient(client, DEMO)
    server.pages.update(dict.fromkeys(("c1", "s1", "s2"), REFUSED_CONNECTION))
    for _ in range(3):
        assert (await source.read(SIDES, since=0.0)).unreachable == ()

    server.pages["s1"] = shop(1, 0)
    assert (await source.read(SIDES, since=0.0)).unreachable == ()
    assert (await source.read(SIDES, since=0.0)).unreachable == ("c1",)


async def test_a_stable_pod_that_does_not_answer_is_no_evidence(
    server: Proxied, client: ClusterClient
) -> None:
    source = patient(client, DEMO)
    server.pages["s2"] = REFUSED_CONNECTION

    assert [(await source.read(SIDES, since=0.0)).unreachable for _ in range(3)] == [()] * 3


async def test_a_pod_that_is_gone_is_no_evidence_either(server: Proxied, client: ClusterClient) -> None:
    source = patient(client, DEMO)
    del server.pages["c1"]
    readings = [await source.read(SIDES, since=0.0) for _ in range(3)]

    assert [one.unreachable for one in readings] == [()] * 3
    assert "of its pods c1" in readings[0].missing[0]


async def test_no_page_at_all_is_an_outage(server: Proxied, client: ClusterClient) -> None:
    server.pages = dict.fromkeys(PODS, REFUSED_CONNECTION)

    with pytest.raises(MetricsUnavailableError, match=r"no page of metrics arrived: .*connection refused"):
        await patient(client, DEMO).read(SIDES, since=0.0)


async def test_a_missing_right_is_named(server: Proxied, client: ClusterClient) -> None:
    said = 'pods "s1" is forbidden: User "x" cannot get resource "pods/proxy" in API group "" in the namespace "web"'
    server.pages["s1"] = answers(403, said)

    with pytest.raises(MetricsRefusedError, match="RBAC verb get on pods/proxy in namespace web"):
        await patient(client, DEMO).read(SIDES, since=0.0)


@pytest.mark.parametrize(
    "page",
    [
        pytest.param(answers(403, "you shall not pass"), id="the pod refuses"),
        pytest.param(answers(404, "404 page not found"), id="the pod has no such page"),
        pytest.param(answers(400), id="the pod wants TLS"),
    ],
)
async def test_a_pod_that_has_no_page_is_a_matter_of_configuration(
    server: Proxied, client: ClusterClient, page: Answer
) -> None:
    server.pages["s1"] = page

    with pytest.raises(MetricQueryError, match=r"pod web/s1: .*port 8080, path /metrics") as caught:
        await patient(client, DEMO).read(SIDES, since=0.0)

    assert type(caught.value) is MetricQueryError
