"""A Prometheus on its bad days: a fault is an error, never silence and never health."""

from __future__ import annotations

import json
import socket
from typing import Any

import httpx
import pytest

from cd_provider.adapters.metrics import counters_prometheus
from cd_provider.adapters.metrics.counters_prometheus import PrometheusCounters
from cd_provider.core.judge.presets import DEMO
from cd_provider.exceptions import MetricQueryError, MetricsRefusedError, MetricsUnavailableError
from tests.loopback import Answer
from tests.unit.adapters.prometheus.server import (
    SIDES,
    Server,
    both,
    counter,
    opened,
    read,
    requests,
)


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


async def test_a_native_histogram_is_refused_with_what_to_do() -> None:
    native = counter("c1", name="shop_request_duration_seconds")
    native = {"metric": native["metric"], "histograms": [[995.0, {"count": "1", "sum": "1", "buckets": []}]]}

    with pytest.raises(MetricQueryError, match=r"native histogram, .*scrape_classic_histograms: true"):
        await read(Server(*both(), native))


async def test_a_bucket_without_a_bound_is_refused() -> None:
    with pytest.raises(MetricQueryError, match=r"le as a number.* Selector: "):
        await read(Server(*both(), counter("c1", 1, name="shop_request_duration_seconds_bucket")))


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
