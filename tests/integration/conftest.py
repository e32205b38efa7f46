"""What deliveries on the real stack share: a shop of its own for each test, a Slack and an Airflow for each file."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cd_provider.core.judge.settings import JudgeSettings
from tests.integration.airflow_runs import Delivery, Start
from tests.integration.deliveries import Shop, connections
from tests.stack.airflow import AirflowStack
from tests.stack.load import Load
from tests.stack.slack_double import SlackDouble

if TYPE_CHECKING:
    from tests.stack import Stack

DAGS = Path(__file__).parent / "airflow_dags"
KILLABLE = {  # so that a dead triggerer is noticed within seconds; half a minute at stock settings
    "AIRFLOW__TRIGGERER__JOB_HEARTBEAT_SEC": "1",
    "AIRFLOW__TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": "6",
}


@pytest.fixture
def shop(stack: Stack, namespace: str, v1: str, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """Three pods of v1, and connections for exactly the documented role."""
    made = Shop.deploy(stack, namespace, v1)
    for name, fields in connections(stack, made.kubeconfig).items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
    return made


@pytest.fixture
def load(shop: Shop, tmp_path: Path) -> Iterator[Load]:
    """Fifty requests a second for that shop."""
    with shop.load(tmp_path) as running:
        yield running


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a judge pass after one minute; that it waits longer in earnest is shown in test_fresh_baseline.py."""
    monkeypatch.setattr(JudgeSettings, "quiet_s", 60.0)
    monkeypatch.setattr(JudgeSettings, "counts_from_s", 30.0)


@pytest.fixture(scope="module")
def slack() -> Iterator[SlackDouble]:
    """Run a Slack of the file's own."""
    with SlackDouble() as double:
        yield double


@pytest.fixture(scope="module")
def airflow(
    stack: Stack, slack: SlackDouble, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowStack]:
    """An Airflow on Postgres whose parts the tests kill."""
    known = connections(stack, stack.kubeconfig)
    known.pop("kubernetes_default")  # each namespace has a connection of its own, with the documented role
    known["slack_default"] = {"conn_type": "slack", "password": slack.token, "extra": {"base_url": slack.url}}
    known["docker_engine_default"] = {"conn_type": "docker_engine", "host": stack.docker_host}
    running = AirflowStack(
        home=tmp_path_factory.mktemp("airflow"), dags_folder=DAGS, port=0, database="postgres",
        connections=known, config=KILLABLE,
    )  # fmt: skip
    try:
        running.start()
        yield running
    finally:
        running.stop()  # its logs stay, to look into when a test failed
        if running.postgres:
            running.postgres.remove()


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note whether a test failed, for fixtures that tell more then."""
    report = yield
    item.stash[FAILED] = item.stash.get(FAILED, False) or report.failed
    return report


@pytest.fixture
def start(start_unused: Start, load: Load) -> Start:
    """Trigger a Dag for this test's shop, which is under load."""
    return start_unused


@pytest.fixture
def start_unused(airflow: AirflowStack, shop: Shop, request: pytest.FixtureRequest) -> Iterator[Start]:
    """Trigger a Dag for this test's shop, which nobody uses; a failed test tells what its runs did."""
    api = airflow.api()
    kubernetes = connections(shop.stack, shop.kubeconfig)["kubernetes_default"]
    api.put_connection(shop.namespace, kubernetes)
    begun: list[Delivery] = []

    def trigger(image: str, *, dag_id: str = "plain", step_s: Any = 3) -> Delivery:
        api.wait_for_dag(dag_id)
        conf = {"image": image, "namespace": shop.namespace, "step_s": step_s}
        begun.append(Delivery(airflow, shop, dag_id, api.trigger(dag_id, conf)))
        return begun[-1]

    yield trigger
    for one in begun:
        if request.node.stash.get(FAILED, False):
            print(airflow.story(one.dag_id, one.run_id))
        with suppress(Exception):
            api.delete_run(one.dag_id, one.run_id)
    api.delete_connection(shop.namespace)
