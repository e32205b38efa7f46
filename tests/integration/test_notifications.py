"""Telling people from everywhere that Airflow runs code: worker, dag processor, triggerer."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.stack.airflow import AirflowStack
from tests.stack.airflow_api import AirflowApi
from tests.stack.session_process import wait_until
from tests.stack.slack_double import SlackDouble

DAGS = '''
"""An airflow dag file for each place from which people are told."""

from __future__ import annotations

from datetime import timedelta

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import DAG, AsyncCallback, BaseAsyncOperator, BaseOperator, task
from airflow.sdk import DeadlineAlert, DeadlineReference

from cd_provider.adapters.notifiers import open_notifier, slack
from cd_provider.core.message import Outcome, ReleaseMessage
from cd_provider.notifications.release import ReleaseNotifier


def told(line):
    return ReleaseNotifier(app="shop", line=line + " {{ run_id }}")


with DAG("by_task", schedule=None):

    @task(on_success_callback=told("task did it"))
    def good(): ...

    @task(on_failure_callback=told("task did not"), trigger_rule="all_done")
    def bad():
        raise ValueError("no")

    good() >> bad()

with DAG("by_dag", schedule=None, on_failure_callback=told("dag did not")):

    @task
    def bad():
        raise ValueError("no")

    bad()

late = AsyncCallback(ReleaseNotifier, kwargs={"app": "shop", "line": "{{ dag_run.dag_run_id }} is late"})
alert = DeadlineAlert(
    reference=DeadlineReference.DAGRUN_QUEUED_AT, interval=timedelta(seconds=1), callback=late
)
with DAG("by_deadline", schedule=None, deadline=alert):

    class Wait(BaseOperator):
        def execute(self, context):
            self.defer(trigger=TimeDeltaTrigger(timedelta(seconds=60)), method_name="execute_complete")

        def execute_complete(self, context, event=None): ...

    Wait(task_id="wait")

with DAG("by_async_task", schedule=None):

    class Tell(BaseAsyncOperator):
        async def aexecute(self, context):
            message = ReleaseMessage("shop", "", Outcome.RUNNING, context["run_id"], {})
            async with open_notifier(slack()) as notifier:
                place = await notifier.send(message)
                return dict(await notifier.send(message, thread=place))

    Tell(task_id="tell")
'''


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackDouble]:
    """Run a Slack of our own."""
    with SlackDouble() as double:
        yield double


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory, slack: SlackDouble) -> Iterator[AirflowApi]:
    """Run an Airflow with the Dags above."""
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "all.py").write_text(DAGS)
    fields = {"conn_type": "slack", "password": slack.token, "extra": {"base_url": slack.url}}
    stack = AirflowStack(home=home, port=0, connections={"slack_default": fields})
    try:
        stack.start()
        yield stack.api()
    finally:
        stack.remove()


def lines(slack: SlackDouble, run_id: str, *, count: int = 1) -> list[str]:
    """Give what was told about one run, once it is as much as expected: callbacks run after a task ends."""

    def told() -> list[str]:
        return [message["text"] for message in slack.messages() if run_id in message["text"]]

    wait_until(lambda: len(told()) >= count, timeout_s=60)
    return told()


def test_a_tasks_callbacks_tell(api: AirflowApi, slack: SlackDouble) -> None:
    run_id = api.run("by_task", timeout_s=120)["dag_run_id"]

    assert lines(slack, run_id, count=2) == [
        f"🟢 shop promoted: task did it {run_id}",
        f"🔴 shop aborted: task did not {run_id}",
    ]


def test_a_dags_callback_tells_from_the_dag_processor(api: AirflowApi, slack: SlackDouble) -> None:
    run_id = api.run("by_dag", timeout_s=120)["dag_run_id"]

    assert lines(slack, run_id) == [f"🔴 shop aborted: dag did not {run_id}"]


def test_a_deadline_tells_from_the_triggerer(api: AirflowApi, slack: SlackDouble) -> None:
    api.wait_for_dag("by_deadline")
    api.unpause("by_deadline")
    run_id = api.trigger("by_deadline")

    assert lines(slack, run_id) == [f"🔵 shop running: {run_id} is late"]
    api.mark_run("by_deadline", run_id, "failed")


def test_an_async_task_tells_once_and_edits(api: AirflowApi, slack: SlackDouble) -> None:
    run_id = api.run("by_async_task", timeout_s=120)["dag_run_id"]

    assert lines(slack, run_id) == [f"🔵 shop running: {run_id}"]
    assert set(api.xcom("by_async_task", run_id, "tell")) == {"channel", "ts"}
