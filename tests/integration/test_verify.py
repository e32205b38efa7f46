"""Verify on the real stack: images that its Docker engine built, its registry, its pods, and a real Airflow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.sdk.exceptions import AirflowFailException

from cd_provider.operators.image import ImageVerifyOperator
from tests.integration.deliveries import Shop, connections
from tests.registries.double import RegistryDouble, error, first, on
from tests.stack import Stack
from tests.stack.airflow import AirflowStack
from tests.stack.images import push_shop
from tests.stack.oci_push import image, index, push

DAG = """
from __future__ import annotations

from datetime import timedelta

from airflow.sdk import DAG, Param

from cd_provider.operators.image import ImageVerifyOperator

with DAG("verify", schedule=None, params={"image": Param("", type="string"), "conn": "registry_default"}):
    ImageVerifyOperator(
        task_id="verify",
        image="{{ params.image }}",
        registry_conn_id="{{ params.conn }}",
        platforms=["linux/amd64"],
        retries=2,
        retry_delay=timedelta(seconds=1),
    )
"""


@pytest.fixture
def connected(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"conn_type": "oci_registry", "host": stack.registry, "extra": {"insecure_http": True}}
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY_DEFAULT", json.dumps(told))


async def verify(image: str, **rules: Any) -> dict[str, Any]:
    operator = ImageVerifyOperator(task_id="verify", image=image, **rules)
    verified: dict[str, Any] = await asyncio.to_thread(operator.execute, {})
    return verified


async def test_every_pod_reports_one_of_the_digests(shop: Shop, v1: str) -> None:
    verified = await verify(v1)

    reported = [status["imageID"] for pod in shop.pods() for status in pod["status"]["containerStatuses"]]
    assert verified["image"] == v1
    assert len(reported) == 3
    assert all(any(digest in one for digest in verified["digests"]) for one in reported)


@pytest.mark.usefixtures("connected")
async def test_a_tag_that_moves_after_verify_takes_nothing_with_it(stack: Stack) -> None:
    before = push_shop(stack, "before", tag="moving", repository="verify-moving")
    name = f"{stack.registry}/verify-moving:moving"
    verified = await verify(name)

    after = push_shop(stack, "after", tag="moving", repository="verify-moving")

    assert before != after
    assert verified["image"] == before
    assert (await verify(verified["image"]))["digests"] == verified["digests"]
    assert (await verify(name))["image"] == after


@pytest.mark.usefixtures("connected")
async def test_an_image_without_the_clusters_platform_is_refused(stack: Stack) -> None:
    push(f"http://{stack.registry}", "verify-arm", "v1", index(image("linux/arm64")))

    with pytest.raises(AirflowFailException, match=r"platform linux/amd64 is missing, it has linux/arm64"):
        await verify(f"{stack.registry}/verify-arm:v1", platforms=["linux/amd64"])


@pytest.fixture(scope="module")
def flaky() -> Iterator[RegistryDouble]:
    """A registry that is down for the first request of each test."""
    with RegistryDouble() as double:
        double.hold("shop", "v1", image())
        yield double


@pytest.fixture(scope="module")
def airflow(
    stack: Stack, flaky: RegistryDouble, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[AirflowStack]:
    home = tmp_path_factory.mktemp("airflow-verify")
    (home / "dags").mkdir()
    (home / "dags" / "verify.py").write_text(DAG)
    real = connections(stack, stack.kubeconfig)["registry_default"]
    running = AirflowStack(
        home=home,
        port=0,
        connections={"registry_default": real, "flaky": {**real, "host": flaky.host}},
    )
    try:
        running.start()
        yield running
    finally:
        running.remove()


def run_verify(
    airflow: AirflowStack, image: str, conn: str = "registry_default"
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Trigger the Dag; give its run and its task instance."""
    api = airflow.api()
    run = api.run("verify", {"image": image, "conn": conn}, timeout_s=180)
    return run, api.task_instance("verify", run["dag_run_id"], "verify")


def test_a_run_hands_on_the_pinned_image(airflow: AirflowStack, v1: str) -> None:
    run, task = run_verify(airflow, v1.partition("@")[0] + ":v1")

    assert (run["state"], task["try_number"]) == ("success", 1)
    handed_on = airflow.api().xcom("verify", run["dag_run_id"], "verify")
    assert (handed_on["image"], handed_on["tag"]) == (v1, "v1")


@pytest.mark.parametrize(
    ("image", "said"),
    [
        pytest.param("elsewhere.example/shop:v1", "Nothing was sent", id="another host"),
        pytest.param("@REGISTRY@/shop:nobody-pushed-this", "MANIFEST_UNKNOWN", id="no such tag"),
        pytest.param("", "rendered to nothing", id="empty"),
    ],
)
def test_a_run_is_red_at_once_when_a_person_has_to_act(
    airflow: AirflowStack, stack: Stack, image: str, said: str
) -> None:
    run, task = run_verify(airflow, image.replace("@REGISTRY@", stack.registry))

    assert (run["state"], task["try_number"]) == ("failed", 1)
    assert said in airflow.api().task_log("verify", run["dag_run_id"], "verify", try_number=1)


def test_a_run_tries_again_after_an_outage(airflow: AirflowStack, flaky: RegistryDouble) -> None:
    flaky.faults = [first(1, on("manifests", error(503, "DOWN")))]

    run, task = run_verify(airflow, f"{flaky.host}/shop:v1", "flaky")

    assert (run["state"], task["try_number"]) == ("success", 2)
    assert "503 DOWN" in airflow.api().task_log("verify", run["dag_run_id"], "verify", try_number=1)
