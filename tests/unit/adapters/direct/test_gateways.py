"""A gateway's pages: found by its labels, read in its pods, and only what is ours is taken."""

from __future__ import annotations

import pytest
from aiohttp import web

from cd_provider.adapters import gateway_pages
from cd_provider.adapters.metrics.counters_direct import DirectCounters
from cd_provider.core.judge.presets import DEMO, ENVOY, Preset
from cd_provider.exceptions import (
    ArgumentError,
    MetricQueryError,
    MetricsRefusedError,
    MetricsUnavailableError,
)
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.adapters.direct.proxied import (
    SIDES,
    Proxied,
    at_the_gateway,
    gateway,
    lists,
    pod_list,
)
from tests.unit.api_server import Answer, answers, hang_up


async def test_the_gateways_pages_are_read_and_only_ours_of_them(
    server: Proxied, client: ClusterClient
) -> None:
    names = ("web_shop_80", "web_shop-candidate_80", "web_other_80", "other_shop_80")
    server.pages = {"e2": gateway(dict.fromkeys(names, 7)), "e1": gateway(dict.fromkeys(names, 5))}
    reading = await at_the_gateway(client).read(SIDES, since=0.0)

    assert [(one.side, one.pod, one.samples[0][1]) for one in reading.series] == [
        ("stable", "e1", 5.0), ("candidate", "e1", 5.0), ("stable", "e2", 7.0), ("candidate", "e2", 7.0),
    ]  # fmt: skip
    assert not any(one for one in reading.missing if "_bucket" not in one)
    assert sorted(request.path for request in server.requests[1:]) == [
        f"/api/v1/namespaces/edge/pods/{pod}:8002/proxy/stats/prometheus" for pod in ("e1", "e2")
    ]
    assert server.requests[0].path_qs == "/api/v1/namespaces/edge/pods?labelSelector=app%3Denvoy"


async def test_at_most_six_gateways_are_read(server: Proxied, client: ClusterClient) -> None:
    server.pages = {f"e{number}": gateway({"web_shop_80": 1}) for number in range(9, 0, -1)}
    await at_the_gateway(client).read(SIDES, since=0.0)

    pages = sorted(request.path.split("/")[6] for request in server.requests[1:])
    assert pages == [f"e{number}:8002" for number in range(1, 7)]


async def test_a_gateway_that_is_gone_is_looked_for_at_the_next_read(
    server: Proxied, client: ClusterClient
) -> None:
    server.pages = {"e1": gateway({"web_shop_80": 5}), "e2": gateway({"web_shop_80": 7})}
    source = at_the_gateway(client)
    for _ in range(3):
        await source.read(SIDES, since=0.0)
    assert lists(server) == 1

    del server.pages["e1"]
    server.pages["e3"] = gateway({"web_shop_80": 100})
    assert [one.pod for one in (await source.read(SIDES, since=0.0)).series] == ["e2"]
    (_, newer) = (await source.read(SIDES, since=0.0)).series

    assert (newer.pod, newer.old) == ("e3", True)  # what it has counted before is nobody's news
    assert lists(server) == 2


async def test_a_gateway_that_is_slow_is_not_looked_for_at_every_read(
    server: Proxied, client: ClusterClient
) -> None:
    server.pages = {"e1": gateway({"web_shop_80": 5}), "e2": hang_up}
    source = at_the_gateway(client)
    for _ in range(3):
        assert [one.pod for one in (await source.read(SIDES, since=0.0)).series] == ["e1"]

    assert lists(server) == 1


async def test_through_an_outage_the_gateways_that_are_known_are_read(
    server: Proxied, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gateway_pages, "FRESH_S", 0.0)
    server.pages = {"e1": gateway({"web_shop_80": 5})}
    source = at_the_gateway(client)
    await source.read(SIDES, since=0.0)
    server.listed = answers(503, "not now")

    assert [one.pod for one in (await source.read(SIDES, since=0.0)).series] == ["e1"]
    with pytest.raises(MetricsUnavailableError, match=r"gateway edge/app=envoy: .*not now"):
        await at_the_gateway(client).read(SIDES, since=0.0)


@pytest.mark.parametrize(
    ("listed", "error", "told"),
    [
        pytest.param(answers(403, 'pods is forbidden: cannot list resource "pods"'), MetricsRefusedError,
                     "the RBAC verb list on pods in namespace edge", id="no right"),
        pytest.param(lambda _: pod_list(), MetricQueryError, "no pod with these labels runs in", id="none"),
        pytest.param(lambda _: pod_list("e1", phase="Pending"), MetricQueryError, "no pod with these", id="starts"),
        pytest.param(lambda _: pod_list("e1", ends=True), MetricQueryError, "no pod with these", id="ends"),
    ],
)  # fmt: skip
async def test_gateways_that_cannot_be_found_are_named(
    server: Proxied, client: ClusterClient, listed: Answer, error: type[Exception], told: str
) -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        found = listed(request)
        return found if isinstance(found, web.StreamResponse) else await found

    server.listed = answer
    source = at_the_gateway(client)

    with pytest.raises(error, match=told):
        await source.read(SIDES, since=0.0)
    assert told in str(await source.probe(SIDES))


@pytest.mark.parametrize(
    ("one", "gateways", "told"),
    [
        (ENVOY, None, "nothing said; preset envoy counts in the gateway"),
        (DEMO, "edge/app=envoy", "saw 'edge/app=envoy', but preset demo counts in the pods themselves"),
        (ENVOY, "app=envoy", "saw 'app=envoy', expected the namespace and labels"),
        (ENVOY, "edge/envoy", "saw 'edge/envoy', expected the namespace and labels"),
        (ENVOY, "edge/", "saw 'edge/', expected the namespace and labels"),
        (ENVOY, "edge/app=envoy,", "saw 'edge/app=envoy,', expected"),
    ],
)
def test_a_gateways_counters_need_to_know_where_it_is(
    client: ClusterClient, one: Preset, gateways: str | None, told: str
) -> None:
    with pytest.raises(ArgumentError, match=told):
        DirectCounters(client, one, gateways=gateways)
