"""Whole deliveries under a real Airflow: their colours, what people are told, and what settings change."""

from __future__ import annotations

from tests.integration.airflow_runs import Start
from tests.integration.deliveries import Shop
from tests.stack.airflow import AirflowStack
from tests.stack.load import Load
from tests.stack.slack_double import SlackDouble


def test_a_good_release_ends_green_and_is_told_in_one_message(
    start: Start, slack: SlackDouble, load: Load, v2: str
) -> None:
    told_before = len(slack.messages())
    run = start(v2)

    assert run.end() == "success"
    assert run.states() == {
        "plan": "success", "verify": "success", "canary": "success", "promote": "success", "abort": "skipped",
        "outcome": "success",
    }  # fmt: skip
    assert run.shop.images() == {v2}
    run.gone()
    assert load.record().failed() == 0
    told = slack.messages()[told_before:]
    assert len(told) == 1
    assert "promoted" in str(told[0]).lower()


def test_a_bad_release_ends_red_and_its_message_says_what_was_compared(
    start: Start, shop: Shop, slack: SlackDouble, v1: str, bad: str
) -> None:
    stable = {pod["metadata"]["uid"] for pod in shop.pods()}
    told_before = len(slack.messages())
    run = start(bad, step_s=60)

    assert run.end() == "failed"
    states = run.states()
    assert (states["canary"], states["promote"], states["outcome"]) == ("failed", "upstream_failed", "failed")
    assert states["abort"] == "success"
    assert run.shop.images() == {v1}
    run.gone()
    told = slack.messages()[told_before:]
    assert len(told) == 1
    assert "allowed at most 0.1" in str(told[0])
    assert stable == {pod["metadata"]["uid"] for pod in shop.pods()}


def test_a_failed_verify_is_red(start: Start, v1: str, v2: str) -> None:
    run = start(v2, dag_id="small")

    assert run.end() == "failed"
    assert run.states()["verify"] == "failed"
    assert "1 rule" in run.xcom("outcome", "outcome")["line"]
    assert run.shop.images() == {v1}


def test_a_run_that_may_be_cut_off_by_its_time_out_is_refused(start: Start, v1: str, v2: str) -> None:
    run = start(v2, dag_id="hurried")

    assert run.end() == "failed"
    assert "dagrun_timeout" in str(run.xcom("plan", "fault"))
    assert run.shop.images() == {v1}


def test_retries_and_time_outs_of_default_args_change_no_verdict(start: Start, v1: str, bad: str) -> None:
    run = start(bad, dag_id="strict", step_s=60)

    assert run.end() == "failed"
    task = run.airflow.api().task_instance("strict", run.run_id, "shop.canary")
    assert task["try_number"] == 1
    run.gone()
    assert run.shop.images() == {v1}


def test_a_canary_that_outlives_the_execution_timeout_goes_on(start: Start, v2: str) -> None:
    run = start(v2, dag_id="strict", step_s=12)

    assert run.end() == "success"
    assert run.shop.images() == {v2}


def test_two_deliveries_at_once_one_is_refused_and_names_the_holder(start: Start, v2: str, bad: str) -> None:
    first = start(v2, step_s=20)
    first.on_traffic()
    second = start(bad)

    assert second.end() == "failed"
    assert "is busy" in second.xcom("outcome", "outcome")["line"]
    assert first.end() == "success"
    assert first.shop.images() == {v2}


def test_no_secret_is_left_anywhere(
    start: Start, airflow: AirflowStack, slack: SlackDouble, bad: str
) -> None:
    run = start(bad, step_s=60)
    run.end()
    token = run.shop.kubeconfig.read_text().rpartition("token:")[2].split()[0]

    logs = "".join(path.read_text(errors="replace") for path in airflow.home.rglob("*.log"))
    lease = run.shop.kubectl("get", "lease,deployment,httproute,service", "-o", "json")
    assert "shop.canary" in logs
    for secret in (slack.token, token):
        assert secret not in logs
        assert secret not in lease
