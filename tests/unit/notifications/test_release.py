"""ReleaseNotifier, called as Airflow calls it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from datetime import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG, BaseNotifier, TaskInstanceState

from cd_provider.adapters.notifiers import slack
from cd_provider.exceptions import ArgumentError
from cd_provider.notifications.release import ReleaseNotifier
from tests.stack.slack_double import SlackDouble

DEADLINE = {
    "dag_run": {"dag_id": "shop", "dag_run_id": "manual__1+00:00", "state": "running"},
    "deadline": {"id": "1"},
}


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[SlackDouble]:
    """Run a Slack of our own, and have Airflow's connection to it."""
    with SlackDouble() as running:
        extra = json.dumps({"base_url": running.url})
        fields = {"conn_type": "slack", "password": running.token, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_SLACK_DEFAULT", json.dumps(fields))
        monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/")
        yield running


def context(state: Any = TaskInstanceState.FAILED, task: str = "canary", **more: Any) -> dict[str, Any]:
    """Give what a task's callback is given."""
    ti = SimpleNamespace(dag_id="shop", run_id="manual__1", task_id=task, state=state)
    return {"ti": ti, "dag": DAG("shop", start_date=datetime(2026, 1, 1)), "run_id": "manual__1", **more}


def texts(double: SlackDouble) -> list[str]:
    return [message["text"] for message in double.messages()]


def test_it_is_what_airflow_calls_a_notifier() -> None:
    assert isinstance(ReleaseNotifier(app="shop", line="x"), BaseNotifier)


def test_a_callback_tells_what_its_task_did(double: SlackDouble) -> None:
    notifier = ReleaseNotifier(
        app="shop", line="{{ ti.task_id }} is {{ ti.state.value }}", image="{{ params.image }}"
    )

    notifier(context(params={"image": "registry.example/shop:v2"}, exception=ValueError("a < b")))

    (message,) = double.messages()
    shown = json.dumps(message["blocks"], ensure_ascii=False)
    assert "shop aborted: canary is failed" in message["text"]
    assert "registry.example/shop:v2" in shown
    assert "*Task*\\ncanary" in shown
    assert "*Error*\\na &lt; b" in shown
    assert "<https://airflow.example/dags/shop/runs/manual__1|" in shown


@pytest.mark.parametrize(
    ("given", "word"),
    [
        pytest.param(context(TaskInstanceState.SUCCESS), "promoted", id="a task's success"),
        pytest.param(context("failed"), "aborted", id="a task's failure"),
        pytest.param(context(TaskInstanceState.UP_FOR_RETRY), "running", id="a retry"),
        pytest.param(context(TaskInstanceState.SKIPPED), "inconclusive", id="a skip"),
        pytest.param(context("success", reason="task_failure"), "aborted", id="a Dag's failure"),
        pytest.param(context("failed", reason="success"), "promoted", id="a Dag's success"),
        pytest.param({"reason": "timed_out", "run_id": "r"}, "aborted", id="a Dag's failure without a task"),
        pytest.param(DEADLINE, "running", id="a deadline"),
    ],
)
def test_the_outcome_follows_the_state(double: SlackDouble, given: dict[str, Any], word: str) -> None:
    ReleaseNotifier(app="shop", line="x")(given)

    assert [text.split()[2] for text in texts(double)] == [f"{word}:"]


def test_the_outcome_can_be_said(double: SlackDouble) -> None:
    ReleaseNotifier(app="shop", line="x", outcome="{{ 'ref' ~ 'used' }}")(context())

    assert "shop refused" in texts(double)[0]


def test_one_notifier_serves_many_tasks(double: SlackDouble) -> None:
    notifier = ReleaseNotifier(
        app="shop", line="{{ ti.task_id }}", notify=slack("{{ '#' ~ params.channel }}")
    )

    notifier(context(task="canary", params={"channel": "general"}))
    notifier(context(task="promote", params={"channel": "releases"}))

    assert [text.split()[-1] for text in texts(double)] == ["canary", "promote"]
    assert [message["channel_name"] for message in double.messages()] == ["general", "releases"]


def test_it_leaves_the_context_as_it_was(double: SlackDouble) -> None:
    given = context()
    before = dict(given)

    ReleaseNotifier(app="shop", line="x")(given)

    assert given == before


async def test_a_deadline_awaits_it(double: SlackDouble) -> None:
    await ReleaseNotifier(app="shop", line="{{ dag_run.dag_id }} is late", context=DEADLINE)

    (message,) = double.messages()
    assert "shop is late" in message["text"]
    shown = json.dumps(message["blocks"])
    assert "<https://airflow.example/dags/shop/runs/manual__1%2B00%3A00|" in shown


async def test_it_may_be_called_where_a_loop_runs(double: SlackDouble) -> None:
    ReleaseNotifier(app="shop", line="x")(context())

    assert len(texts(double)) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param({"slack_conn_id": "nobody_made_this"}, id="no connection"),
        pytest.param({"channel": "#nowhere"}, id="no channel"),
        pytest.param({"outcome": "great"}, id="no outcome"),
        pytest.param({"line": "{{ nothing.of.this }}"}, id="a template that cannot be rendered"),
    ],
)
async def test_what_cannot_be_told_fails_nobody(double: SlackDouble, arguments: dict[str, str]) -> None:
    arguments = {"app": "shop", "line": "x", **arguments}

    ReleaseNotifier(**arguments)(context())  # type: ignore[arg-type]
    await ReleaseNotifier(**arguments, context=context())  # type: ignore[arg-type]

    assert texts(double) == []


async def test_a_slack_that_hangs_can_be_cancelled(double: SlackDouble) -> None:
    double.fail("hang")

    async def tell() -> None:
        await ReleaseNotifier(app="shop", line="x", context=DEADLINE)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(tell(), 0.3)
    double.recover()


def test_a_typo_fails_when_the_dag_is_parsed() -> None:
    with pytest.raises(ArgumentError, match="unknown key 'chanel'"):
        ReleaseNotifier(app="shop", line="x", notify={"kind": "slack", "chanel": "#x"})
