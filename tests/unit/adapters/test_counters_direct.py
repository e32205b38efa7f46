"""Pages of gateways and pods through the API server: read at once, stamped by one clock, and missed with care."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace

import pytest
from aiohttp import web

from cd_provider.adapters import gateway_pages
from cd_provider.adapters.metrics import counters_direct
from cd_provider.adapters.metrics.counters_direct import DirectCounters
from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, total
from cd_provider.core.judge.exposition import Sample, parse_line, type_of
from cd_provider.core.judge.presets import DEMO, ENVOY, Preset, preset
from cd_provider.core.judge.sides import Page, Sides
from cd_provider.exceptions import (
    ArgumentError,
    MetricQueryError,
    MetricsRefusedError,
    MetricsUnavailableError,
)
from cd_provider.hooks.cluster import ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.api_server import Answer, ApiServer, answers, hang_up, status

PODS = ("c1", "c2", "s1", "s2")
SIDES = Sides(
    "web", "shop-candidate", "shop", ("c1", "c2"), ("s1", "s2"), {pod: Page("web", pod, 8080) for pod in PODS}
)


class Proxied(ApiServer):
    """An API server before pods that show these pages; a pod without one is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, str | Answer] = {}
        self.listed: Answer | None = None  # of pods, where it is not simply those that have a page

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.path.endswith("/pods"):
            return await self.listed(request) if self.listed else pod_list(*self.pages)
        pod = request.path.split("/")[6].partition(":")[0]
        if (page := self.pages.get(pod)) is None:
            return status(404, f'pods "{pod}" not found')
        return web.Response(text=page) if isinstance(page, str) else await page(request)


@pytest.fixture
async def server() -> AsyncIterator[Proxied]:
    async with Proxied() as server:
        server.pages = {pod: shop(10, 1) for pod in PODS}
        yield server


@pytest.fixture
async def client(server: Proxied) -> AsyncIterator[ClusterClient]:
    login = ClusterLogin(kube_config=server.kubeconfig())
    async with ClusterClient(lambda: load(login, conn_id="k8s")) as client:
        yield client


def at_the_gateway(client: ClusterClient) -> DirectCounters:
    return DirectCounters(client, ENVOY, gateways="edge/app=envoy", timeout_s=30.0)


def lists(server: Proxied) -> int:
    """How often pods were listed."""
    return sum(request.path.endswith("/pods") for request in server.requests)


def pod_list(*names: str, phase: str = "Running", ends: bool = False) -> web.Response:
    ending = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if ends else {}
    items = [{"metadata": {"name": name, **ending}, "status": {"phase": phase}} for name in names]
    return web.json_response({"kind": "PodList", "items": items})


def shop(good: int, bad: int) -> str:
    bucket = "shop_request_duration_seconds_bucket"
    return (
        "# TYPE shop_requests_total counter\n"
        f'shop_requests_total{{version="v1",code="200"}} {good}\nshop_requests_total{{code="500"}} {bad}\n'
        f'{bucket}{{le="0.1"}} {good}\n{bucket}{{le="+Inf"}} {good + bad}\n'
    )


def gateway(counts: Mapping[str, int]) -> str:
    lines = [
        f'envoy_cluster_upstream_rq{{envoy_response_code="200",envoy_cluster_name="{name}"}} {count}'
        for name, count in counts.items()
    ]
    return "# TYPE envoy_cluster_upstream_rq counter\n" + "\n".join(lines) + "\n"


async def silence(_: web.Request) -> web.StreamResponse:
    await asyncio.sleep(30)
    return web.Response()


def patient(client: ClusterClient, one: Preset) -> DirectCounters:
    """A source that waits longer than a busy machine takes."""
    return DirectCounters(client, one, timeout_s=30.0)


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


REFUSED_CONNECTION = answers(
    503, "error trying to reach service: dial tcp 10.0.0.1:8080: connect: connection refused"
)


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


async def test_a_line_is_parsed_once_and_a_metrics_kind_looked_up_once_a_page(
    server: Proxied, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read has to cost half a millisecond a page; the rest of the page, and what is known of it, is not parsed."""
    parsed, kinds = list[str](), list[str]()

    def parse(line: str, *, in_seconds: bool) -> Sample:
        parsed.append(line)
        return parse_line(line, in_seconds=in_seconds)

    def kind(text: str, name: str) -> str | None:
        kinds.append(name)
        return type_of(text, name)

    monkeypatch.setattr(counters_direct, "parse_line", parse)
    monkeypatch.setattr(counters_direct, "type_of", kind)
    source = patient(client, DEMO)
    server.pages = dict.fromkeys(PODS, "not_ours{a broken line\n" + shop(10, 1))
    first = await source.read(SIDES, since=0.0)
    assert len(parsed) == 16
    assert len(kinds) == 2 * len(PODS)

    server.pages = dict.fromkeys(PODS, shop(12, 3) + 'shop_requests_total{code="503"} 7\n')
    second = await source.read(SIDES, since=0.0)

    assert parsed[16:] == ['shop_requests_total{code="503"} 7'] * len(PODS)
    assert {one.id for one in first.series} < {one.id for one in second.series}
    assert {(one.bad, one.samples[0][1]) for one in second.series if one.edge is None} == {
        (False, 12.0), (True, 3.0), (True, 7.0),
    }  # fmt: skip


async def test_what_is_known_of_a_line_is_forgotten_with_the_sides(
    server: Proxied, client: ClusterClient
) -> None:
    source = patient(client, DEMO)
    await source.read(SIDES, since=0.0)
    swapped = replace(SIDES, candidate_pods=SIDES.stable_pods, stable_pods=SIDES.candidate_pods)

    reading = await source.read(swapped, since=0.0)

    assert {one.pod for one in reading.series if one.side == "candidate"} == {"s1", "s2"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param('{"code="200"} 5', "", id="a name without a value"),
        pytest.param(
            '{code="200"} 5 # {trace_id="x"} 0.5', '{code="200"} 9 # {trace_id="x"} 0.7', id="an exemplar"
        ),
        pytest.param('{code="200"} 5 1700000000000', '{code="200"} 9 1700000001000', id="a stamp"),
        pytest.param('{code="200",note="a } 3"} 5', '{code="200",note="a } 3"} 9', id="a bracket in a value"),
        pytest.param('{code="200"} 5e0', '{code="200"} 9.0E+0', id="powers of ten"),
        pytest.param('{ code = "200" }  5', '{ code = "200" }  9', id="spaces"),
        pytest.param(" 5", " 9", id="no labels"),
    ],
)
async def test_a_value_is_the_lines_own_whether_it_is_known_or_not(
    server: Proxied, client: ClusterClient, first: str, second: str
) -> None:
    source, seen = patient(client, DEMO), []
    for line in (first, first, second):
        server.pages = dict.fromkeys(PODS, f"shop_requests_total{line}\n")
        if not second:
            with pytest.raises(MetricQueryError, match="saw the line"):
                await source.read(SIDES, since=0.0)
            return
        seen.append({one.samples[0][1] for one in (await source.read(SIDES, since=0.0)).series})

    assert seen == [{5.0}, {5.0}, {9.0}]


@pytest.mark.parametrize("value", ["5_0", "0x5", "five", ""])
async def test_a_known_line_with_a_value_that_is_none_is_an_error(
    server: Proxied, client: ClusterClient, value: str
) -> None:
    source = patient(client, DEMO)
    await source.read(SIDES, since=0.0)
    server.pages["c1"] = f'shop_requests_total{{code="500"}} {value}\n'

    with pytest.raises(MetricQueryError, match="saw the line"):
        await source.read(SIDES, since=0.0)


async def test_more_series_than_anybody_judges_are_refused(
    server: Proxied, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(counters_direct, "MAX_SERIES", 3)

    with pytest.raises(MetricQueryError, match="more than 3 series"):
        await patient(client, DEMO).read(SIDES, since=0.0)
