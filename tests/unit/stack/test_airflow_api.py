"""The session with Airflow's REST API, against scripted answers; the real one is in tests/integration."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.stack.airflow_api import AirflowApi, AirflowApiError

Answer = Callable[[httpx.Request], httpx.Response]


def api(answer: Answer) -> AirflowApi:
    def route(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/auth/token":
            return httpx.Response(201, json={"access_token": "t"})
        return answer(request)

    return AirflowApi(
        url="http://airflow", user="admin", password="secret", transport=httpx.MockTransport(route)
    )


def run_in(state: str, *tasks: str | None) -> Answer:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/taskInstances"):
            found = [
                {"task_id": f"t{n}", "map_index": -1, "state": s, "try_number": 1, "start_date": f"{n}"}
                for n, s in enumerate(tasks)
            ]
            return httpx.Response(200, json={"task_instances": found})
        return httpx.Response(200, json={"state": state})

    return answer


def test_a_refusal_shows_what_airflow_said() -> None:
    with pytest.raises(AirflowApiError, match="POST /dags/d/dagRuns gave 409: run exists") as caught:
        api(lambda _: httpx.Response(409, text="run exists")).trigger("d")

    assert caught.value.status == 409


def test_a_wrong_password_is_not_shown() -> None:
    session = AirflowApi(
        url="http://airflow",
        user="admin",
        password="secret",
        transport=httpx.MockTransport(lambda _: httpx.Response(401, text="no")),
    )

    with pytest.raises(AirflowApiError, match="401") as caught:
        session.dag_ids()

    assert "secret" not in str(caught.value)


def test_a_token_that_ran_out_is_renewed_once() -> None:
    seen: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.path)
        return httpx.Response(401) if len(seen) == 1 else httpx.Response(200, json={"dags": []})

    assert api(answer).dag_ids() == []
    assert seen == ["/api/v2/dags", "/api/v2/dags"]


def test_a_wait_that_runs_out_names_all_states() -> None:
    with pytest.raises(AirflowApiError, match=r"d r is running after 0 s: .*'t0': 'success', 't1': None"):
        api(run_in("running", "success", None)).wait("d", "r", timeout_s=0)


def test_changes_are_told_once() -> None:
    told: list[tuple[str, str]] = []
    answers = [run_in("running", "running", None)] * 4 + [run_in("failed", "failed", None)] * 2

    def note(ti: dict[str, Any]) -> None:
        told.append((ti["task_id"], ti["state"]))

    run = api(lambda request: answers.pop(0)(request)).wait("d", "r", on_change=note, every_s=0)

    assert run["state"] == "failed"
    assert told == [("t0", "running"), ("t0", "failed")]


def test_a_task_that_ended_otherwise_is_not_waited_for() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/taskInstances/t0"):
            return httpx.Response(200, json={"state": "failed"})
        return run_in("failed", "failed")(request)

    with pytest.raises(AirflowApiError, match="t0 is failed, not"):
        api(answer).wait_for_task("d", "r", "t0", ["success"], timeout_s=60)


def test_a_file_that_does_not_import_ends_the_wait_for_its_dag() -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/importErrors"):
            errors = [{"filename": "shop.py", "stack_trace": "NameError: canari"}]
            return httpx.Response(200, json={"import_errors": errors})
        return httpx.Response(404, text="no such Dag")

    with pytest.raises(AirflowApiError, match=r"shop.py:\nNameError: canari"):
        api(answer).wait_for_dag("shop", timeout_s=60)


def test_nothing_handed_on_is_none() -> None:
    assert api(lambda _: httpx.Response(404)).xcom("d", "r", "t") is None


def test_a_known_connection_is_replaced() -> None:
    seen: list[tuple[str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append((request.method, request.url.path))
        return httpx.Response(409 if request.method == "POST" else 200, json={})

    api(answer).put_connection("k8s", {"conn_type": "kubernetes", "extra": {"namespace": "shop"}})

    assert seen == [("POST", "/api/v2/connections"), ("PATCH", "/api/v2/connections/k8s")]
