"""A real Airflow on Postgres: driven through REST, killed part by part, and what is left afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil  # type: ignore[import-untyped]
import psycopg2
import pytest

from tests.stack.airflow import PARTS, AirflowStack
from tests.stack.airflow_api import AirflowApi, AirflowApiError
from tests.stack.errors import StackError
from tests.stack.postgres import Postgres
from tests.stack.session_process import read_stat, wait_until
from tests.stack.slack_double import SlackDouble

DAGS = """
from __future__ import annotations

import os
import time
from datetime import datetime, timedelta, timezone

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, BaseOperator, Param, task


class Wait(BaseOperator):
    def execute(self, context):
        seconds = context["params"]["seconds"]
        self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=seconds)), method_name="resume")

    def resume(self, context, event=None):
        return "resumed"


again = {"retries": 3, "retry_delay": timedelta(seconds=1)}  # Airflow loses an attempt of its own now and then

with DAG("greet", schedule=None, default_args=again, params={"word": Param("hello", type="string")}):

    @task
    def say(params=None):
        print("the word is", params["word"])
        return {"word": params["word"]}

    @task
    def hear(heard):
        return heard["word"]

    hear(say())

with DAG("wait", schedule=None, params={"seconds": Param(2, type="integer")}):
    Wait(task_id="wait")

with DAG("hold", schedule=None, params={"until": Param("", type="string")}):

    @task(**again)
    def hold(params=None):
        ends = time.monotonic() + 300
        while not os.path.exists(params["until"]) and time.monotonic() < ends:
            time.sleep(0.1)

    hold()

with DAG("ask", schedule=None):
    ApprovalOperator(task_id="ask", subject="Shall we?", response_timeout=timedelta(minutes=5), retries=0)

with DAG("tell", schedule=None):

    @task
    def tell():
        from airflow.providers.slack.hooks.slack import SlackHook

        message = {"channel": "#releases", "text": "hi"}
        return SlackHook(slack_conn_id="slack").call("chat.postMessage", json=message)["ts"]

    tell()
"""


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackDouble]:
    with SlackDouble() as double:
        yield double


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory, slack: SlackDouble) -> Iterator[AirflowStack]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "all.py").write_text(DAGS)
    stack = AirflowStack(
        home=home,
        port=0,
        database="postgres",
        connections={
            "slack": {"conn_type": "slack", "password": slack.token, "extra": {"base_url": slack.url}}
        },
        config={
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": "15",
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": "10",
            "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
            "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
        },
        users={"admin": "admin", "vic": "viewer"},
    )
    try:
        stack.start()
        yield stack
    finally:
        stack.remove()


@pytest.fixture
def api(airflow: AirflowStack) -> Iterator[AirflowApi]:
    yield airflow.api()
    for part in PARTS:
        airflow.start_part(part, wait=False)  # whatever the test killed


def started(api: AirflowApi, dag_id: str, conf: dict[str, Any] | None = None) -> str:
    api.wait_for_dag(dag_id)
    api.unpause(dag_id)
    return api.trigger(dag_id, conf)


def living(pids: list[int]) -> list[int]:
    return [pid for pid in pids if (stat := read_stat(pid)) and stat.state != "Z"]


def test_a_run_goes_through_rest(api: AirflowApi) -> None:
    told: list[tuple[str, str]] = []

    run = api.run("greet", {"word": "yes"}, on_change=lambda ti: told.append((ti["task_id"], ti["state"])))

    run_id = run["dag_run_id"]
    assert (run["state"], run["conf"]) == ("success", {"word": "yes"})
    assert api.states("greet", run_id) == {"say": "success", "hear": "success"}
    assert api.xcom("greet", run_id, "say") == {"word": "yes"}
    assert "the word is yes" in api.task_log("greet", run_id, "say")
    assert {("say", "success"), ("hear", "success")} <= set(told)
    assert [edge["target_id"] for edge in api.graph("greet")["edges"]] == ["hear"]
    assert api.dag("greet")["params"]["word"]["value"] == "hello"


def test_connections_are_seen_without_their_secrets(api: AirflowApi, slack: SlackDouble) -> None:
    connection = api.connections()["slack"]

    assert connection["conn_type"] == "slack"
    assert slack.token not in str(connection)


def test_a_task_reaches_the_slack_double(api: AirflowApi, slack: SlackDouble) -> None:
    run = api.run("tell")

    assert run["state"] == "success"
    assert api.xcom("tell", run["dag_run_id"], "tell") in [message["ts"] for message in slack.messages()]


def test_a_viewer_may_not_trigger(airflow: AirflowStack, api: AirflowApi) -> None:
    with airflow.api("vic") as viewer:
        assert "greet" in viewer.dag_ids()
        with pytest.raises(AirflowApiError, match="403"):
            viewer.trigger("greet")


def test_a_dag_that_does_not_import_says_why(airflow: AirflowStack, api: AirflowApi) -> None:
    broken = airflow.dags_folder / "broken.py"
    broken.write_text("from airflow.sdk import DAG\n\ncanari()  # a dag of airflow\n")
    try:
        with pytest.raises(AirflowApiError, match="canari"):
            api.wait_for_dag("broken", timeout_s=60)
    finally:
        broken.unlink()
        assert wait_until(lambda: api.import_errors() == [], timeout_s=60, every_s=0.5)


def test_a_person_answers(airflow: AirflowStack, api: AirflowApi) -> None:
    run_id = started(api, "ask")
    airflow.wait_for_question("ask", run_id, "ask")
    (question,) = api.hitl_pending("ask", run_id)

    api.hitl_answer("ask", run_id, "ask", ["Approve"])

    assert question["subject"] == "Shall we?"
    assert api.wait("ask", run_id)["state"] == "success"
    assert api.xcom("ask", run_id, "ask")["chosen_options"] == ["Approve"]


def test_tasks_and_runs_are_marked_cleared_and_deleted(api: AirflowApi) -> None:
    run_id = started(api, "wait", {"seconds": 600})
    api.wait_for_task("wait", run_id, "wait", ["deferred"])

    api.mark_task("wait", run_id, "wait", "failed")
    assert api.wait("wait", run_id)["state"] == "failed"
    assert api.clear("wait", run_id, ["wait"]) == ["wait"]
    api.wait_for_task("wait", run_id, "wait", ["deferred"])
    api.mark_run("wait", run_id, "failed")
    assert api.wait("wait", run_id)["state"] == "failed"
    api.delete_run("wait", run_id)

    with pytest.raises(AirflowApiError, match="404"):
        api.dag_run("wait", run_id)


def test_a_wait_that_runs_out_shows_the_states(api: AirflowApi) -> None:
    run_id = started(api, "wait", {"seconds": 600})

    with pytest.raises(AirflowApiError, match="'wait': 'deferred'"):
        api.wait("wait", run_id, timeout_s=20)

    api.mark_run("wait", run_id, "failed")


def test_a_killed_triggerer_hands_its_trigger_on(airflow: AirflowStack, api: AirflowApi) -> None:
    run_id = started(api, "wait", {"seconds": 5})
    api.wait_for_task("wait", run_id, "wait", ["deferred"])

    airflow.kill("triggerer")
    dead = airflow.health()["triggerer"]
    airflow.start_part("triggerer")

    assert dead is False
    assert api.wait("wait", run_id, timeout_s=120)["state"] == "success"
    assert api.xcom("wait", run_id, "wait") == "resumed"


def test_a_killed_scheduler_goes_on_where_it_was(airflow: AirflowStack, api: AirflowApi) -> None:
    run_id = started(api, "wait", {"seconds": 5})
    api.wait_for_task("wait", run_id, "wait", ["deferred"])
    workers = airflow.parts["scheduler"].pids()

    airflow.kill("scheduler")
    left = living(workers)
    airflow.start_part("scheduler")

    assert left == []
    assert api.wait("wait", run_id, timeout_s=120)["state"] == "success"


@pytest.fixture
def released(tmp_path: Path) -> Path:
    """A file that is not there yet; once it is, ``hold`` ends, whichever attempt runs."""
    return tmp_path / "released"


def held(airflow: AirflowStack, api: AirflowApi, released: Path) -> tuple[str, list[int]]:
    """Start ``hold``; give its run, and supervisor and task of the attempt that runs."""
    run_id = started(api, "hold", {"until": str(released)})
    assert wait_until(lambda: len(airflow.worker_pids("hold", run_id, "hold")) == 2, timeout_s=120)
    return run_id, airflow.worker_pids("hold", run_id, "hold")


def test_a_killed_worker_is_noticed_and_its_task_retried(
    airflow: AirflowStack, api: AirflowApi, released: Path
) -> None:
    run_id, pids = held(airflow, api, released)

    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    released.touch()

    assert api.wait("hold", run_id, timeout_s=120)["state"] == "success"
    assert api.task_instance("hold", run_id, "hold")["try_number"] >= 2
    assert wait_until(lambda: airflow.worker_pids("hold", run_id, "hold") == [], timeout_s=30)


def test_a_killed_task_is_retried_by_its_supervisor(
    airflow: AirflowStack, api: AirflowApi, released: Path
) -> None:
    run_id, _ = held(airflow, api, released)
    killed = api.task_instance("hold", run_id, "hold")

    os.kill(killed["pid"], signal.SIGKILL)
    released.touch()

    assert api.wait("hold", run_id, timeout_s=120)["state"] == "success"
    assert api.task_instance("hold", run_id, "hold")["try_number"] > killed["try_number"]


def test_a_frozen_api_server_answers_nothing(airflow: AirflowStack, api: AirflowApi) -> None:
    airflow.pause_part("api-server")
    frozen = airflow.health()["api-server"]
    airflow.resume_part("api-server")

    assert frozen is False
    assert wait_until(lambda: airflow.health()["api-server"], timeout_s=30)


def test_a_restarted_api_server_keeps_tokens(airflow: AirflowStack, api: AirflowApi) -> None:
    token = api.token()

    airflow.restart("api-server")

    assert "greet" in api.dag_ids()
    assert api.token() == token


def test_starting_again_keeps_what_lives(airflow: AirflowStack, api: AirflowApi) -> None:
    airflow.wait_healthy()
    before = {name: airflow.parts[name].pid for name in PARTS}

    airflow.start()

    assert {name: airflow.parts[name].pid for name in PARTS} == before


def test_nothing_listens_beyond_the_loopback(airflow: AirflowStack, api: AirflowApi) -> None:
    airflow.wait_healthy()
    assert airflow.postgres is not None
    pids = [pid for part in (*airflow.parts.values(), airflow.postgres.process) for pid in part.pids()]
    sockets = [s for pid in pids for s in psutil.Process(pid).net_connections(kind="inet")]

    addresses = {s.laddr.ip for s in sockets if s.status == psutil.CONN_LISTEN}

    assert addresses == {"127.0.0.1"}


def test_an_unknown_part_is_named(airflow: AirflowStack) -> None:
    with pytest.raises(StackError, match="no part 'worker'"):
        airflow.kill("worker")


def test_sqlite_and_stock_settings_run_beside_it(airflow: AirflowStack, tmp_path: Path) -> None:
    dags = tmp_path / "dags"
    dags.mkdir()
    (dags / "all.py").write_text(DAGS)
    stack = AirflowStack(home=tmp_path / "home", dags_folder=dags, port=0, stock_settings=True)
    try:
        with stack:
            assert stack.port != airflow.port
            run = stack.api().run("greet")
            assert run["state"] == "success", stack.story("greet", run["dag_run_id"])
            pids = [pid for part in stack.parts.values() for pid in part.pids()]
        assert living(pids) == []
    finally:
        stack.remove()


def test_postgres_comes_back_after_a_kill(tmp_path: Path) -> None:
    server = Postgres(folder=tmp_path / "postgres")
    try:
        server.start()
        dsn = server.database("shop").replace("postgresql+psycopg2", "postgresql")
        with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE releases (digest text)")
        connection.close()
        server.process.kill(signal.SIGKILL)
        assert not server.answers()

        server.start()

        with psycopg2.connect(dsn) as connection, connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM releases")
            assert cursor.fetchone() == (0,)
        connection.close()
        assert psutil.Process(server.process.pid).username() == "postgres"
    finally:
        server.remove()
    assert not server.data.exists()
