"""What stands before a canary, each task alone in a Dag of its own, under a real Airflow."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from cd_provider.core.names import ATTEMPT
from cd_provider.core.window import freeze, weekly, window
from tests.integration.test_smoke import ours, wait_for
from tests.stack.airflow import AirflowStack
from tests.stack.airflow_api import AirflowApi, AirflowApiError
from tests.stack.images import docker_client
from tests.stack.probe import push_probe

if TYPE_CHECKING:
    from docker import APIClient

    from tests.stack import Stack

DAGS = """
from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from cd_provider.operators.approval import ReleaseApprovalOperator, release_question
from cd_provider.operators.smoke import ImageSmokeOperator
from cd_provider.sensors.window import ReleaseWindowSensor

retried = {"retries": 2, "retry_delay": timedelta(seconds=1)}
anything = {"type": ["string", "null"]}

with DAG("window", schedule=None, default_args=retried, params={"window": Param("", **anything)}):
    ReleaseWindowSensor(task_id="window", window="{{ params.window }}", timeout=600)

with DAG("calendar", schedule=None, default_args=retried):
    week = {"days": "daily", "from": "00:00", "to": "24:00", "zone": "UTC"}
    ReleaseWindowSensor(task_id="window", window={"weekly": [week], "freezes": "{{ var.value.freezes }}"})

for name, more in (("approval", {}), ("four_eyes", {"four_eyes": True}), ("named", {"assigned_users":
["cy"]})):
    with DAG(name, schedule=None, default_args={**retried, "defaults": ["Approve"]}, params={"wait": "10m"}):
        ReleaseApprovalOperator(
            task_id="approval",
            timeout_s="{{ params.wait }}",
            **release_question(app="shop", image="{{ var.value.image }}"),
            **more,
        )

with DAG("smoke", schedule=None, default_args=retried, params={"image": "", "command": ""}):
    ImageSmokeOperator(
        task_id="smoke", image="{{ params.image }}", command="{{ params.command }}", timeout_s=300
    )
"""


@pytest.fixture(scope="module")
def stack_with_airflow(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowStack]:
    home = tmp_path_factory.mktemp("airflow-before")
    (home / "dags").mkdir()
    (home / "dags" / "before.py").write_text(DAGS)
    running = AirflowStack(
        home=home,
        port=0,
        users={"ann": "admin", "bob": "admin", "cy": "user"},
        connections={"docker_engine_default": {"conn_type": "docker_engine", "host": stack.docker_host}},
    )
    try:
        running.start()
        running.api().set_variable("image", "registry.example/shop@sha256:0")
        yield running
    finally:
        running.remove()


@dataclass(frozen=True)
class Airflow:
    """One Airflow, and those who use it."""

    stack: AirflowStack
    ann: AirflowApi
    bob: AirflowApi
    cy: AirflowApi


@pytest.fixture
def airflow(stack_with_airflow: AirflowStack) -> Iterator[Airflow]:
    api = stack_with_airflow.api
    with api("ann") as ann, api("bob") as bob, api("cy") as cy:
        yield Airflow(stack_with_airflow, ann, bob, cy)


def start(airflow: Airflow, dag: str, conf: dict[str, Any] | None = None) -> str:
    """Trigger a Dag as ann."""
    api = airflow.ann
    api.wait_for_dag(dag)
    api.unpause(dag)
    return api.trigger(dag, conf)


def end(airflow: Airflow, dag: str, run: str, task: str) -> tuple[str, int, str]:
    """Wait for the end; give the run's colour, how often the task was tried, and the log of its last try."""
    api = airflow.ann
    state = api.wait(dag, run, timeout_s=180)["state"]
    tries = api.task_instance(dag, run, task)["try_number"]
    return state, tries, api.task_log(dag, run, task, try_number=tries)


# --- window ---------------------------------------------------------------------------------------------------


def clock(moment: datetime) -> str:
    return f"{moment:%H:%M}"


def test_a_delivery_waits_for_its_window_in_the_triggerer(airflow: Airflow) -> None:
    now = datetime.now(UTC)
    opens = now.replace(second=0, microsecond=0) + timedelta(minutes=1 if now.second < 25 else 2)
    value = window(weekly("daily", clock(opens), clock(opens + timedelta(minutes=5)), "UTC"))

    run = start(airflow, "window", {"window": json.dumps(value)})
    api = airflow.ann
    api.wait_for_task("window", run, "window", ["deferred"])
    state, tries, log = end(airflow, "window", run, "window")

    assert (state, tries) == ("success", 1)
    assert "Release window: closed outside daily" in log
    assert f"opens {opens:%a %Y-%m-%d %H:%M} UTC" in log
    ti = api.task_instance("window", run, "window")
    assert datetime.fromisoformat(ti["end_date"]) >= opens
    assert api.xcom("window", run, "window") == {
        "open": True,
        "closes_at": (opens + timedelta(minutes=5)).isoformat(),
    }


@pytest.mark.parametrize(
    ("calendar", "said"),
    [
        pytest.param(
            "<html>Sign in</html>", "freezes: saw the text .*Sign in.*, expected JSON", id="no-json"
        ),
        pytest.param(
            json.dumps([freeze("2020-01-01T00:00Z", "2120-01-01T00:00Z", "for good")]),
            r"window never opens: frozen until .* \(for good\)",
            id="for-ever",
        ),
    ],
)
def test_an_unreadable_calendar_is_red_at_once(airflow: Airflow, calendar: str, said: str) -> None:
    airflow.ann.set_variable("freezes", calendar)

    state, tries, log = end(airflow, "calendar", start(airflow, "calendar"), "window")

    assert (state, tries) == ("failed", 1)
    assert_said(said, log)
    assert "The window counts as closed" in log


def assert_said(pattern: str, log: str) -> None:
    assert re.search(pattern, log), log


# --- approval -------------------------------------------------------------------------------------------------


def answer(airflow: Airflow, person: AirflowApi, dag: str, run: str, option: str) -> int:
    """Answer as a person, and give the attempt that asked."""
    asked = airflow.stack.wait_for_question(dag, run, "approval")
    person.hitl_answer(dag, run, "approval", [option])
    return int(asked["try_number"])


def test_a_person_approves(airflow: Airflow) -> None:
    run = start(airflow, "approval")
    airflow.ann.wait_for_task("approval", run, "approval", ["awaiting_input"])

    (question,) = airflow.bob.hitl_pending("approval", run)
    heard = answer(airflow, airflow.bob, "approval", run, "Approve")

    assert question["subject"] == "Release shop?"
    assert "**Image:** `registry.example/shop@sha256:0`" in question["body"]
    assert f"**Asked by:** ann, run `{run}`" in question["body"]
    assert question["defaults"] is None
    assert end(airflow, "approval", run, "approval")[:2] == ("success", heard)
    handed_on = airflow.ann.xcom("approval", run, "approval")
    assert (handed_on["approved"], handed_on["by"]) == (True, "bob")


def test_a_reject_is_red_and_not_asked_again(airflow: Airflow) -> None:
    run = start(airflow, "approval")

    heard = answer(airflow, airflow.bob, "approval", run, "Reject")

    state, tries, log = end(airflow, "approval", run, "approval")
    assert (state, tries) == ("failed", heard)
    assert "was rejected by bob" in log


def test_silence_is_red(airflow: Airflow) -> None:
    run = start(airflow, "approval", {"wait": "3s"})

    state, tries, log = end(airflow, "approval", run, "approval")

    assert state == "failed"
    assert "nobody answered within 3s" in log
    before = [airflow.ann.task_log("approval", run, "approval", try_number=one) for one in range(1, tries)]
    assert not any(
        "nobody answered" in one for one in before
    )  # an attempt that Airflow lost has asked nobody


def test_whoever_triggered_may_not_approve(airflow: Airflow) -> None:
    own, other = start(airflow, "four_eyes"), start(airflow, "four_eyes")

    heard = answer(airflow, airflow.ann, "four_eyes", own, "Approve")
    answer(airflow, airflow.bob, "four_eyes", other, "Approve")

    state, tries, log = end(airflow, "four_eyes", own, "approval")
    assert (state, tries) == ("failed", heard)
    assert "ann asked for it, and may not approve it" in log
    assert end(airflow, "four_eyes", other, "approval")[0] == "success"


def test_only_who_is_named_may_answer(airflow: Airflow) -> None:
    run = start(airflow, "named")

    airflow.ann.wait_for_task("named", run, "approval", ["awaiting_input"])
    with pytest.raises(AirflowApiError, match="403"):
        airflow.bob.hitl_answer("named", run, "approval", ["Approve"])
    answer(airflow, airflow.cy, "named", run, "Approve")

    assert end(airflow, "named", run, "approval")[0] == "success"


def test_a_cleared_question_is_asked_again_only_as_it_was(airflow: Airflow) -> None:
    run = start(airflow, "approval")
    answer(airflow, airflow.bob, "approval", run, "Approve")
    end(airflow, "approval", run, "approval")

    airflow.ann.clear("approval", run, ["approval"])
    answer(airflow, airflow.bob, "approval", run, "Approve")
    assert end(airflow, "approval", run, "approval")[0] == "success"

    airflow.ann.set_variable("image", "registry.example/shop@sha256:1")
    try:
        airflow.ann.clear("approval", run, ["approval"])
        state, _, log = end(airflow, "approval", run, "approval")
    finally:
        airflow.ann.set_variable("image", "registry.example/shop@sha256:0")
    assert state == "failed"
    assert "was asked before in this run with another body" in log


# --- smoke ----------------------------------------------------------------------------------------------------


@pytest.fixture
def engine(stack: Stack) -> Iterator[APIClient]:
    with docker_client(stack) as client:
        yield client.api
        assert ours(client.api) == ([], [])


def running_attempt(engine: APIClient, attempt: int) -> None:
    def seen() -> bool:
        return any(
            one["State"] == "running" and one["Labels"][ATTEMPT] == str(attempt) for one in ours(engine)[0]
        )

    wait_for(seen, within_s=120)


def test_a_smoke_run_survives_its_worker_and_is_stopped_by_hand(
    airflow: Airflow, stack: Stack, engine: APIClient
) -> None:
    run = start(airflow, "smoke", {"image": push_probe(stack), "command": "sleep"})

    running_attempt(engine, 1)
    for pid in airflow.stack.worker_pids("smoke", run, "smoke"):
        os.kill(pid, signal.SIGKILL)
    running_attempt(engine, 2)
    assert len(ours(engine)[0]) == 1  # the first one's is gone
    airflow.ann.mark_task("smoke", run, "smoke", "failed")
    wait_for(lambda: ours(engine) == ([], []), within_s=60)

    assert end(airflow, "smoke", run, "smoke")[0] == "failed"


def test_a_crashing_image_makes_the_run_red_with_its_last_words(
    airflow: Airflow, stack: Stack, engine: APIClient
) -> None:
    run = start(airflow, "smoke", {"image": push_probe(stack), "command": "fail no-database"})

    state, tries, log = end(airflow, "smoke", run, "smoke")

    assert (state, tries) == ("failed", 1)
    assert "ended with exit code 3, expected 0" in log
    assert "| no-database" in log
    assert airflow.ann.xcom("smoke", run, "smoke", "smoke")["last_lines"] == ["no-database"]


def test_a_good_image_makes_the_run_green(airflow: Airflow, stack: Stack, engine: APIClient) -> None:
    image = push_probe(stack)

    run = start(airflow, "smoke", {"image": image, "command": "say hello"})

    assert end(airflow, "smoke", run, "smoke")[:2] == ("success", 1)
    assert airflow.ann.xcom("smoke", run, "smoke")["image"] == image
