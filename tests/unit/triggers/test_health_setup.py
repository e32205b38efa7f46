"""What a person has to put right ends a health gate at once; an outage is waited out."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from cd_provider.triggers.health_gate import HealthGateTrigger, watch_health
from tests.unit.adapters.test_groups import Cluster
from tests.unit.triggers.health_world import (
    BEGAN,
    JUDGE,
    order,
)


async def test_what_a_person_has_to_put_right_is_an_error_and_one_event() -> None:
    trigger = HealthGateTrigger(order={**order(JUDGE).as_dict(), "stable": None})

    (event,) = [event async for event in HealthGateTrigger.run.__wrapped__(trigger)]  # type: ignore[attr-defined]

    assert event.payload["kind"] == "ERROR"
    assert "saw no `stable`" in event.payload["line"]
    assert set(event.payload) == {"kind", "line", "at", "lane", "reason", "need"}


Connect = Callable[[Cluster], None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Set up both connections: a cluster, and a Prometheus where nobody listens."""

    def connect(cluster: Cluster) -> None:
        login = {"conn_type": "kubernetes", "extra": json.dumps({"kube_config": cluster.kubeconfig()})}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(login))
        prometheus = {"conn_type": "prometheus", "host": "127.0.0.1", "port": 9}
        monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(prometheus))

    return connect


async def test_a_service_that_is_not_there_ends_it_at_once(connect: Connect) -> None:
    async with Cluster() as cluster:
        connect(cluster)
        event = await watch_health(order(JUDGE).as_dict())

    assert event["kind"] == "ERROR"
    assert "shop-v2" in event["line"]


async def test_a_pod_in_both_groups_ends_it_at_once(connect: Connect) -> None:
    async with Cluster() as cluster:
        cluster.put("shop-1")
        connect(cluster)
        event = await watch_health(order(JUDGE, candidate_pods="shop-.*", stable_pods="shop-1").as_dict())

    assert event["kind"] == "ERROR"
    assert "web/shop-1 is on both sides" in event["line"]


async def test_the_pods_that_serve_become_the_sides(connect: Connect) -> None:
    async with Cluster() as cluster:
        cluster.services = {"shop": {"app": "shop"}, "shop-v2": {"app": "v2"}}
        for name, app in {"a": "shop", "b": "shop", "c": "v2"}.items():
            cluster.put(name, app=app)
        connect(cluster)
        asked = order(JUDGE)
        from cd_provider.triggers.groups import open_groups

        async with open_groups(asked) as groups:
            sides = groups.sides(asked.asked[0])  # type: ignore[arg-type]

    assert (sides.candidate, sides.candidate_pods) == ("shop-v2", ("c",))
    assert (sides.stable, sides.stable_pods) == ("shop", ("a", "b"))
    assert sides.pages["a"].port == 8080


async def test_an_outage_of_the_cluster_is_waited_out_and_then_told(connect: Connect) -> None:
    async with Cluster() as cluster:
        connect(cluster)  # and now it is gone
    moments = iter(range(10**6))

    event = await watch_health(
        order(JUDGE, until=BEGAN + 400).as_dict(), clock=lambda: BEGAN + 390 + 100.0 * next(moments)
    )

    assert event["kind"] == "NO_DATA"
    assert "nothing could be opened" in event["line"]
