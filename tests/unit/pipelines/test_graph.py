from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from cd_provider.core.release import Verified
from cd_provider.exceptions import ArgumentError
from cd_provider.pipelines import approval, canary_delivery, gateway_api, smoke, weekly, window

DIGEST = "sha256:" + "a" * 64
EXTRAS: dict[str, Any] = {
    "smoke": smoke(),
    "approval": approval(timeout_s="1h"),
    "window": window(weekly(days="mon-fri", start="09:00", end="16:00", zone="Europe/Berlin")),
}


def delivery(**more: Any) -> DAG:
    with DAG("delivery", schedule=None) as dag:
        canary_delivery(
            app="shop", image="registry.example/shop:v2", workload="deployment/shop", namespace="shop",
            router=gateway_api(route="shop"), steps=[10], gates=[], **more,
        )  # fmt: skip
    return dag


@pytest.mark.parametrize(
    "extras", [pytest.param({}, id="shortest"), pytest.param(EXTRAS, id="everything on")]
)
def test_the_graph_of_a_delivery_is_one_line(extras: dict[str, Any]) -> None:
    dag = delivery(**extras)

    assert {
        task.task_id: sorted(task.downstream_task_ids)
        for task in dag.tasks
        if len(task.downstream_task_ids) > 1
    } == {}
    assert len([task for task in dag.tasks if not task.upstream_task_ids]) == 1


@pytest.mark.parametrize("task_id", ["canary", "promote", "abort", "outcome"])
def test_what_verify_and_plan_gave_is_read_from_them(task_id: str) -> None:
    given = {
        "shop.verify": {"image": f"registry.example/shop@{DIGEST}", "tag": "v'2<", "digests": [DIGEST]},
        "shop.plan": {"thread": {"channel": "C1", "ts": "1.2"}},
    }

    class Ti:
        def xcom_pull(self, *, task_ids: str) -> Any:
            return given[task_ids]

    task: Any = delivery().get_task(f"shop.{task_id}")
    task.render_template_fields({"ti": Ti()})

    assert Verified.parse(task.image).image == f"registry.example/shop@{DIGEST}"
    assert Verified.parse(task.image).tag == "v'2<"
    assert task.thread() == {"channel": "C1", "ts": "1.2"}


@pytest.mark.parametrize("nothing", [None, "null", "{}", json.dumps({"image": None})])
def test_what_was_never_verified_is_no_image(nothing: Any) -> None:
    with pytest.raises(ArgumentError):
        Verified.parse(nothing)


def test_the_question_names_the_image_that_was_verified_and_its_tag() -> None:
    class Ti:
        def xcom_pull(self, *, task_ids: str) -> Any:
            return {"shop.verify": {"image": "r/shop@sha256:0", "tag": "v2"}}[task_ids]

    task: Any = delivery(approval=approval(timeout_s="1h")).get_task("shop.approval")
    task.render_template_fields(
        {"ti": Ti(), "dag_run": SimpleNamespace(triggering_user_name="ann"), "run_id": "r1"}
    )

    assert "**Image:** `r/shop@sha256:0`, found as `v2`" in task.body
