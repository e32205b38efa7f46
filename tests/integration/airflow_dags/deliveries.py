"""Deliveries that the tests run under a real Airflow; an airflow dag for each way of putting one together."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, Param

from cd_provider.pipelines import (
    approval,
    canary_delivery,
    freeze,
    gateway_api,
    judge,
    promql,
    slack,
    smoke,
    weekly,
    window,
)

ANSWERS = 'shop_requests_total{namespace="$namespace",pod=~"$pods"'
GATE = promql(
    "errors",
    query=f'(sum({ANSWERS},code=~"5.."}}) or vector(0)) / sum({ANSWERS}}})',
    max=0.1,
    min_requests=10,
)
PARAMS = {
    "image": Param("", type="string"),
    "namespace": Param("", type="string"),
    "step_s": Param(3, type=["number", "string"]),
}


def delivery(dag_id: str, *, dag: dict[str, Any] | None = None, **changed: Any) -> DAG:
    """Make a Dag of one delivery; its connections are named after the namespace that a run is for."""
    with DAG(dag_id, schedule=None, params=PARAMS, is_paused_upon_creation=False, **(dag or {})) as made:
        canary_delivery(
            **{
                "app": "shop",
                "image": "{{ params.image }}",
                "workload": "deployment/shop",
                "namespace": "{{ params.namespace }}",
                "router": gateway_api(route="shop"),
                "steps": [10, 50],
                "step_s": "{{ params.step_s }}",
                "gates": [GATE],
                "no_data_s": 90,
                "drain_s": 1,
                "max_s": 600,
                "kubernetes_conn_id": "{{ params.namespace }}",
                "notify": slack(channel="#releases"),
                **changed,
            }
        )
    return made


plain = delivery("plain")
strict = delivery(
    "strict",
    dag={
        "default_args": {
            "retries": 3, "retry_delay": timedelta(seconds=1), "execution_timeout": timedelta(seconds=20),
        }
    },
)  # fmt: skip
hurried = delivery("hurried", dag={"dagrun_timeout": timedelta(seconds=60)})
small = delivery("small", verify={"max_size": "1K"})
judged = delivery("judged", gates=[judge(preset="demo")], candidate_min=2)
asking = delivery("asking", gates=[judge(preset="demo", on_inconclusive="ask", ask_s=120)], no_data_s=8)
careful = delivery(
    "careful",
    smoke=smoke(health={"port": 8080, "path": "/healthz", "within_s": 20}),
    approval=approval(timeout_s=300),
    window=window(
        weekly(days="daily", start="00:00", end="24:00", zone="UTC"),
        freezes=[freeze("2020-01-01T00:00", "2020-01-02T00:00", "long ago", zone="UTC")],
    ),
)
