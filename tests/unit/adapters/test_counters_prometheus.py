"""Prometheus on its good and bad days, as the judge sees it: never more than the truth, never silence as health."""

from __future__ import annotations

import json
import math
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from cd_provider.adapters.metrics import counters_prometheus
from cd_provider.adapters.metrics.counters_prometheus import PrometheusCounters
from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, Tick, total
from cd_provider.core.judge.presets import DEMO, ENVOY, TRAEFIK, Preset, preset
from cd_provider.core.judge.sides import Reading, Sides
from cd_provider.exceptions import MetricQueryError, MetricsRefusedError, MetricsUnavailableError
from tests.loopback import Answer, Loopback, Request

SIDES = Sides("web", "shop-candidate", "shop", ("c1",), ("s1",))
START, NOW = 1000.0, 1020.0


class Server:
    """A Prometheus that knows these series: ``answer`` is its last word; its clock says ``now``."""

    def __init__(self, *series: dict[str, Any], **more: Any) -> None:
        self.series, self.more, self.now = list(series), more, NOW
        self.queries: list[str] = []
        self.fault: Answer | None = None

    def __call__(self, request: Request) -> Answer:
        self.queries.append(request.form["query"])
        if self.fault:
            return self.fault
        if request.form["query"] == "time()":
            return success("scalar", [self.now, str(self.now)])
        return success("matrix", self.series, **self.more)


def success(kind: str, result: Any, **more: Any) -> Answer:
    body = {"status": "success", "data": {"resultType": kind, "result": result}, **more}
    return Answer(json.dumps(body).encode())


def counter(
    pod: str, *values: float | str, name: str = "shop_requests_total", first: float = 995.0, **labels: Any
) -> dict[str, Any]:
    """One series, scraped every five seconds."""
    metric = {
        "__name__": name,
        "namespace": "web",
        "pod": pod,
        "job": "pods",
        "instance": f"{pod}:80",
        **labels,
    }
    return {"metric": metric, "values": [[first + 5 * at, str(value)] for at, value in enumerate(values)]}


def requests(pod: str, *values: float | str, code: str = "200", **labels: Any) -> dict[str, Any]:
    return counter(pod, *values, code=code, **labels)


@asynccontextmanager
async def opened(
    answer: Callable[[Request], Answer], one: Preset = DEMO, **options: Any
) -> AsyncIterator[PrometheusCounters]:
    with Loopback(answer) as server:
        url = f"http://127.0.0.1:{server.port}/"
        async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
            yield PrometheusCounters(client, one, clock=lambda: 0.0, **options)


async def read(server: Server, *, since: float = 990.0, **options: Any) -> Reading:
    async with opened(server, **options) as source:
        return await source.read(SIDES, since=since)


def ticks(*readings: Reading) -> list[Tick]:
    aligner = Aligner(started_at=START, interval_s=5.0)
    return [tick for reading in readings for tick in aligner.feed(reading.series)]


def both(**labels: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    return requests("c1", 0, 0, 5, 10, **labels), requests("s1", 0, 0, 50, 100, **labels)


async def test_samples_come_as_they_were_scraped() -> None:
    reading = await read(Server(*both(), requests("c1", 2, code="500", first=1010.0)))

    assert [(one.side, one.pod, one.bad) for one in reading.series] == [
        ("candidate", "c1", False), ("stable", "s1", False), ("candidate", "c1", True),
    ]  # fmt: skip
    assert reading.series[0].samples == ((995.0, 0.0), (1000.0, 0.0), (1005.0, 5.0), (1010.0, 10.0))
    assert [total(tick.candidate) for tick in ticks(reading)] == [Counts(5), Counts(7, 2)]


async def test_only_what_is_new_is_given() -> None:
    reading = await read(Server(*both()), since=1000.0)

    assert [at for at, _ in reading.series[0].samples] == [1005.0, 1010.0]


async def test_the_servers_clock_says_how_far_back_to_ask() -> None:
    server = Server(*both())
    async with opened(server) as source:
        await source.read(SIDES, since=NOW - 600)
        source.clock = lambda: 10.0
        await source.read(SIDES, since=NOW)
        await source.read(SIDES, since=NOW + 3600)

    assert server.queries[0] == "time()"
    assert [query.rpartition("[")[2] for query in server.queries[1:]] == ["615s]", "25s]", "15s]"]
    assert 'namespace="web", pod=~"c1|s1"' in server.queries[1]


async def test_an_answer_that_overlaps_is_counted_once() -> None:
    first, second = (
        Server(*both()),
        Server(requests("c1", 0, 0, 5, 10, 30), requests("s1", 0, 0, 50, 100, 150)),
    )

    seen = ticks(await read(first), await read(second))

    assert [total(tick.candidate).requests for tick in seen] == [5, 5, 20]


async def test_samples_out_of_order_are_put_in_order() -> None:
    late = requests("c1", 0, 0, 5, 10)
    late["values"].reverse()

    assert [total(tick.candidate) for tick in ticks(await read(Server(late, both()[1])))] == [Counts(5)] * 2


async def test_a_pod_that_gets_ready_late_brings_its_past_so_that_it_is_not_taken_for_young() -> None:
    server, aligner = Server(*both()), Aligner(started_at=START, interval_s=5.0)
    async with opened(server) as source:
        aligner.feed((await source.read(SIDES, since=990.0)).series)
        late = Sides("web", "shop-candidate", "shop", ("c1",), ("s1", "s2"))
        server.series = [
            requests("c1", 0, 0, 5, 10, 15), requests("s1", 0, 0, 50, 100, 150),
            requests("s2", 9000, 9000, 9000, 9000, 9007),
        ]  # fmt: skip
        reading = await source.read(late, since=1010.0)
        again = await source.read(late, since=1010.0)

    assert [len(one.samples) for one in reading.series] == [1, 1, 5]
    assert [query.rpartition("[")[2] for query in server.queries] == [
        "time()",
        "45s]",
        "25s]",
        "45s]",
        "25s]",
    ]
    assert [total(tick.stable).requests for tick in aligner.feed((*reading.series, *again.series))] == [57]


async def test_a_service_that_is_scraped_twice_a_minute_is_not_taken_for_missing() -> None:
    """However recent the samples are that a look wants, whether there are any at all is asked further back."""
    server = Server(*both(), bucket("c1"), bucket("s1"))
    async with opened(server) as source:
        await source.probe(SIDES)

    assert server.queries[-1].endswith("[45s]")


async def test_nothing_at_all_is_missing_by_side_and_selector() -> None:
    reading = await read(Server())

    assert reading.series == ()
    assert [line.split(":")[0] for line in reading.missing] == ["candidate shop-candidate", "stable shop"]
    assert 'namespace="web", pod=~"c1|s1"' in reading.missing[0]
    assert "Ready pods: c1." in reading.missing[0]


async def test_an_empty_side_is_missing() -> None:
    (line,) = (await read(Server(requests("s1", 1, 2), bucket("s1")))).missing

    assert line.startswith("candidate shop-candidate: no shop_requests_total")


def bucket(pod: str) -> dict[str, Any]:
    return counter(pod, 1, 2, name="shop_request_duration_seconds_bucket", le="+Inf")


async def test_a_pod_that_shows_nothing_is_named() -> None:
    sides = Sides("web", "shop-candidate", "shop", ("c1", "c2"), ("s1",))
    server = Server(*both(), bucket("c1"), bucket("s1"))
    async with opened(server) as source:
        (line,) = (await source.read(sides, since=0)).missing

    assert "of its pods c2" in line


async def test_no_series_of_errors_is_no_error_as_long_as_there_are_requests() -> None:
    reading = await read(Server(*both(), bucket("c1"), bucket("s1")))

    assert reading.missing == ()
    assert [total(tick.candidate).errors for tick in ticks(reading)] == [0, 0]


async def test_errors_without_requests_are_no_share_of_anything() -> None:
    own = preset("custom", total="calls", errors="failures")
    failures = counter("c1", 0, 0, 5, 10, name="failures")
    reading = await read(Server(failures, counter("s1", 0, 0, 1, 2, name="calls")), one=own)

    assert [line for line in reading.missing if "no calls, though failures is there" in line]
    assert [total(tick.candidate).error_share for tick in ticks(reading)] == [0, 0]


async def test_an_own_counter_of_errors_adds_no_requests() -> None:
    own = preset("custom", total="calls", errors="failures")
    series = [counter(pod, 0, 0, 10, 20, name="calls") for pod in ("c1", "s1")]
    reading = await read(Server(*series, counter("c1", 0, 0, 1, 2, name="failures")), one=own)

    assert [total(tick.candidate) for tick in ticks(reading)] == [Counts(10, 1)] * 2


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
async def test_what_is_no_number_is_a_gap(value: str) -> None:
    reading = await read(Server(requests("c1", 0, 0, value, 10, 15), requests("s1", 0, 0, 50, 100, 150)))
    aligner = Aligner(started_at=START, interval_s=5.0)
    seen = aligner.feed(reading.series)

    assert not math.isfinite(reading.series[0].samples[2][1])
    assert [total(tick.candidate).requests for tick in seen] == [0, 10, 5]
    assert aligner.notes.gaps == 1


async def test_a_series_that_stands_still_is_no_request() -> None:
    reading = await read(Server(requests("c1", 7, 7, 7, 7), requests("s1", 9, 9, 9, 9)))

    assert [(total(tick.candidate), total(tick.stable)) for tick in ticks(reading)] == [
        (Counts(), Counts())
    ] * 2


async def test_a_counter_that_began_anew_counts_from_zero() -> None:
    reading = await read(Server(requests("c1", 90, 100, 3, 8), both()[1]))

    assert [total(tick.candidate).requests for tick in ticks(reading)] == [3, 5]


async def test_several_series_of_a_pod_add_up() -> None:
    ways = [requests("c1", 0, 0, 5, 10, method=method) for method in ("GET", "POST")]

    assert [total(tick.candidate).requests for tick in ticks(await read(Server(*ways, both()[1])))] == [
        10,
        10,
    ]


async def test_too_many_series_are_refused_with_the_selector(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counters_prometheus, "MAX_SERIES", 3)
    server = Server(*(requests("c1", 1, method=str(number)) for number in range(4)))

    with pytest.raises(
        MetricQueryError, match=r"saw 4 series, expected 3 at most; add matchers .*namespace="
    ):
        await read(server)


async def test_a_huge_answer_is_left_with_the_selector() -> None:
    server = Server(*both())
    async with opened(server) as source:
        source.server.max_bytes = 300
        with pytest.raises(
            MetricQueryError, match=r"larger than .* MiB, expected less; add matchers .*namespace="
        ):
            await source.read(SIDES, since=0)


async def test_pods_of_an_earlier_candidate_are_not_ours() -> None:
    reading = await read(Server(*both(), requests("shop-candidate-old", 0, 99)))

    assert {one.pod for one in reading.series} == {"c1", "s1"}


async def test_edges_of_both_versions_come_along_and_only_common_ones_are_judged() -> None:
    name = "shop_request_duration_seconds_bucket"
    edges = {"c1": ("0.1", "0.5", "+Inf"), "s1": ("0.1", "0.25", "+Inf")}
    series = [counter(pod, 0, 0, 5, 9, name=name, le=le) for pod, ones in edges.items() for le in ones]

    assert ticks(await read(Server(*both(), *series)))[0].edges == (0.1, math.inf)


async def test_a_native_histogram_is_refused_with_what_to_do() -> None:
    native = counter("c1", name="shop_request_duration_seconds")
    native = {"metric": native["metric"], "histograms": [[995.0, {"count": "1", "sum": "1", "buckets": []}]]}

    with pytest.raises(MetricQueryError, match=r"native histogram, .*scrape_classic_histograms: true"):
        await read(Server(*both(), native))


async def test_a_bucket_without_a_bound_is_refused() -> None:
    with pytest.raises(MetricQueryError, match=r"le as a number.* Selector: "):
        await read(Server(*both(), counter("c1", 1, name="shop_request_duration_seconds_bucket")))


async def test_what_is_there_and_only_not_new_is_not_missing() -> None:
    reading = await read(Server(*both(), bucket("c1"), bucket("s1")), since=NOW)

    assert reading.missing == ()
    assert not any(one.samples for one in reading.series)


async def test_what_falls_below_zero_is_no_counter() -> None:
    with pytest.raises(MetricQueryError, match=r"shop_requests_total\{.*\} is no counter: saw -3"):
        await read(Server(requests("c1", 0, -3)))


async def test_remarks_of_the_server_change_nothing() -> None:
    plain, remarked = (
        await read(Server(*both())),
        await read(Server(*both(), infos=["might not be a counter"])),
    )

    assert remarked.remarks == ("might not be a counter",)
    assert remarked.series == plain.series


async def test_a_part_of_the_truth_is_none() -> None:
    with pytest.raises(MetricsUnavailableError, match="store s3 is down"):
        await read(Server(*both(), warnings=["store s3 is down"]))


def told(kind: str) -> dict[str, str]:
    return {"status": "error", "errorType": kind, "error": "oops"}


FAULTS = [
    pytest.param(told("execution"), 200, MetricsUnavailableError, id="200 with an error"),
    pytest.param(told("bad_data"), 200, MetricQueryError, id="200 with a refusal"),
    pytest.param(told("bad_data"), 400, MetricQueryError, id="400"),
    pytest.param(told("timeout"), 503, MetricsUnavailableError, id="503"),
    pytest.param({}, 401, MetricsRefusedError, id="401"),
    pytest.param([], 200, MetricsUnavailableError, id="no answer of Prometheus"),
]


@pytest.mark.parametrize(("body", "status", "expected"), FAULTS)
@pytest.mark.parametrize("knows_the_time", [True, False], ids=["later", "at its first question"])
async def test_a_fault_is_no_silence(
    body: Any, status: int, expected: type[Exception], knows_the_time: bool
) -> None:
    server = Server(*both())
    async with opened(server) as source:
        if knows_the_time:
            await source.read(SIDES, since=0)
        server.fault = Answer(json.dumps(body).encode(), status)
        with pytest.raises(expected) as caught:
            await source.read(SIDES, since=0)

    assert type(caught.value) is expected


@pytest.mark.parametrize(
    "result",
    [
        pytest.param(None, id="null"),
        pytest.param([None], id="a series that is null"),
        pytest.param([{"values": [[1, "1"]]}], id="a series without labels"),
        pytest.param([{**requests("c1"), "values": [[1, "many"]]}], id="a word"),
        pytest.param([{**requests("c1"), "values": [[1]]}], id="half a sample"),
        pytest.param([{"metric": requests("c1")["metric"]}], id="no samples"),
    ],
)
async def test_what_is_no_matrix_is_an_outage(result: Any) -> None:
    server = Server()
    server.series = result

    with pytest.raises(MetricsUnavailableError):
        await read(server)


async def test_nobody_there_is_an_outage() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}/", trust_env=False) as client:
        with pytest.raises(MetricsUnavailableError, match="no answer"):
            await PrometheusCounters(client, DEMO).read(SIDES, since=0)


async def test_without_pods_nothing_is_asked() -> None:
    server = Server(*both())
    async with opened(server) as source:
        reading = await source.read(Sides("web", "shop-candidate", "shop"), since=0)

    assert server.queries == []
    assert len(reading.missing) == 2


def replicas(*of: tuple[str, tuple[dict[str, Any], ...]]) -> list[dict[str, Any]]:
    return [
        {**one, "metric": {**one["metric"], "prometheus_replica": name}}
        for name, series in of
        for one in series
    ]


async def test_copies_of_two_replicas_are_refused_with_the_label_to_name() -> None:
    with pytest.raises(MetricQueryError, match=r"there 2 times.*replica_label='prometheus_replica'"):
        await read(Server(*replicas(("a", both()), ("b", both()))))


async def test_of_two_replicas_one_is_read() -> None:
    reading = await read(
        Server(*replicas(("b", both(first=996.0)), ("a", both()))), replica_label="prometheus_replica"
    )

    assert [total(tick.candidate).requests for tick in ticks(reading)] == [5, 5]
    assert {at for at, _ in reading.series[0].samples} == {995.0, 1000.0, 1005.0, 1010.0}


async def test_the_same_replica_is_read_as_long_as_it_keeps_up() -> None:
    server = Server(*replicas(("b", both(first=996.0))))
    async with opened(server, replica_label="prometheus_replica") as source:
        await source.read(SIDES, since=990)
        server.series += replicas(("a", both()))
        reading = await source.read(SIDES, since=990)

    assert {at for at, _ in reading.series[0].samples} == {996.0, 1001.0, 1006.0, 1011.0}


async def test_a_replica_that_stops_is_followed_by_the_other_and_nothing_counts_twice() -> None:
    long = requests("c1", *range(0, 100, 5), first=996.0), requests("s1", *range(0, 1000, 50), first=996.0)
    server = Server(*replicas(("a", both()), ("b", both(first=996.0))))
    aligner = Aligner(started_at=START, interval_s=5.0)
    async with opened(server, replica_label="prometheus_replica") as source:
        seen = aligner.feed((await source.read(SIDES, since=990)).series)
        server.series = replicas(("a", both()), ("b", long))
        seen += aligner.feed((await source.read(SIDES, since=990)).series)

    assert sum(total(tick.candidate).requests for tick in seen) == 95
    assert aligner.notes.resets == 0


async def test_a_pod_scraped_by_two_jobs_is_refused() -> None:
    with pytest.raises(
        MetricQueryError, match=r"shop_requests_total of c1 .*job \('pods' and 'monitor'\).*matchers"
    ):
        await read(Server(*both(), requests("c1", 0, 0, 5, 10, job="monitor")))


async def test_a_pod_that_another_job_scrapes_from_now_on_goes_on_as_it_was() -> None:
    later = requests("c1", 15, 20, first=1015.0, job="renamed", instance="c1.pod:80")
    reading = await read(Server(requests("c1", 0, 0, 5, 10), later, requests("s1", 0, 0, 50, 100, 150, 200)))

    assert [total(tick.candidate).requests for tick in ticks(reading)] == [5, 5, 5, 5]


async def test_a_counter_keeps_its_name_whoever_scrapes_it() -> None:
    before, after = requests("c1", 1), requests("c1", 2, first=2000.0, job="renamed")
    ids = {one.id for series in (before, after) for one in (await read(Server(series))).series}

    assert len(ids) == 1


@pytest.mark.parametrize(
    ("one", "name", "label"),
    [
        pytest.param(ENVOY, "web_{}_{}", "envoy_cluster_name", id="envoy"),
        pytest.param(TRAEFIK, "web-{}-http-{}@kubernetesgateway", "service", id="traefik"),
    ],
)
async def test_two_ports_of_a_service_behind_a_gateway_are_no_copies(
    one: Preset, name: str, label: str
) -> None:
    series = []
    for service in (("shop", 80), ("shop", 81), ("shop-candidate", 80)):
        labels: dict[str, Any] = {label: name.format(*service), str(one.status): "200"}
        series.append(counter("gateway-1", 0, 0, 5, 10, name=one.total, **labels))
    reading = await read(Server(*series), one=one)

    assert [total(tick.stable).requests for tick in ticks(reading)] == [10, 10]


async def test_a_plan_leaves_no_trace_in_what_is_counted() -> None:
    server = Server(*both())
    async with opened(server) as source:
        await source.probe(SIDES)
        first = await source.read(SIDES, since=990.0)
        await source.probe(SIDES)
        second = await source.read(SIDES, since=1005.0)

    assert [[len(one.samples) for one in reading.series] for reading in (first, second)] == [[4, 4], [1, 1]]
    assert len(server.queries) == 5


async def test_the_plan_hears_what_is_missing_of_stable() -> None:
    async with opened(Server(*both(), bucket("s1"))) as source:
        assert await source.probe(SIDES) is None
    async with opened(Server(requests("c1", 1, 2))) as source:
        assert "stable shop: no shop_requests_total" in str(await source.probe(SIDES))
    async with opened(lambda _: Answer(b"", 403)) as source:
        assert "refuses the credentials" in str(await source.probe(SIDES))
