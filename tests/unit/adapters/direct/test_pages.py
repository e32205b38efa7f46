"""What stands on a page, and what a plan hears of it."""

from __future__ import annotations

import pytest

from cd_provider.adapters.metrics import counters_direct
from cd_provider.core.judge.presets import DEMO, Preset, preset
from cd_provider.core.judge.sides import Sides
from cd_provider.exceptions import (
    MetricQueryError,
)
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.adapters.direct.proxied import (
    SIDES,
    Proxied,
    at_the_gateway,
    gateway,
    patient,
    shop,
)
from tests.unit.api_server import answers


async def test_a_page_beyond_the_limit_is_refused(
    server: Proxied, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters_direct, "MAX_BYTES", 100)

    with pytest.raises(MetricQueryError, match="longer than 100 bytes"):
        await patient(client, DEMO).read(SIDES, since=0.0)


@pytest.mark.parametrize(
    ("page", "said"),
    [
        pytest.param('shop_requests_total{code="200" 5\n', "saw the line", id="a broken line"),
        pytest.param(
            "# TYPE shop_requests_total gauge\n" + shop(1, 0).split("\n", 1)[1], "a gauge", id="a gauge"
        ),
        pytest.param('shop_requests_total{code="200"} -5\n', "a value of -5", id="below zero"),
        pytest.param(
            "shop_request_duration_seconds_bucket 3\n", "le as a number", id="a bucket without a bound"
        ),
    ],
)
async def test_a_page_that_cannot_be_counted_is_an_error(
    server: Proxied, client: ClusterClient, page: str, said: str
) -> None:
    server.pages["c2"] = page

    with pytest.raises(MetricQueryError, match=f"pod web/c2: .*{said}"):
        await patient(client, DEMO).read(SIDES, since=0.0)


CUSTOM = preset("custom", total="calls", status="code", pod="k8s_pod", namespace="k8s_namespace")


@pytest.mark.parametrize("one", [DEMO, CUSTOM], ids=["demo", "custom"])
async def test_where_a_page_was_read_wins_over_what_it_says(
    server: Proxied, client: ClusterClient, one: Preset
) -> None:
    line = f'{one.total}{{pod="s1",k8s_pod="s1",namespace="x",code="200"}} 1\n'
    server.pages = dict.fromkeys(("c1", "s1"), line)
    reading = await patient(client, one).read(SIDES, since=0.0)

    assert [(series.side, series.pod) for series in reading.series] == [("candidate", "c1"), ("stable", "s1")]


async def test_a_page_without_the_counters_is_missing(server: Proxied, client: ClusterClient) -> None:
    server.pages |= {"c1": "up 1\n", "c2": "up 1\n"}
    (line,) = (await patient(client, DEMO).read(SIDES, since=0.0)).missing

    assert line.startswith("candidate shop-candidate: no shop_requests_total. Asked: c1:8080/metrics")


async def test_a_plan_leaves_no_trace_in_what_is_counted(client: ClusterClient) -> None:
    source = patient(client, DEMO)
    await source.probe(SIDES)

    assert all(one.old for one in (await source.read(SIDES, since=0.0)).series)
    assert not any(one.old for one in (await source.read(SIDES, since=0.0)).series)


async def test_the_plan_hears_in_a_sentence_what_is_missing(server: Proxied, client: ClusterClient) -> None:
    source = patient(client, DEMO)
    stable = Sides("web", "shop-candidate", "shop", (), ("s1", "s2"), SIDES.pages)
    assert await source.probe(stable) is None

    server.pages |= {"s1": "up 1\n", "s2": "up 1\n"}
    assert "stable shop: no shop_requests_total" in str(await source.probe(stable))

    server.pages["s1"] = answers(403, 'cannot get resource "pods/proxy"')
    assert "get on pods/proxy" in str(await source.probe(stable))
    server.pages = {"e1": gateway({"web_other_80": 5})}
    assert "stable shop: no envoy_cluster_upstream_rq" in str(await at_the_gateway(client).probe(stable))


async def test_more_series_than_anybody_judges_are_refused(
    server: Proxied, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters_direct, "MAX_SERIES", 3)

    with pytest.raises(MetricQueryError, match="more than 3 series"):
        await patient(client, DEMO).read(SIDES, since=0.0)
