"""What is asked for wrongly is told before anything is touched, and all of it together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk import DAG

from cd_provider.exceptions import ArgumentError
from cd_provider.pipelines import canary_delivery, gateway_api
from tests.integration.deliveries import Shop
from tests.integration.plan.plans import (
    SILENT,
    WEEK,
    faults_of,
    gate,
    plan,
    the_fault,
    untouched,
)


async def test_a_good_plan_finds_nothing_and_touches_nothing(kept: Shop, v2: str) -> None:
    with untouched(kept):
        assert await plan(kept, v2) == []


ARGUMENTS: list[Any] = [
    pytest.param({"workload": "deployment/shoe"}, ['"shoe" not found'], id="unknown workload"),
    pytest.param(
        {"container": "shoe"}, ["no container 'shoe'", "expected one of shop"], id="unknown container"
    ),
    pytest.param(
        {"router": gateway_api(route="shoe")}, ['"shoe" not found', "httproutes"], id="unknown route"
    ),
    pytest.param(
        {"service": "shoe"}, ["no rule names the Service shoe", "saw shop"], id="route without the Service"
    ),
    pytest.param({"steps": [50, 10]}, ["10 comes after 50", "rising"], id="steps not rising"),
    pytest.param({"steps": [50, 110]}, ["steps[1]", "110", "from 1 to 100"], id="steps over 100"),
    pytest.param(
        {"gates": [gate(min=None)]}, ["'errors' cannot fail", "neither max nor min"], id="gate without bound"
    ),
    pytest.param(
        {"gates": [gate(for_s=120)]},
        ["'errors' cannot fail", "120 s"],
        id="bound broken for longer than all steps",
    ),
    pytest.param(
        {"gates": [gate(every_s=90)]}, ["looks every 90 s", "shortest step takes 60 s"], id="looks too seldom"
    ),
    pytest.param(
        {"gates": [gate(query="sum(up{pod=~'$pods'}")]},
        ["it refuses the query", "sum(up"],
        id="PromQL refused",
    ),
    pytest.param(
        {"gates": [gate(query="up{namespace='$namespace',pod=~'$pods'}")]},
        ["gives 3 series", "expected one"],
        id="several series",
    ),
    pytest.param(
        {"gates": [gate(query=SILENT)]},
        ["can only be silent", "service='shop'"],
        id="query that matches nothing",
    ),
    pytest.param(
        {"window": {"weekly": [{**WEEK, "to": "00:00"}]}}, ["never opens"], id="window that never opens"
    ),
    pytest.param(
        {
            "window": {
                "weekly": [WEEK],
                "freezes": [{"from": "2020-01-01T00:00Z", "to": "2999-01-01T00:00Z", "reason": "merger"}],
            },
        },
        ["never opens", "merger"],
        id="window that is always frozen",
    ),
    pytest.param({"max_s": 100}, ["max_s", "steps alone take 120"], id="no time for the steps"),
    pytest.param(
        {"dagrun_timeout": timedelta(minutes=5)},
        ["dagrun_timeout of shop_delivery is 300 s", "Raise it"],
        id="short dagrun_timeout",
    ),
    pytest.param({"namespace": ""}, ["namespace: saw ''"], id="empty namespace"),
    pytest.param({"app": ""}, ["app: saw ''"], id="empty app"),
    pytest.param(
        {"kubernetes_conn_id": "nowhere"}, ["connection 'nowhere': there is none"], id="no cluster connection"
    ),
    pytest.param(
        {"registry_conn_id": "nowhere"}, ["connection 'nowhere': there is none"], id="no registry connection"
    ),
    pytest.param(
        {"prometheus_conn_id": "nowhere"},
        ["connection 'nowhere': there is none"],
        id="no Prometheus connection",
    ),
]


@pytest.mark.parametrize(("given", "said"), ARGUMENTS)
async def test_what_is_asked_for_wrongly_is_told(
    kept: Shop, v2: str, given: dict[str, Any], said: list[str]
) -> None:
    rendered = {name: value for name, value in given.items() if name != "dagrun_timeout"}

    fault = await the_fault(kept, v2, dagrun_timeout=given.get("dagrun_timeout"), rendered=rendered)

    assert all(word in fault for word in said), fault


async def test_all_faults_are_told_together(kept: Shop) -> None:
    faults = await faults_of(
        kept,
        "Not/An:Image:At all",
        dagrun_timeout=timedelta(minutes=5),
        rendered={
            "app": "",
            "workload": "deployment/shoe",
            "router": gateway_api(route="shoe"),
            "gates": [
                gate("one", query="sum(up{pod=~'$pods'}"),
                gate("two", min=None),
                gate("three", every_s=90),
            ],
            "window": {"weekly": []},
        },
    )

    text = "\n".join(faults)
    words = [
        "app: saw ''", "Not/An:Image", "'two' cannot fail", "'three' looks every 90 s", "dagrun_timeout", "window",
        "httproutes.gateway.networking.k8s.io/shoe", "deployments.apps/shoe", "it refuses the query",
    ]  # fmt: skip
    assert [word for word in words if word not in text] == []
    assert len(faults) == len(words)


def test_no_router_is_refused_when_the_dag_is_parsed() -> None:
    with (
        DAG("shop", schedule=None),
        pytest.raises(ArgumentError, match=r"router: saw None.*gateway_api.*half of it"),
    ):
        canary_delivery(
            app="shop", image="shop:v2", workload="deployment/shop", namespace="shop", steps=[10], gates=[], router=None  # type: ignore[arg-type]
        )  # fmt: skip


def test_an_unknown_argument_is_named_when_the_dag_is_parsed() -> None:
    given: dict[str, Any] = {
        "app": "shop", "image": "shop:v2", "workload": "deployment/shop", "namespace": "shop", "steps": [10],
        "gates": [], "router": gateway_api(route="shop"), "stepps_s": 5,
    }  # fmt: skip

    with DAG("shop", schedule=None), pytest.raises(TypeError, match="stepps_s"):
        canary_delivery(**given)
