"""What people do to a delivery under way in a real Airflow: answer, mark, clear, pause, delete."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.integration.airflow_runs import Delivery, Start, wait
from tests.stack.images import push_shop
from tests.stack.slack_double import SlackDouble

if TYPE_CHECKING:
    from tests.stack import Stack


def test_a_rejected_approval_is_red_and_touches_nothing(start: Start, v1: str, v2: str) -> None:
    run = start(v2, dag_id="careful")
    answer(run, "Reject")

    assert run.end() == "failed"
    assert run.states()["canary"] in ("skipped", "upstream_failed")
    assert run.xcom("outcome", "outcome")["outcome"] == "refused"
    assert run.shop.images() == {v1}


def test_a_tag_that_moved_while_people_thought_changes_nothing(start: Start, stack: Stack) -> None:
    tag = f"moving-{time.time_ns()}"
    asked = push_shop(stack, "v2", tag=tag)
    run = start(f"{stack.registry}/shop:{tag}", dag_id="careful")
    run.wait_for("approval", "awaiting_input", "deferred")
    push_shop(stack, "bad", error_share=0.3, tag=tag)
    answer(run, "Approve")

    assert run.end() == "success"
    assert run.shop.images() == {asked}


def test_a_question_that_somebody_answers_is_promoted_in_their_name(
    start_unused: Start, slack: SlackDouble, v2: str
) -> None:
    run = start_unused(v2, dag_id="asking")
    wait(lambda: questions(slack), "a question in Slack", timeout_s=240)
    (asked,) = questions(slack)
    assert "a person is asked whether it goes on all the same" in asked["text"]
    assert "override" in str(asked["blocks"])
    assert run.shop.weights()["shop-candidate"] == 10

    word = {"by": "ada", "reason": "nobody shops at night"}
    run.airflow.api().add_xcom("asking", run.run_id, "shop.canary", "override", word)

    assert run.end() == "success"
    assert run.shop.images() == {v2}
    verdict = run.xcom("canary")
    assert (verdict["kind"], verdict["by"], verdict["reason"]) == ("OVERRIDE", *word.values())
    assert len(questions(slack)) == 1


def questions(slack: SlackDouble) -> list[dict[str, Any]]:
    """Give what was posted below a release's message."""
    return [one for one in slack.messages() if one.get("thread_ts")]


def answer(run: Delivery, choice: str) -> None:
    """Answer as a person does."""
    run.airflow.wait_for_question(run.dag_id, run.run_id, "shop.approval")
    run.airflow.api().hitl_answer(run.dag_id, run.run_id, "shop.approval", [choice])


@pytest.mark.parametrize("what", ["canary", "run"])
def test_marked_failed_in_mid_canary_is_off_traffic_and_red(
    start: Start, v1: str, v2: str, what: str
) -> None:
    run = start(v2, step_s=120)
    run.on_traffic()
    api = run.airflow.api()
    if what == "canary":
        api.mark_task("plain", run.run_id, "shop.canary", "failed")
    else:
        api.mark_run("plain", run.run_id, "failed")

    run.gone()
    wait(lambda: run.airflow.api().dag_run("plain", run.run_id)["state"] == "failed", "the run is red")
    assert run.shop.images() == {v1}


def test_marked_success_without_a_pass_promotes_nothing_and_is_red(start: Start, v1: str, v2: str) -> None:
    run = start(v2, step_s=120)
    run.on_traffic()
    run.airflow.api().mark_task("plain", run.run_id, "shop.canary", "success")

    assert run.end() == "failed"
    run.gone()
    assert run.states()["promote"] == "failed"
    assert run.shop.images() == {v1}


def test_a_cleared_canary_begins_anew_and_ends_green(start: Start, v2: str) -> None:
    run = start(v2, step_s=10)
    run.on_traffic()
    run.airflow.api().clear("plain", run.run_id, ["shop.canary"])
    wait(
        lambda: run.shop.annotations().get("cd-provider/attempt") == "2", "the second attempt", timeout_s=120
    )

    assert run.end() == "success"
    assert run.shop.images() == {v2}


def test_a_paused_dag_does_not_keep_a_bad_candidate_on_traffic(start: Start, v1: str, bad: str) -> None:
    run = start(bad, step_s=120)
    run.on_traffic()
    api = run.airflow.api()
    api.pause("plain")
    try:
        run.off_traffic()
    finally:
        api.unpause("plain")

    assert run.end() == "failed"
    assert run.shop.images() == {v1}


def test_a_deleted_run_leaves_no_candidate(start: Start, v1: str, v2: str) -> None:
    run = start(v2, step_s=120)
    run.on_traffic()
    delete_for_good(run)

    run.gone()
    assert run.shop.images() == {v1}


def delete_for_good(run: Delivery) -> None:
    """Take a running run out of Airflow's database, as a clean-up of old rows does; its API refuses to."""
    import psycopg2

    dsn = run.airflow.env()["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].replace(
        "postgresql+psycopg2", "postgresql"
    )
    with contextlib.closing(psycopg2.connect(dsn)) as database, database, database.cursor() as rows:
        rows.execute("DELETE FROM dag_run WHERE run_id = %s", (run.run_id,))
