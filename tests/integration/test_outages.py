"""Canaries through outages, on the real cluster: held, gone on with, or taken off; never left to themselves."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from cd_provider.core.access import role
from cd_provider.triggers.canary import CanaryTrigger, run_order
from cd_provider.triggers.promote import run_promotion
from tests.integration.deliveries import Shop, connections, observed, until
from tests.integration.test_stack import kill, up_elsewhere
from tests.loopback import Answer, Loopback, Request
from tests.relay import Relay
from tests.stack.access import service_account
from tests.stack.cluster import kubectl
from tests.stack.errors import StackError
from tests.stack.load import Load

STEPS = ((10, 2), (50, 3))
SILENCE_NOTED = "cd-provider/silent-since"
NAN = {"status": "success", "data": {"resultType": "vector", "result": [{"metric": {}, "value": [1, "NaN"]}]}}
LOST = Answer(b'{"status":"error","errorType":"internal","error":"storage is gone"}', 500)


class Metrics:
    """What stands between the provider and Prometheus."""

    def __init__(self, url: str) -> None:
        self.url, self.http = url, httpx.Client()
        self.fault: Answer | None = None
        self.relay: Relay | None = None

    def answer(self, request: Request) -> Answer:
        if self.fault is not None:
            return self.fault
        real = self.http.post(self.url + request.path, data=dict(request.form))
        return Answer(real.content, real.status_code, {"Content-Type": "application/json"})

    def fail(self, how: str) -> None:
        assert self.relay is not None
        match how:
            case "cut":
                self.relay.cut()
            case "hang":
                self.relay.hang()
            case "500":
                self.fault = LOST
            case "nan":
                self.fault = Answer(json.dumps(NAN).encode())

    def mend(self) -> None:
        assert self.relay is not None
        self.fault = None
        self.relay.mend()


@pytest.fixture
async def metrics(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Metrics]:
    """Prometheus, for as long as it is wanted."""
    made = Metrics(shop.stack.prometheus_url)
    with made.http, Loopback(made.answer) as server:
        async with Relay(server.port) as made.relay:
            told = {**connections(shop.stack, shop.kubeconfig)["prometheus_default"], "port": made.relay.port}
            monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(told))
            yield made


@asynccontextmanager
async def relayed(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Relay]:
    """Have the account reach the API server by way of a relay."""
    config = yaml.safe_load(shop.kubeconfig.read_text())
    server = config["clusters"][0]["cluster"]["server"]
    async with Relay(int(server.rpartition(":")[2])) as relay:
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{relay.port}"
        use_kubeconfig(shop, config, tmp_path, monkeypatch)
        yield relay


def use_kubeconfig(shop: Shop, config: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = folder / "kubeconfig.yaml"
    path.write_text(yaml.safe_dump(config))
    told = connections(shop.stack, path)["kubernetes_default"]
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(told))
    return path


async def weight_is(shop: Shop, weight: int) -> None:
    await until(lambda: shop.weights().get("shop-candidate") == weight, timeout_s=60, what=f"weight {weight}")


async def ended(running: asyncio.Future[Any]) -> Any:
    """Wait for the end of a canary; one that has none is a failure, and is stopped."""
    async with asyncio.timeout(150):
        return await running


def silent_s(line: str) -> int:
    """Read for how long there was no data."""
    found = re.search(r"no data .* for (\d+) s$", line)
    assert found, line
    return int(found[1])


# --- Prometheus ---------------------------------------------------------------------------------------------

FAULTS = ["cut", "hang", "500", "nan"]


@pytest.mark.parametrize("how", FAULTS)
async def test_without_numbers_the_weight_is_held_and_then_the_candidate_is_off(
    shop: Shop, metrics: Metrics, load: Load, v2: str, how: str
) -> None:
    async with observed(shop) as seen:
        running = asyncio.create_task(run_order(shop.order(v2, steps=[(10, 2), (50, 60)], no_data_s=8)))
        await weight_is(shop, 10)
        metrics.fail(how)

        event = await ended(running)

    assert event["kind"] == "INCONCLUSIVE"
    assert silent_s(event["line"]) >= 8
    assert set(seen.distinct_weights()) == {0, 10}
    assert shop.weights()["shop-candidate"] == 0
    assert seen.stable_images == {shop.image}


@pytest.mark.parametrize("how", FAULTS)
async def test_a_canary_goes_on_once_there_are_numbers_again(
    shop: Shop, metrics: Metrics, load: Load, v2: str, how: str
) -> None:
    async with observed(shop) as seen:
        running = asyncio.create_task(run_order(shop.order(v2, steps=STEPS, no_data_s=60)))
        await weight_is(shop, 10)
        metrics.fail(how)
        await until(lambda: shop.annotations().get(SILENCE_NOTED), what="the note of silence")
        metrics.mend()

        event = await ended(running)

    assert event["kind"] == "PASS"
    assert seen.distinct_weights() == [0, 10, 50]
    assert not shop.annotations().get(SILENCE_NOTED)


# --- the API server -----------------------------------------------------------------------------------------


async def test_an_api_server_that_is_away_for_a_while_is_waited_for(
    shop: Shop, load: Load, v2: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relayed(shop, tmp_path, monkeypatch) as relay, observed(shop) as seen:
        running = asyncio.create_task(run_order(shop.order(v2, steps=STEPS, no_data_s=60)))
        await weight_is(shop, 10)
        relay.cut()
        await until(lambda: relay.refused >= 20, what="vain attempts")
        relay.mend()

        event = await ended(running)

    assert event["kind"] == "PASS"
    assert seen.distinct_weights() == [0, 10, 50]
    assert len(seen.candidate_names) == 1


async def test_a_bad_candidate_is_off_as_soon_as_the_api_server_is_back(
    shop: Shop, load: Load, bad: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relayed(shop, tmp_path, monkeypatch) as relay:
        running = asyncio.create_task(run_order(shop.order(bad, steps=[(10, 60)], no_data_s=60)))
        await weight_is(shop, 10)
        relay.cut()
        await until(
            lambda: load.record().count("bad") >= 60, timeout_s=60, what="sixty answers of the candidate"
        )
        assert shop.weights()["shop-candidate"] == 10
        relay.mend()

        event = await ended(running)

    assert event["kind"] == "FAIL"
    assert "allowed at most 0.1" in event["line"]
    assert shop.weights()["shop-candidate"] == 0
    assert json.loads(shop.annotations()["cd-provider/verdict"])["kind"] == "FAIL"


async def test_a_cluster_that_was_away_for_too_long_makes_it_inconclusive_and_the_candidate_is_off(
    shop: Shop, load: Load, v2: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with relayed(shop, tmp_path, monkeypatch) as relay:
        running = asyncio.create_task(run_order(shop.order(v2, steps=[(10, 60)], no_data_s=6)))
        await weight_is(shop, 10)
        relay.cut()
        await asyncio.sleep(9)
        relay.mend()

        event = await ended(running)

    assert event["kind"] == "INCONCLUSIVE"
    assert "the cluster has given no answer" in event["line"]
    assert event["off_at"] > event["decided_at"]
    assert shop.weights()["shop-candidate"] == 0


@pytest.mark.alone
async def test_a_restarted_api_server_is_survived(shop: Shop, load: Load, v2: str) -> None:
    running = asyncio.create_task(run_order(shop.order(v2, steps=[(10, 10), (50, 3)], no_data_s=60)))
    await weight_is(shop, 10)
    await asyncio.to_thread(kill, "kube-apiserver")
    # A new API server refuses everybody until it has read its roles, and the gateway's controller backs off for up to
    # a minute when that happened to it before; how long it stays away is not what is tested here.
    await asyncio.to_thread(kill, "contour")
    repaired = await asyncio.to_thread(up_elsewhere)

    event = await ended(running)

    assert repaired.returncode == 0, repaired.stderr.decode()
    assert event["kind"] == "PASS"
    assert shop.weights() == {"shop": 50, "shop-candidate": 50}
    assert shop.images() == {shop.image}


async def test_a_token_that_is_refused_in_mid_canary_is_read_again(
    shop: Shop, load: Load, v2: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = yaml.safe_load(shop.kubeconfig.read_text())
    path = use_kubeconfig(shop, config, tmp_path, monkeypatch)
    running = asyncio.create_task(run_order(shop.order(v2, steps=[(10, 10), (50, 3)], no_data_s=60)))
    await weight_is(shop, 10)
    shop.kubectl("delete", "serviceaccount", "cd")
    shop.kubectl("create", "serviceaccount", "cd")  # of the same name and role; its old tokens are void
    await until(lambda: refused(shop.kubeconfig), what="the refusal of the old token")
    assert not running.done()
    config["users"][0]["user"]["token"] = shop.kubectl("create", "token", "cd").strip()
    path.write_text(yaml.safe_dump(config))

    event = await ended(running)

    assert event["kind"] == "PASS"
    assert shop.weights() == {"shop": 50, "shop-candidate": 50}


def refused(kubeconfig: Path) -> bool:
    try:
        kubectl(kubeconfig, "get", "pods")
    except StackError as err:
        return "Unauthorized" in str(err) or "must be logged in" in str(err)
    return False


# --- the lock -----------------------------------------------------------------------------------------------


async def test_whoever_loses_the_lock_writes_nothing_more(shop: Shop, load: Load, v2: str) -> None:
    trigger = CanaryTrigger(order=shop.order(v2, steps=[(10, 60), (50, 60)]).as_dict())
    running = asyncio.ensure_future(anext(trigger.run()))
    await until(lambda: shop.annotations().get("cd-provider/step-started"), what="the first step")
    theirs = {
        "metadata": {"annotations": {"cd-provider/instance": "theirs"}},
        "spec": {"holderIdentity": "d-other#1"},
    }
    shop.kubectl("patch", "lease", "cd-provider-deployment-shop", "--type=merge", "-p", json.dumps(theirs))
    before = written(shop)

    event = (await ended(running)).payload

    assert event["kind"] == "LOST"
    assert "d-other#1" in event["line"]
    assert written(shop) == before
    assert shop.weights()["shop-candidate"] == 10


def written(shop: Shop) -> Any:
    """Give all that a delivery writes."""
    lease, route = shop.read("lease", "cd-provider-deployment-shop"), shop.read("httproute")
    candidate, service = shop.read("deployment", "shop-candidate"), shop.read("service", "shop-candidate")
    assert lease is not None
    assert route is not None
    assert candidate is not None
    assert service is not None
    versions = lease["metadata"]["resourceVersion"], service["metadata"]["resourceVersion"]
    return versions, route["spec"], candidate["spec"], shop.annotations(), shop.annotations("shop")


# --- permissions --------------------------------------------------------------------------------------------


async def test_a_role_for_the_whole_cluster_does_as_well_as_one_for_the_namespace(
    shop: Shop, load: Load, v2: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = role(shop.namespace)["rules"]
    account = service_account(shop.stack, shop.namespace, "wide", role_yaml_rules=rules, cluster=True)
    told = connections(shop.stack, account)["kubernetes_default"]
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(told))
    order = shop.order(v2, steps=STEPS)

    event = await run_order(order)
    await run_promotion(order, drain_s=1)

    assert event["kind"] == "PASS"
    assert shop.images() == {v2}
    assert shop.read("deployment", "shop-candidate") is None
