"""What may die or hang in the middle of a delivery under a real Airflow: its parts, its workers, and Slack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import pytest

from tests.integration.airflow_runs import Delivery, Start, wait
from tests.stack.airflow import AirflowStack
from tests.stack.slack_double import SlackDouble


def candidate_on_traffic(run: Delivery, _: str) -> None:
    run.on_traffic()
    assert run.shop.read("deployment", "shop-candidate") is not None


def promotion_begun(run: Delivery, image: str) -> None:
    wait(lambda: run.shop.images() == {image}, "promotion has begun", timeout_s=120)


@pytest.mark.parametrize(("moment", "step_s"), [(candidate_on_traffic, 8), (promotion_begun, 3)])
def test_a_killed_triggerer_is_survived(
    start: Start, airflow: AirflowStack, v2: str, moment: Callable[[Delivery, str], None], step_s: float
) -> None:
    run = start(v2, step_s=step_s)
    moment(run, v2)
    airflow.kill("triggerer")
    airflow.start_part("triggerer")

    assert run.end() == "success"
    assert run.shop.images() == {v2}
    run.gone()


@pytest.mark.parametrize(
    ("task", "moments"),
    [
        pytest.param("canary", [("running",)], id="before-the-deferral"),
        pytest.param("canary", [("deferred",), ("running", "success")], id="in-the-resume"),
    ],
)
def test_a_killed_worker_ends_aborted_or_goes_on(
    start: Start, v1: str, v2: str, task: str, moments: Sequence[Sequence[str]]
) -> None:
    run = start(v2)
    for states in moments:
        run.wait_for(task, *states)
    assert run.kill_worker(task) or "success" in moments[-1]  # a resume may be over within a second

    colour = run.end()
    run.gone()
    assert run.shop.images() == ({v2} if colour == "success" else {v1})


def test_a_promotion_whose_worker_was_killed_is_tried_again(start: Start, v2: str) -> None:
    run = start(v2)
    run.wait_for("canary", "success")
    assert run.kill_worker("promote")

    assert run.end() == "success"
    run.gone()
    assert run.shop.images() == {v2}


@contextmanager
def dead_scheduler(airflow: AirflowStack, _: SlackDouble) -> Iterator[None]:
    airflow.kill("scheduler")
    try:
        yield
    finally:
        airflow.start_part("scheduler")


@contextmanager
def hanging_api_server(airflow: AirflowStack, _: SlackDouble) -> Iterator[None]:
    airflow.pause_part("api-server")
    try:
        yield
    finally:
        airflow.resume_part("api-server")


@contextmanager
def hanging_slack(_: AirflowStack, slack: SlackDouble) -> Iterator[None]:
    slack.fail("hang")
    try:
        yield
    finally:
        slack.recover()


@pytest.mark.parametrize("outage", [dead_scheduler, hanging_api_server, hanging_slack])
def test_an_abort_is_delayed_by_no(
    start: Start,
    airflow: AirflowStack,
    slack: SlackDouble,
    v1: str,
    bad: str,
    outage: Callable[[AirflowStack, SlackDouble], AbstractContextManager[None]],
) -> None:
    run = start(bad, step_s=120)
    run.wait_for("canary", "deferred")
    with outage(airflow, slack):
        run.on_traffic()
        run.off_traffic()

    assert run.end() == "failed"
    run.gone()
    assert run.shop.images() == {v1}
