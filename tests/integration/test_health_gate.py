"""The health gate on the real cluster and a real Prometheus: two groups that stand there already, one thing alone."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from cd_provider.core.before_after import before_after
from cd_provider.core.gate import promql
from cd_provider.core.judge_gate import judge
from cd_provider.sensors.health_gate import HealthGateSensor
from cd_provider.triggers.health_gate import watch_health
from tests.integration.deliveries import Shop, until

ANSWERS = 'shop_requests_total{namespace="$namespace",pod=~"$pods"'
BOUND = promql("errors", query=f'(sum({ANSWERS},code=~"5.."}}) or vector(0)) / sum({ANSWERS}}})', max=0.1)
SIDES = {"candidate": "shop-v2", "stable": "shop"}


@contextmanager
def second_group(shop: Shop, image: str) -> Iterator[None]:
    """Run another Deployment with a Service of its own beside the shop, and ask the pods of both all the while."""
    labels = {"app": "shop-v2"}
    port = {"name": "http", "containerPort": 8080}
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
    container = {"name": "shop", "image": image, "ports": [port], "readinessProbe": probe}
    pods = {
        "metadata": {"labels": labels},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
    }
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop-v2"},
        "spec": {"replicas": 2, "selector": {"matchLabels": labels}, "template": pods},
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop-v2"},
        "spec": {"selector": labels, "ports": [{"port": 80, "targetPort": 8080}]},
    }
    both = {"apiVersion": "v1", "kind": "List", "items": [deployment, service]}
    shop.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(both))
    shop.kubectl("rollout", "status", "deployment/shop-v2", "--timeout=60s")
    found = [pod["status"]["podIP"] for app in ("shop", "shop-v2") for pod in shop.pods(f"app={app}")]
    with asking(found):
        yield


@contextmanager
def asking(addresses: list[str], *, every_s: float = 0.02) -> Iterator[None]:
    """Ask pods in turn, from a thread of its own."""
    done = threading.Event()

    def ask() -> None:
        with httpx.Client(trust_env=False, timeout=2) as client:
            while not done.wait(every_s):
                for address in addresses:
                    client.get(f"http://{address}:8080/")

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()


def counted(shop: Shop) -> float:
    """Give how many requests Prometheus has seen."""
    query = {"query": f'sum(shop_requests_total{{namespace="{shop.namespace}"}})'}
    answer = httpx.get(f"{shop.stack.prometheus_url}/api/v1/query", params=query, trust_env=False).json()
    return sum(float(one["value"][1]) for one in answer["data"]["result"])


async def watched(shop: Shop, *gates: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Run what the sensor orders."""
    given = {"candidate": "shop", "namespace": shop.namespace, "gates": list(gates), **more}
    task = HealthGateSensor(task_id="healthy", **given)
    return await watch_health(task.order(time.time()).as_dict())


async def test_a_group_that_is_worse_than_the_other_fails(shop: Shop, bad: str) -> None:
    with second_group(shop, bad):
        event = await watched(shop, judge(preset="demo", on_trip="fail"), **SIDES)

    assert event["kind"] == "FAIL", event
    assert event["lane"] == "emergency"
    assert event["at"] < 120


@pytest.mark.usefixtures("impatient")
async def test_a_group_that_is_as_good_passes(shop: Shop, v2: str) -> None:
    with second_group(shop, v2):
        event = await watched(shop, judge(preset="demo", latency={"unacceptable": 5.0}), BOUND, **SIDES)

    assert event["kind"] == "PASS", event
    assert "errors 0, allowed at most 0.1: kept" in event["line"]


@pytest.mark.parametrize(("enough", "kind"), [(True, "PASS"), (False, "INCONCLUSIVE")])
async def test_before_and_after_by_a_real_prometheus(shop: Shop, enough: bool, kind: str) -> None:
    rows = before_after(
        "answers", total="shop_requests_total", status="code", label="namespace", before_s=60, after_s=30
    )
    addresses = [pod["status"]["podIP"] for pod in shop.pods()]
    with asking(addresses, every_s=0.005):
        await until(lambda: counted(shop) > 1500, timeout_s=90, what="some requests before the moment")
        event = await watched(shop, rows, candidate=shop.namespace, weak_is_enough=enough, max_s=120)

    assert event["kind"] == kind, event
    assert "time is confounded" in event["line"]


async def test_a_service_that_is_not_there_is_for_a_person(shop: Shop) -> None:
    event = await watched(shop, judge(preset="demo"), candidate="nobody", stable="shop")

    assert event["kind"] == "ERROR"
    assert "nobody" in event["line"]
