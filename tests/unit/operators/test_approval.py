from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import pytest
from airflow.sdk import DAG, Context
from airflow.sdk.exceptions import AirflowFailException, TaskAwaitingInput
from airflow.sdk.execution_time import task_runner
from airflow.sdk.execution_time.comms import CreateHITLDetailPayload, HITLDetailRequestResult

from cd_provider.exceptions import ArgumentError
from cd_provider.operators.approval import (
    ReleaseApprovalOperator,
    approval,
    approval_arguments,
    release_question,
)


class Supervisor:
    """Keeps the first question of a task, as Airflow does across clears and retries."""

    def __init__(self) -> None:
        self.kept: CreateHITLDetailPayload | None = None

    def send(self, msg: CreateHITLDetailPayload) -> HITLDetailRequestResult:
        self.kept = self.kept or msg
        return HITLDetailRequestResult(**self.kept.model_dump(exclude={"type"}))


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Supervisor:
    supervisor = Supervisor()
    monkeypatch.setattr(task_runner, "SUPERVISOR_COMMS", supervisor, raising=False)
    return supervisor


def context(*, asked_by: str | None = "ann", run_type: str = "manual") -> Context:
    run = SimpleNamespace(triggering_user_name=asked_by, run_type=run_type)
    return cast(Context, {"task_instance": SimpleNamespace(id=UUID(int=1)), "dag_run": run})


def operator(**more: Any) -> ReleaseApprovalOperator:
    given = {"subject": "Release shop?", "body": "v2", "timeout_s": "1h", **more}
    return ReleaseApprovalOperator(task_id="approval", **given)


def reply(option: str, person: dict[str, str] | None) -> dict[str, Any]:
    at = datetime(2025, 11, 25, 8, tzinfo=UTC)
    return {"chosen_options": [option], "params_input": {}, "responded_at": at, "responded_by_user": person}


BOB = {"id": "7", "name": "bob"}


def test_it_asks_and_waits_for_as_long_as_told(supervisor: Supervisor) -> None:
    with pytest.raises(TaskAwaitingInput) as parked:
        operator(assigned_users=["bob", {"id": "8", "name": "cy"}]).execute(context())

    assert parked.value.timeout == timedelta(hours=1)
    assert supervisor.kept is not None
    assert (supervisor.kept.subject, supervisor.kept.body) == ("Release shop?", "v2")
    assert supervisor.kept.defaults is None
    assert [user.id for user in supervisor.kept.assigned_users or []] == ["bob", "8"]


def test_a_yes_names_the_person() -> None:
    answer = operator().execute_complete(context(), reply("Approve", BOB))

    assert answer == {"approved": True, "by": "bob", "at": "2025-11-25T08:00:00+00:00"}


NO = [
    pytest.param(reply("Reject", BOB), "was rejected by bob", id="reject"),
    pytest.param({"error": "…", "error_type": "timeout"}, "nobody answered within 1h", id="time-out"),
    pytest.param({"error": "gone", "error_type": "unknown"}, "no usable answer", id="error"),
    pytest.param(reply("Approve", None), "answered by nobody", id="default-answer"),
]


@pytest.mark.parametrize(("event", "message"), NO)
def test_everything_but_a_persons_yes_is_red_without_a_retry(event: dict[str, Any], message: str) -> None:
    with pytest.raises(AirflowFailException, match=message):
        operator().execute_complete(context(), event)


def test_whoever_asked_may_not_approve_with_four_eyes() -> None:
    for person in ({"id": "ann", "name": "Ann"}, {"id": "3", "name": "ann"}):
        with pytest.raises(AirflowFailException, match="ann asked for it, and may not approve it"):
            operator(four_eyes=True).execute_complete(context(), reply("Approve", person))

    assert operator(four_eyes=True).execute_complete(context(), reply("Approve", BOB))["approved"]
    assert operator().execute_complete(context(), reply("Approve", {"id": "3", "name": "ann"}))["approved"]


def test_four_eyes_prove_nothing_when_it_is_not_known_who_asked() -> None:
    scheduled = context(asked_by=None, run_type="scheduled")

    with pytest.raises(AirflowFailException, match="not known who asked"):
        operator(four_eyes=True).execute_complete(context(asked_by=None), reply("Approve", BOB))
    assert operator(four_eyes=True).execute_complete(scheduled, reply("Approve", BOB))["approved"]


@pytest.mark.parametrize(
    "changed", [{"body": "v3"}, {"subject": "Release web?"}, {"assigned_users": ["bob"]}]
)
def test_an_old_question_is_not_asked_again_for_something_else(
    supervisor: Supervisor, changed: dict[str, Any]
) -> None:
    with pytest.raises(TaskAwaitingInput):
        operator().execute(context())

    with pytest.raises(TaskAwaitingInput):
        operator().execute(context())
    with pytest.raises(
        AirflowFailException, match=f"another {next(iter(changed))}, and Airflow would show that old"
    ):
        operator(**changed).execute(context())


def test_default_args_of_the_dag_cannot_answer() -> None:
    defaults = {"defaults": ["Approve"], "fail_on_reject": False, "options": ["Approve"], "retries": 3}
    with DAG("d", schedule=None, default_args=defaults):
        task = operator()

    assert task.defaults is None
    assert task.fail_on_reject
    assert task.options == ["Approve", "Reject"]
    assert task.retries == 3


def test_a_lost_reply_is_asked_for_again() -> None:
    assert operator().retries == 1
    assert operator(retries=0).retry_delay == timedelta(seconds=5)


@pytest.mark.parametrize(
    "taken", ["defaults", "options", "response_timeout", "fail_on_reject", "execution_timeout"]
)
def test_what_would_weaken_it_cannot_be_set(taken: str) -> None:
    with pytest.raises(ArgumentError, match=f"{taken} cannot be set"):
        operator(**{taken: None})


def test_the_time_out_is_required_and_checked() -> None:
    with pytest.raises(TypeError, match="timeout_s"):
        ReleaseApprovalOperator(task_id="approval", subject="?")  # type: ignore[call-arg]
    with pytest.raises(ArgumentError, match="timeout_s: saw 'soon', expected seconds"):
        operator(timeout_s="soon")
    assert operator(timeout_s="{{ params.wait }}")


def test_a_restriction_that_renders_empty_is_refused(supervisor: Supervisor) -> None:
    task = operator(assigned_users="{{ params.approvers }}")
    task.assigned_users = ""  # type: ignore[assignment]  # as rendered

    with pytest.raises(AirflowFailException, match="assigned_users: saw"):
        task.execute(context())


def test_approvers_may_come_as_json_text(supervisor: Supervisor) -> None:
    task = operator(assigned_users="{{ var.value.approvers }}")
    task.assigned_users = '["bob", "cy"]'  # type: ignore[assignment]  # as rendered

    with pytest.raises(TaskAwaitingInput):
        task.execute(context())

    assert supervisor.kept is not None
    assert [user.name for user in supervisor.kept.assigned_users or []] == ["bob", "cy"]


def test_what_the_maker_gives_the_operator_takes() -> None:
    made = approval_arguments(approval(timeout_s=60, assigned_users=["bob"], four_eyes=True))

    assert operator(**made).four_eyes


@pytest.mark.parametrize("value", [{}, {"timeout_s": 60, "user": "bob"}, "yes", True])
def test_a_wrong_approval_is_refused(value: Any) -> None:
    with pytest.raises(ArgumentError, match="approval"):
        approval_arguments(value)


def test_the_question_shows_app_image_asker_and_findings() -> None:
    question = release_question(app="shop", image="r/shop@sha256:0", tag="v2", findings="- 2 pods")

    assert question["subject"] == "Release shop?"
    assert question["body"].split("\n\n") == [
        "**App:** shop",
        "**Image:** `r/shop@sha256:0`, found as `v2`",
        "**Asked by:** {{ dag_run.triggering_user_name or dag_run.run_type }}, run `{{ run_id }}`",
        "- 2 pods",
    ]
