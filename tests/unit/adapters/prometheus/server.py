"""A Prometheus over a socket that knows some series, and a source that reads them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx

from cd_provider.adapters.metrics.counters_prometheus import PrometheusCounters
from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.presets import DEMO, Preset
from cd_provider.core.judge.sides import Reading, Sides
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


def bucket(pod: str) -> dict[str, Any]:
    return counter(pod, 1, 2, name="shop_request_duration_seconds_bucket", le="+Inf")
