from __future__ import annotations

import socket
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.demo import world
from tests.demo.delivery import task_order
from tests.demo.world import Builder, check_free
from tests.stack.airflow_api import AirflowApi
from tests.stack.errors import StackError


def test_a_taken_port_is_told_with_a_way_out() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]

        with pytest.raises(StackError, match=rf"port {port} .* is taken.*--port=8081"):
            check_free(port)


def test_a_port_that_nobody_listens_on_is_free() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        port = other.getsockname()[1]

    check_free(port)


def test_nothing_is_delivered_before_prometheus_knows_the_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    for name in ("deploy_shop", "wait_for_counters"):
        monkeypatch.setattr(world, name, lambda *_, what=name: done.append(what))
    builder = Builder(port=0, keep=True, say=done.append)
    stack: Any = SimpleNamespace(kubectl=lambda *_: "", gateway_url="http://127.0.0.1:8880")

    builder._reset_shop(stack, "shop:v1")

    assert done[:2] == ["deploy_shop", "wait_for_counters"]


def test_tasks_are_shown_in_the_order_in_which_they_run() -> None:
    class Api:
        def tasks(self, dag_id: str) -> list[dict[str, Any]]:
            after = {
                "a.verify": ["a.canary"],
                "a.canary": ["a.promote"],
                "a.plan": ["a.verify"],
                "a.promote": [],
            }
            return [{"task_id": task, "downstream_task_ids": later} for task, later in after.items()]

    assert task_order(cast("AirflowApi", Api())) == ["a.plan", "a.verify", "a.canary", "a.promote"]
