"""The load generator against a small server."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.stack.airflow_settings import free_port
from tests.stack.errors import StackError
from tests.stack.load import Load, parse
from tests.stack.session_process import wait_until


class Service(ThreadingHTTPServer):
    """Answers as v1 when asked by the right name, and hangs while ``open`` is not set."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.open, self.seen = threading.Event(), 0
        self.open.set()
        self.url = f"http://127.0.0.1:{self.server_address[1]}/"


class Answer(BaseHTTPRequestHandler):
    server: Service
    protocol_version = "HTTP/1.1"
    wbufsize = -1

    def do_GET(self) -> None:
        self.server.seen += 1
        self.server.open.wait(timeout=30)
        self.send_response(200 if self.headers["Host"] == "shop.example" else 404)
        self.send_header("X-Version", "v1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def service() -> Iterator[Service]:
    with Service() as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield server
        server.open.set()
        server.shutdown()


def test_every_request_is_written_down(service: Service, tmp_path: Path) -> None:
    load = Load(
        url=service.url,
        host_header="shop.example",
        rate_per_s=100,
        max_requests=30,
        out=tmp_path / "load.jsonl",
    )
    load.start()
    assert wait_until(lambda: not load.running, timeout_s=20)

    record = load.stop()

    assert record.per_version() == {"v1": {"requests": 30, "failed": 0}}
    assert record.statuses() == {200: 30}
    assert service.seen == 30


def test_without_a_host_header_the_address_is_sent(service: Service, tmp_path: Path) -> None:
    with Load(url=service.url, rate_per_s=20, max_requests=2, out=tmp_path / "load.jsonl") as load:
        assert wait_until(lambda: not load.running, timeout_s=20)

    assert load.record().statuses() == {404: 2}


def test_slow_answers_do_not_slow_the_requests(service: Service, tmp_path: Path) -> None:
    load = Load(
        url=service.url,
        host_header="shop.example",
        rate_per_s=50,
        max_requests=100,
        timeout_s=30,
        out=tmp_path / "load.jsonl",
    )
    load.start()
    service.open.clear()
    before = service.seen
    assert wait_until(lambda: service.seen >= before + 20, timeout_s=20)  # none of these has an answer
    service.open.set()

    record = load.stop()

    assert record.failed() == 0
    assert (record.latency_s(0.99) or 0) > 0.2


def test_stop_waits_for_answers_under_way(service: Service, tmp_path: Path) -> None:
    load = Load(url=service.url, host_header="shop.example", rate_per_s=50, out=tmp_path / "load.jsonl")
    load.start()

    record = load.stop()

    assert record.count() == service.seen
    assert not load.running


def test_a_request_without_an_answer_counts_as_failed(tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}/"
    with Load(url=url, rate_per_s=20, max_requests=3, out=tmp_path / "load.jsonl") as load:
        assert wait_until(lambda: not load.running, timeout_s=20)

    record = load.record()
    assert (record.count(), record.failed(), record.statuses()) == (3, 3, {None: 3})
    assert "ClientConnectorError" in (record.requests[0].error or "")


def test_a_generator_that_cannot_send_says_why(tmp_path: Path) -> None:
    load = Load(url="http://127.0.0.1:1/", rate_per_s=1000, out=tmp_path / "load.jsonl")

    with pytest.raises(StackError, match="at most 500"):
        load.start()


def test_no_bound_can_be_lifted() -> None:
    given = parse(["http://127.0.0.1/", "--out=x", "--seconds=1e9", "--count=1000000000"])

    assert (given.seconds, given.count) == (7200, 500_000)
