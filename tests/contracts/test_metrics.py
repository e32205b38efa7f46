"""What every MetricSource must do: the fake, a real Prometheus, and Prometheus on its bad days."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from cd_provider.adapters.metrics import METRIC_SOURCES, open_metric_source
from cd_provider.adapters.metrics.prometheus import MAX_BYTES, PrometheusMetrics
from cd_provider.core.ports import MetricSource
from cd_provider.exceptions import (
    ArgumentError,
    ConnectionFaultError,
    MetricQueryError,
    MetricsRefusedError,
    MetricsTooLargeError,
    MetricsUnavailableError,
)
from tests.fakes import FakeMetrics
from tests.integration.own_prometheus import OwnPrometheus
from tests.loopback import Answer, Loopback

TWO = 'label_replace(vector(1), "pod", "a", "", "") or label_replace(vector(2), "pod", "b", "", "")'


@dataclass(frozen=True)
class Case:
    """A question that a source can be asked, and what the contract says of the answer."""

    query: str
    expected: float | type[Exception] | None

    @property
    def fake(self) -> FakeMetrics:
        return FakeMetrics(self.expected("as told") if isinstance(self.expected, type) else self.expected)


CASES = [
    pytest.param(Case("vector(0.25)", 0.25), id="one series"),
    pytest.param(Case("0.5", 0.5), id="a scalar"),
    pytest.param(Case("-1e-3", -0.001), id="a small negative number"),
    pytest.param(Case("nobody_counts_this", None), id="no series is no number"),
    pytest.param(Case("vector(0) / vector(0)", None), id="NaN is no number"),
    pytest.param(Case("vector(1) / vector(0)", None), id="something divided by nothing is no number"),
    pytest.param(Case("0 - scalar(vector(1) / vector(0))", None), id="minus infinity is no number"),
    pytest.param(Case(TWO, MetricQueryError), id="several series"),
    pytest.param(Case("vector(1)[1m:10s]", MetricQueryError), id="a range"),
    pytest.param(Case('"text"', MetricQueryError), id="a string"),
    pytest.param(Case("sum(", MetricQueryError), id="no PromQL"),
    pytest.param(Case(f"vector(1) + on(none) ({TWO})", MetricQueryError), id="it parses and cannot be run"),
]


@pytest.fixture(scope="session")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Run Debian's Prometheus with nothing to scrape, on a free port."""
    server = OwnPrometheus(tmp_path_factory.mktemp("prometheus") / "home", {"global": {}})
    yield server.port
    server.close()


@asynccontextmanager
async def source_of(kind: str, case: Case, request: pytest.FixtureRequest) -> AsyncIterator[MetricSource]:
    """Open one kind of source; a port is asked for only where there is one."""
    if kind == "fake":
        yield case.fake
        return
    connect(request.getfixturevalue("monkeypatch"), port=request.getfixturevalue("prometheus"))
    async with open_metric_source(kind, "metrics") as source:
        yield source


def connect(monkeypatch: pytest.MonkeyPatch, **fields: Any) -> None:
    """Set up the connection ``metrics``."""
    given = {"conn_type": "prometheus", "host": "127.0.0.1", **fields}
    monkeypatch.setenv("AIRFLOW_CONN_METRICS", json.dumps(given))


@pytest.mark.parametrize("kind", ["fake", "prometheus"])
@pytest.mark.parametrize("case", CASES)
async def test_a_query_gives_one_number_or_none_or_says_why(
    kind: str, case: Case, request: pytest.FixtureRequest
) -> None:
    async with source_of(kind, case, request) as source:
        if isinstance(case.expected, type):
            with pytest.raises(case.expected):
                await source.value(case.query)
        else:
            assert await source.value(case.query) == case.expected


@pytest.mark.parametrize(
    ("query", "said"),
    [
        pytest.param(TWO, ["2 series", '{"pod": "a"}', '{"pod": "b"}', "sum("], id="which series"),
        pytest.param("sum(", ["parse error", "Query: sum("], id="the server's own words"),
        pytest.param("vector(1)[1m:10s]", ["a matrix, expected one number"], id="what it was instead"),
    ],
)
async def test_a_refusal_says_what_was_seen(
    prometheus: int, monkeypatch: pytest.MonkeyPatch, query: str, said: list[str]
) -> None:
    connect(monkeypatch, port=prometheus)
    async with open_metric_source("prometheus", "metrics") as source:
        with pytest.raises(MetricQueryError) as caught:
            await source.value(query)

    assert [text for text in said if text not in str(caught.value)] == []


def vector(*series: Any, **more: Any) -> bytes:
    """An answer of success with these series."""
    return json.dumps(
        {"status": "success", "data": {"resultType": "vector", "result": series}, **more}
    ).encode()


def error(kind: str, text: str = "something") -> bytes:
    """An answer of Prometheus' own form that tells an error."""
    return json.dumps({"status": "error", "errorType": kind, "error": text}).encode()


def sample(value: Any) -> dict[str, Any]:
    """One series of a vector."""
    return {"metric": {"pod": "a"}, "value": [1700000000.5, value]}


UNAVAILABLE, QUERY, REFUSED = MetricsUnavailableError, MetricQueryError, MetricsRefusedError
TOO_LARGE = MetricsTooLargeError
LONG = vector(sample("1"), junk="x" * MAX_BYTES)

FAULTS = [
    pytest.param(Answer(b"null"), UNAVAILABLE, "status 200", id="null"),
    pytest.param(Answer(b"[]"), UNAVAILABLE, "status 200", id="a list"),
    pytest.param(Answer(b"<html>Sign in</html>"), UNAVAILABLE, "status 200", id="a page"),
    pytest.param(Answer(b""), UNAVAILABLE, "status 200", id="nothing"),
    pytest.param(Answer(b"[" * 100_000), UNAVAILABLE, "status 200", id="JSON deeper than Python reads"),
    pytest.param(Answer(b"\xff\xfe\x00"), UNAVAILABLE, "status 200", id="no text"),
    pytest.param(Answer(b'{"status":"success"}'), UNAVAILABLE, "no result", id="success without data"),
    pytest.param(
        Answer(b'{"status":"success","data":null}'), UNAVAILABLE, "no result", id="success with null"
    ),
    pytest.param(Answer(vector(None)), UNAVAILABLE, "the sample null", id="a series that is null"),
    pytest.param(
        Answer(vector({"metric": {}})), UNAVAILABLE, "the sample null", id="a series without a value"
    ),
    pytest.param(Answer(vector(sample(None))), UNAVAILABLE, "expected", id="a value that is null"),
    pytest.param(Answer(vector(sample("many"))), UNAVAILABLE, "expected", id="a value that is a word"),
    pytest.param(Answer(vector(sample(True))), UNAVAILABLE, "expected", id="a value that is true"),
    pytest.param(Answer(error("execution", "oops")), UNAVAILABLE, "oops", id="200 with an error"),
    pytest.param(Answer(error("bad_data", "oops")), QUERY, "oops", id="200 with a refusal of the query"),
    pytest.param(
        Answer(vector(sample("0"), warnings=["store s3 is down"])),
        UNAVAILABLE,
        "store s3 is down",
        id="a part of the truth is no pass",
    ),
    pytest.param(
        Answer(vector(warnings=["store s3 is down"])), UNAVAILABLE, "store s3", id="nothing, with a warning"
    ),
    pytest.param(
        Answer(vector({"metric": {}, "histogram": [1, {}]})), QUERY, "a histogram", id="a native histogram"
    ),
    pytest.param(Answer(LONG), TOO_LARGE, "larger than 1 MiB", id="more than 1 MiB"),
    pytest.param(Answer(error("bad_data", "parse error"), 400), QUERY, "parse error", id="400"),
    pytest.param(
        Answer(error("execution", "too many samples"), 422), TOO_LARGE, "too many samples", id="422"
    ),
    pytest.param(Answer(b"", 401), REFUSED, "connection 'metrics': it refuses", id="401"),
    pytest.param(Answer(b"", 403), REFUSED, "connection 'metrics': it refuses", id="403"),
    pytest.param(Answer(b"", 404), REFUSED, "path_prefix", id="404: no Prometheus here"),
    pytest.param(Answer(b"", 302, {"Location": "http://127.0.0.1:9/"}), REFUSED, "302", id="a redirect"),
    pytest.param(Answer(b"", 204), REFUSED, "204", id="a success that is none"),
    pytest.param(Answer(b"", 429), UNAVAILABLE, "429", id="429"),
    pytest.param(Answer(b"<html>", 500), UNAVAILABLE, "500", id="500"),
    pytest.param(Answer(error("timeout", "took too long"), 503), UNAVAILABLE, "took too long", id="503"),
    pytest.param(Answer(b"x" * (MAX_BYTES + 1), 502), UNAVAILABLE, "502", id="502 with a long page"),
    pytest.param(Answer(vector(sample("0")), cut=True), UNAVAILABLE, "no answer", id="cut off"),
    pytest.param(Answer(hang=True), UNAVAILABLE, "no answer within 0.2 s", id="silence"),
    pytest.param(
        Answer(vector(sample("0")), drip=True),
        UNAVAILABLE,
        "no answer within 0.2 s",
        id="a byte now and then",
    ),
]


@pytest.mark.parametrize(("answer", "expected", "said"), FAULTS)
async def test_on_its_bad_days_it_neither_passes_nor_guesses(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, expected: type[Exception], said: str
) -> None:
    with Loopback(answer) as server:
        connect(monkeypatch, port=server.port, extra=json.dumps({"token": "s3cret"}))
        async with open_metric_source("prometheus", "metrics") as source:
            assert isinstance(source, PrometheusMetrics)
            source.timeout_s = 0.2 if answer.hang or answer.drip else 5.0
            with pytest.raises(expected) as caught:
                await source.value("q")

    assert type(caught.value) is expected
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_nobody_there_is_an_outage(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    connect(monkeypatch, port=port)
    async with open_metric_source("prometheus", "metrics") as source:
        with pytest.raises(MetricsUnavailableError, match="no answer"):
            await source.value("q")


@pytest.mark.parametrize(
    ("answer", "value"),
    [
        pytest.param(Answer(vector(sample("0.01"), infos=["might not be a counter"])), 0.01, id="a remark"),
        pytest.param(Answer(vector(sample("0.01"), warnings=[])), 0.01, id="no warnings"),
        pytest.param(Answer(vector()), None, id="no series"),
        pytest.param(Answer(vector(sample("NaN"))), None, id="NaN"),
        pytest.param(Answer(vector(sample("+Inf"))), None, id="+Inf"),
        pytest.param(Answer(vector(sample("1e999"))), None, id="beyond what a float holds"),
    ],
)
async def test_what_is_no_fault_is_none(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, value: float | None
) -> None:
    with Loopback(answer) as server:
        connect(monkeypatch, port=server.port)
        async with open_metric_source("prometheus", "metrics") as source:
            assert await source.value("sum(a) / sum(b)") == value

    (asked,) = server.requests
    assert (asked.method, asked.path) == ("POST", "/api/v1/query")
    assert asked.form == {"query": "sum(a) / sum(b)", "timeout": "5"}


async def test_two_queries_at_once_do_not_mix_up_their_answers(
    prometheus: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, port=prometheus)
    async with open_metric_source("prometheus", "metrics") as source:
        one, two = await asyncio.gather(source.value("1"), source.value("2"))

    assert (one, two) == (1, 2)


def test_an_unknown_source_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="'promtheus', expected one of prometheus"):
        open_metric_source("promtheus", "metrics")

    assert list(METRIC_SOURCES) == ["prometheus"]


async def test_a_missing_connection_is_an_error() -> None:
    with pytest.raises(ConnectionFaultError, match="'nobody_made_this'"):
        async with open_metric_source("prometheus", "nobody_made_this"):
            pass
