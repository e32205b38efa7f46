"""The plan without a cluster: whether its faults are worth another try, and what it says when there are none."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException
from structlog.testing import capture_logs

from cd_provider.core.gate import promql
from cd_provider.core.judge_gate import judge
from cd_provider.core.names import CANDIDATE, SIDE
from cd_provider.exceptions import ArgumentError, PlanError, PlanUnavailableError
from cd_provider.operators.canary import CanaryOperator
from tests.loopback import Answer, Loopback, self_signed
from tests.registries.double import error, on
from tests.unit.api_server import answers
from tests.unit.operators.plan_world import (
    DEPLOYMENTS,
    NUMBER,
    ROUTES,
    SERVICES,
    V2,
    World,
    context,
    deployment,
    open_world,
    route,
    service,
)


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with open_world(monkeypatch) as made:
        yield made


def nobody_listens() -> int:
    """Give such a port."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port: int = taken.getsockname()[1]
        return port


async def test_a_plan_without_faults_touches_nothing(world: World) -> None:
    assert await world.plan() == []
    assert world.cluster.changed == []


async def test_a_plan_without_faults_says_what_it_found(world: World) -> None:
    with capture_logs() as logged:
        await world.plan()

    assert [one["event"] for one in logged if "planned" in one["event"]] == [
        f"planned: shop:v2 ({V2.digest[:15]}…) for container shop of deployment/shop in shop; route shop splits "
        "Service shop: 10 % for 60 s, 50 % for 60 s; 1 gate(s); no window"
    ]


async def test_the_window_is_told_as_it_stands(world: World) -> None:
    with capture_logs() as logged:
        await world.plan(
            window={"weekly": [{"days": "daily", "from": "00:00", "to": "24:00", "zone": "UTC"}]}
        )

    assert any("window: open, and does not close" in one["event"] for one in logged)


# --- the candidate's names ----------------------------------------------------------------------------------


async def test_what_stands_in_the_candidates_place_is_told(world: World) -> None:
    world.cluster.put(DEPLOYMENTS, deployment("shop-candidate"))
    world.cluster.put(SERVICES, service("shop-candidate", selects="somebody"))

    with pytest.raises(PlanError) as caught:
        await world.plan()

    workload, behind = caught.value.faults
    assert workload.startswith("Deployment shop-candidate in shop is not ours")
    assert behind.startswith("Service shop-candidate in shop is not ours")


async def test_a_candidate_that_is_ours_is_no_fault(world: World) -> None:
    for where, made in (
        (DEPLOYMENTS, deployment("shop-candidate")),
        (SERVICES, service("shop-candidate", selects="shop-candidate")),
    ):
        made["metadata"]["labels"] = {SIDE: CANDIDATE}
        world.cluster.put(where, made)

    assert await world.plan() == []


async def test_a_service_whose_candidate_could_not_be_named_is_told(world: World) -> None:
    name = "s" * 54
    world.cluster.put(SERVICES, service(name, selects="shop"))
    world.cluster.put(ROUTES, route(names=name))

    with pytest.raises(PlanError, match="64 characters") as caught:
        await world.plan()

    assert len(caught.value.faults) == 1


# --- a fresh baseline ---------------------------------------------------------------------------------------


def fresh(world: World) -> list[dict[str, Any]]:
    """Ask for a judge beside a fresh baseline; its counters are there."""
    world.connect_prometheus(0)
    return [judge(preset="demo", baseline="fresh", mode="observe")]


async def baseline_faults(world: World, **changed: Any) -> list[str]:
    """Give a plan's faults that speak of the baseline; there are others, since no Prometheus answers here."""
    with pytest.raises((PlanError, PlanUnavailableError)) as caught:
        await world.plan(gates=fresh(world), max_s=900, **changed)
    error: Any = caught.value
    return [fault for fault in error.faults if "baseline" in fault]


async def test_what_stands_in_the_baselines_place_is_told(world: World) -> None:
    world.cluster.put(DEPLOYMENTS, deployment("shop-baseline"))
    world.cluster.put(SERVICES, service("shop-baseline", selects="somebody"))

    workload, behind = await baseline_faults(world)

    assert workload.startswith(
        "Deployment shop-baseline in shop is not ours: it lacks the label cd-provider/side=baseline"
    )
    assert behind.startswith("Service shop-baseline in shop is not ours")


async def test_what_has_the_baselines_name_is_nobodys_business_where_none_is_asked_for(world: World) -> None:
    world.cluster.put(DEPLOYMENTS, deployment("shop-baseline"))

    assert await world.plan() == []


async def test_a_step_that_leaves_the_baseline_too_little_is_told(world: World) -> None:
    (found,) = await baseline_faults(world, steps=[10, 60])

    assert "the steps go up to 60, and 50 is the most that both can have" in found


def test_a_canary_with_such_a_step_is_refused_when_the_dag_is_parsed() -> None:
    where: dict[str, Any] = {
        "app": "shop", "image": "registry.example/shop:v2", "workload": "deployment/shop", "namespace": "shop",
        "router": {"kind": "gateway_api", "route": "shop"},
    }  # fmt: skip
    gates = [judge(preset="demo", baseline="fresh")]

    with pytest.raises(ArgumentError, match="50 is the most"):
        CanaryOperator(task_id="canary", steps=[51], gates=gates, **where)
    CanaryOperator(task_id="canary", steps=[50], gates=gates, **where)


# --- is it worth another try? -------------------------------------------------------------------------------


def the_registry_is_down(world: World) -> str:
    world.registry.faults = [on("manifests", error(503, "DOWN"))]
    return "answers 503"


def the_registry_is_busy(world: World) -> str:
    world.registry.faults = [on("manifests", error(429, "TOOMANYREQUESTS", Retry_After="7"))]
    return "Try again in 7 s"


def the_registry_refuses_connections(world: World) -> str:
    host = f"127.0.0.1:{nobody_listens()}"
    world.image = f"{host}/shop:v2"
    world.connect_registry(host, insecure_http=True)
    return "no answer"


def prometheus_is_down(world: World) -> str:
    world.connect_prometheus(nobody_listens())
    return "Prometheus"


def the_cluster_is_out_of_reach(world: World) -> str:
    world.connect_cluster(at(world, f"http://127.0.0.1:{nobody_listens()}"))
    return "the connection to the API server failed"


def the_cluster_starts(world: World) -> str:
    world.cluster.next = [answers(503)] * 100
    return "the API server answered 503"


def at(world: World, address: str) -> dict[str, Any]:
    """Give a kubeconfig that leads elsewhere."""
    config = world.cluster.kubeconfig()
    config["clusters"][0]["cluster"]["server"] = address
    return config


Outage = Callable[[World], str]
OUTAGES: list[Outage] = [
    the_registry_is_down, the_registry_is_busy, the_registry_refuses_connections, prometheus_is_down,
    the_cluster_is_out_of_reach, the_cluster_starts,
]  # fmt: skip


@pytest.mark.parametrize("outage", OUTAGES)
async def test_an_outage_alone_is_worth_another_try(world: World, outage: Outage) -> None:
    said = outage(world)

    with pytest.raises(PlanUnavailableError) as caught:
        await world.plan()

    (fault,) = caught.value.faults
    assert said in fault
    assert "shop: 1 fault(s) found, nothing was touched" in str(caught.value)
    assert "clear this task" in str(caught.value)


async def test_all_outages_are_told_together(world: World) -> None:
    said = [
        outage(world) for outage in (the_registry_is_down, the_cluster_is_out_of_reach, prometheus_is_down)
    ]

    with pytest.raises(PlanUnavailableError) as caught:
        await world.plan()

    assert [one in fault for one, fault in zip(said, caught.value.faults, strict=True)] == [True] * 3


@pytest.mark.parametrize("outage", OUTAGES)
async def test_one_fault_that_stays_makes_another_try_useless(world: World, outage: Outage) -> None:
    said = outage(world)

    with pytest.raises(PlanError) as caught:
        await world.plan(window={"weekly": []})

    assert len(caught.value.faults) == 2
    assert said in str(caught.value)


async def test_a_reason_against_the_workload_makes_another_try_useless(world: World) -> None:
    prometheus_is_down(world)
    world.cluster.objects[f"{DEPLOYMENTS}/shop"]["spec"]["paused"] = True

    with pytest.raises(PlanError, match="is paused"):
        await world.plan()


async def test_a_gate_that_cannot_fail_makes_another_try_useless(world: World) -> None:
    prometheus_is_down(world)

    with pytest.raises(PlanError, match="cannot fail"):
        await world.plan(gates=[promql("errors", query="errors{pod=~'$pods'}", max=1, for_s=120)])


# --- what only looks like an outage -------------------------------------------------------------------------


async def test_credentials_that_the_registry_refuses_stay_refused(world: World) -> None:
    world.registry.faults = [on("manifests", error(401, "UNAUTHORIZED"))]

    with pytest.raises(PlanError, match="401"):
        await world.plan()


async def test_credentials_that_prometheus_refuses_stay_refused(world: World) -> None:
    with Loopback(Answer(status=401)) as prometheus:
        world.connect_prometheus(prometheus.port)

        with pytest.raises(PlanError, match="401"):
            await world.plan()


async def test_credentials_that_the_cluster_refuses_stay_refused(world: World) -> None:
    world.connect_cluster(world.cluster.kubeconfig(token="stale"))

    with pytest.raises(PlanError, match="401"):
        await world.plan()


async def test_a_certificate_that_nobody_vouches_for_stays_refused(world: World, tmp_path: Path) -> None:
    with Loopback(NUMBER, certificate=self_signed(tmp_path)) as other:
        for connect in (
            lambda: world.connect_prometheus(other.port, schema="https"),
            lambda: world.connect_cluster(at(world, f"https://127.0.0.1:{other.port}")),
        ):
            connect()
            with pytest.raises(PlanError, match="CERTIFICATE_VERIFY_FAILED"):
                await world.plan()
            assert other.requests == []


# --- what Airflow hears of it -------------------------------------------------------------------------------


class TaskInstance:
    """Keeps what is pushed."""

    try_number, max_tries = 1, 2

    def __init__(self) -> None:
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.pushed[key] = value


async def test_airflow_retries_a_plan_that_met_an_outage_and_no_other(world: World) -> None:
    the_registry_is_down(world)
    ti = TaskInstance()

    with pytest.raises(PlanUnavailableError):
        await asyncio.to_thread(world.operator().execute, context(ti=ti))
    with pytest.raises(AirflowFailException):
        await asyncio.to_thread(world.operator(window={"weekly": []}).execute, context(ti=ti))


async def test_the_outcome_can_tell_which_outage_it_was(world: World) -> None:
    the_registry_is_down(world)
    ti = TaskInstance()

    with pytest.raises(PlanUnavailableError):
        await asyncio.to_thread(world.operator().execute, context(ti=ti))

    assert "answers 503" in ti.pushed["fault"]
