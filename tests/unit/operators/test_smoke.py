from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from airflow.sdk.exceptions import AirflowFailException

from cd_provider.core.names import delivery_id
from cd_provider.exceptions import ArgumentError
from cd_provider.operators.smoke import ImageSmokeOperator, smoke, smoke_arguments, smoke_delivery

PINNED = f"registry.example/shop@sha256:{'0' * 64}"


def operator(image: Any = PINNED, **more: Any) -> ImageSmokeOperator:
    return ImageSmokeOperator(task_id="smoke", image=image, **more)


def context() -> Any:
    def push(key: str, value: Any) -> None:
        pass

    ti = SimpleNamespace(task_id="smoke", map_index=-1, try_number=1, xcom_push=push)
    return cast("Any", {"ti": ti, "dag_run": SimpleNamespace(dag_id="dag", run_id="run")})


@pytest.mark.parametrize("image", ["registry.example/shop:v2", "", {"image": "registry.example/shop:v2"}])
def test_only_a_pinned_image_is_tried_out(image: Any) -> None:
    with pytest.raises(AirflowFailException, match="image: saw"):
        operator(image).execute(context())


def test_a_wrong_argument_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ArgumentError, match="memory: saw 'much'"):
        operator(memory="much")
    with pytest.raises(ArgumentError, match="health: unknown key 'ports'"):
        operator(health={"ports": 80})


def test_templates_are_checked_when_they_are_rendered() -> None:
    task = operator(memory="{{ params.memory }}", health={"port": "{{ params.port }}"})
    task.memory, task.health = "much", {"port": 8080}  # as rendered

    with pytest.raises(AirflowFailException, match="memory: saw 'much'"):
        task.execute(context())


def test_every_argument_of_the_maker_is_one_of_the_operator() -> None:
    given: dict[str, Any] = {
        "docker_conn_id": "engine", "registry_conn_id": "registry", "command": ["/app"], "entrypoint":
        ["/run"], "environment": {"A": "1"}, "health": {"port": 80}, "timeout_s": 5, "pull_timeout_s": 6,
        "memory": "1Gi", "cpus": 1, "pids": 9, "read_only": False, "tmpfs": {"/run": "1Mi"}, "user": "1000",
    }  # fmt: skip

    task = operator(**smoke_arguments(smoke(**given)))

    assert {name: getattr(task, name) for name in given} == given


def test_its_containers_are_named_after_run_and_task() -> None:
    found = smoke_delivery(context(), task_id="deliver.smoke")

    assert found == delivery_id(dag_id="dag", run_id="run", group="deliver.smoke")


def test_stopping_before_anything_runs_is_harmless() -> None:
    operator().on_kill()
