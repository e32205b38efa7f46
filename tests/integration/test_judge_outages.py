"""Prometheus in trouble in the middle of a judged canary, on the real cluster: held, then taken off; never passed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest

from cd_provider.core.gate import parse_gates
from cd_provider.core.judge_gate import judge
from cd_provider.hooks.prometheus_query import MIB
from cd_provider.triggers.canary import run_order
from cd_provider.triggers.promote import run_promotion
from tests.integration.deliveries import Shop, connections, observed, until
from tests.integration.own_prometheus import OwnPrometheus
from tests.loopback import Answer, Loopback, Request
from tests.stack.load import Load

GATES = [gate.as_dict() for gate in parse_gates([judge(preset="demo")])]
FALSE = b'{"status":"error","errorType":"execution","error":"shard 3 is lost"}'


class Metrics:
    """A Prometheus of the test's own, and what stands between it and the provider."""

    def __init__(self, server: OwnPrometheus) -> None:
        self.server, self.http = server, httpx.Client()
        self.fault = ""

    def __call__(self, request: Request) -> Answer:
        match self.fault:
            case "500":
                return Answer(b"oops", 500)
            case "error":
                return Answer(FALSE)
            case "huge":
                return Answer(bytes(100 * MIB))
        real = self.http.post(self.server.url + request.path, data=dict(request.form))
        body = real.json()
        if self.fault == "warns":
            body["warnings"] = ["store s3 is down"]
        if self.fault == "nan" and body["data"]["resultType"] == "matrix":
            for one in body["data"]["result"]:
                one["values"] = [[at, "NaN"] for at, _ in one["values"]]
        return Answer(json.dumps(body).encode(), real.status_code)

    def connection(self, shop: Shop, port: int) -> str:
        return json.dumps({**connections(shop.stack, shop.kubeconfig)["prometheus_default"], "port": port})


@pytest.fixture
async def metrics(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Metrics]:
    """Have the provider ask it by way of what may answer something else."""
    server = await asyncio.to_thread(OwnPrometheus, tmp_path / "prometheus")
    made = Metrics(server)
    try:
        await until(lambda: server.knows(scraped(shop)), what="its first look at the shop")
        with made.http, Loopback(made) as between:
            monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", made.connection(shop, between.port))
            yield made
    finally:
        server.close()


def scraped(shop: Shop) -> str:
    return urlencode({"query": f'sum(shop_requests_total{{namespace="{shop.namespace}"}}) > 0'})


def use(shop: Shop, metrics: Metrics, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the provider ask the server itself: who is killed or paused has nobody in between."""
    told = metrics.connection(shop, metrics.server.port)
    monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", told)


async def users_met(load: Load, version: str, *, count: int) -> None:
    """Wait until so many requests were answered by a version."""
    await until(
        lambda: load.record().count(version) >= count, timeout_s=90, what=f"{count} answers of {version}"
    )


async def ended(running: asyncio.Future[Any], *, within_s: float = 150) -> Any:
    """Wait for the end of a canary; one that has none is a failure, and is stopped."""
    async with asyncio.timeout(within_s):
        return await running


def trouble(metrics: Metrics, how: str) -> None:
    """Begin it."""
    match how:
        case "killed":
            metrics.server.kill()
        case "paused":
            metrics.server.pause()
        case _:
            metrics.fault = how


TROUBLES = {
    "killed": "no answer",
    "paused": "no answer within 5 s",
    "500": "no result, status 500",
    "error": "no result, status 200: shard 3 is lost",
    "warns": "it warns that its answer is partial",
    "huge": "larger than 16 MiB, expected less; add matchers",
    "nan": "no new samples that are numbers",
}


@pytest.mark.parametrize(("how", "said"), TROUBLES.items(), ids=TROUBLES)
async def test_trouble_that_lasts_is_held_then_inconclusive_and_the_candidate_is_off(
    shop: Shop, metrics: Metrics, load: Load, monkeypatch: pytest.MonkeyPatch, v2: str, how: str, said: str
) -> None:
    if how in ("killed", "paused"):
        use(shop, metrics, monkeypatch)
    order = shop.order(v2, steps=[(10, 60), (50, 60)], gates=GATES, candidate_min=2, no_data_s=20, max_s=600)
    async with observed(shop) as seen:
        running = asyncio.create_task(run_order(order))
        await users_met(load, "v2", count=30)
        trouble(metrics, how)

        event = await ended(running)

    assert event["kind"] == "INCONCLUSIVE"
    assert said in event["line"]
    assert event["line"].endswith(" s")  # for how long
    assert seen.distinct_weights() == [0, 10, 0]
    assert shop.weights()["shop-candidate"] == 0
    assert seen.stable_images == {shop.image}
    last = load.record().last_seen("v2")
    assert last is not None
    assert last <= event["off_at"] + 1


@pytest.mark.usefixtures("impatient")
async def test_a_server_that_comes_back_empty_changes_no_verdict_and_a_dead_one_stops_no_promotion(
    shop: Shop, metrics: Metrics, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, v2: str
) -> None:
    use(shop, metrics, monkeypatch)
    gates = [gate.as_dict() for gate in parse_gates([judge(preset="demo", latency={"unacceptable": 5.0})])]
    order = shop.order(v2, steps=[(25, 5), (50, 5)], gates=gates, candidate_min=2, no_data_s=60, max_s=900)

    with shop.load(tmp_path, rate_per_s=200) as load:
        async with observed(shop) as seen:
            running = asyncio.create_task(run_order(order))
            await users_met(load, "v2", count=1000)
            await asyncio.to_thread(metrics.server.restart_empty)
            event = await ended(running, within_s=280)
            metrics.server.kill()
            line = await run_promotion(order, drain_s=1)

    assert event["kind"] == "PASS"
    assert seen.distinct_weights() == [0, 25, 50, 0]
    assert "3 of 3 ready pods" in line
    assert shop.images() == {v2}
    assert load.record().failed() == 0


async def test_a_bad_candidate_fails_however_the_server_was_in_between(
    shop: Shop, metrics: Metrics, load: Load, monkeypatch: pytest.MonkeyPatch, bad: str
) -> None:
    use(shop, metrics, monkeypatch)
    order = shop.order(bad, steps=[(10, 120)], gates=GATES, candidate_min=2, no_data_s=60, max_s=600)
    running = asyncio.create_task(run_order(order))
    await until(lambda: shop.weights().get("shop-candidate") == 10, timeout_s=60, what="weight 10")
    metrics.server.pause()
    await users_met(load, "bad", count=20)
    metrics.server.resume()

    event = await ended(running)

    assert event["kind"] == "FAIL"
    assert "the second trip" in event["line"]
    assert shop.weights()["shop-candidate"] == 0


async def test_a_release_that_is_done_is_not_rolled_back_for_want_of_numbers(
    shop: Shop, metrics: Metrics, load: Load, monkeypatch: pytest.MonkeyPatch, v2: str
) -> None:
    """Promoted by a judge that only observes; while stable is replaced there is nobody to ask."""
    use(shop, metrics, monkeypatch)
    observing = [gate.as_dict() for gate in parse_gates([judge(preset="demo", mode="observe")])]
    order = shop.order(v2, steps=[(10, 2), (50, 2)], gates=observing, candidate_min=2)
    event = await run_order(order)
    metrics.server.pause()

    await run_promotion(order, drain_s=1)

    assert event["kind"] == "OBSERVED"
    assert shop.images() == {v2}
    assert shop.read("deployment", "shop-candidate") is None
