"""What every CounterSource must do: the fake, a real Prometheus, and pods' own pages through a real API server."""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from cd_provider.adapters.metrics import COUNTER_SOURCES, open_counter_source
from cd_provider.core.access import DIRECT_PERMISSIONS, GATEWAY_PERMISSIONS, role
from cd_provider.core.judge.presets import DEMO, ENVOY, Preset, preset
from cd_provider.core.judge.series import Follower, Notes, Series
from cd_provider.core.judge.sides import Page, Reading, Sides
from cd_provider.core.ports import CounterSource
from cd_provider.exceptions import ArgumentError, MetricsRefusedError
from tests.fakes import FakeCounters
from tests.stack.access import service_account
from tests.stack.gateway_pod import gateway_pods
from tests.stack.shop import deploy_shop, remove

if TYPE_CHECKING:
    from tests.stack import Stack

GOOD, BAD, WITHIN_S = 40, 25, 60.0
Opener = Callable[..., AbstractAsyncContextManager[CounterSource]]
KINDS = ["fake", "prometheus", "direct"]


@dataclass(frozen=True)
class World:
    """Two sides of one pod each in a real cluster, what was asked of them, and who may read about it."""

    stack: Stack
    sides: Sides
    stables: int  # requests that stable has had in all: the stack's own helper asks it through the gateway
    asked: float  # epoch seconds, before the first request
    allowed: Path
    lesser: Path  # may read pods, and nothing through them


@pytest.fixture(scope="module")
def world(stack: Stack, v1: str, bad_always: str) -> Iterator[World]:
    """A shop that answers well and one that never does, each asked a number of times that is known."""
    name = f"t-counters-{time.time_ns() % 10**8}"
    try:
        deploy_shop(stack, name, v1, replicas=1)
        stack.kubectl("apply", "--server-side", "-f", "-", input=json.dumps(candidate(name, bad_always)))
        stack.kubectl("rollout", "status", "deployment/shop-candidate", "-n", name, "--timeout=60s")
        mine, theirs = (pods(stack, name, app) for app in ("shop-candidate", "shop"))
        pages = {pod: Page(name, pod, 8080) for pod in (*mine, *theirs)}
        sides = Sides(name, "shop-candidate", "shop", tuple(mine), tuple(theirs), pages)
        asked = time.time()
        stables = ask(*theirs.values(), count=GOOD)
        ask(*mine.values(), count=BAD)
        rules = role(name, (*DIRECT_PERMISSIONS, *GATEWAY_PERMISSIONS))["rules"]
        lesser = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]
        yield World(
            stack, sides, stables, asked,
            service_account(stack, name, "reader", role_yaml_rules=rules),
            service_account(stack, name, "lesser", role_yaml_rules=lesser),
        )  # fmt: skip
    finally:
        remove(stack, name)


@pytest.fixture(scope="module")
def bad_always(stack: Stack) -> str:
    from tests.stack.images import push_shop

    return push_shop(stack, "bad-always", error_share=1.0)


@pytest.fixture(scope="module")
def gateways(world: World, v1: str) -> Iterator[str]:
    with gateway_pods(world.stack, world.sides.namespace, v1) as where:
        yield where


def ask(address: str, *, count: int) -> int:
    """Send a pod requests; give how many it has had in all, by its own word."""
    with httpx.Client(base_url=f"http://{address}:8080", trust_env=False) as client:
        for _ in range(count):
            client.get("/")
        page = client.get("/metrics").text
    return sum(int(number) for number in re.findall(r"^shop_requests_total.* (\d+)$", page, re.MULTILINE))


def candidate(namespace: str, image: str) -> dict[str, object]:
    labels = {"app": "shop-candidate"}
    port = {"name": "http", "containerPort": 8080}
    probe = {"httpGet": {"path": "/healthz", "port": "http"}, "periodSeconds": 1}
    container = {"name": "shop", "image": image, "ports": [port], "readinessProbe": probe}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "shop-candidate", "namespace": namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }


def pods(stack: Stack, namespace: str, app: str) -> dict[str, str]:
    """Pod → address."""
    found = json.loads(stack.kubectl("get", "pods", "-n", namespace, "-l", f"app={app}", "-o", "json"))
    return {pod["metadata"]["name"]: pod["status"]["podIP"] for pod in found["items"]}


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set up the connection ``counters`` of a kind."""

    def connect(kind: str, world: World, *, kubeconfig: Path | None = None) -> None:
        url = httpx.URL(world.stack.prometheus_url)
        fields = {
            "prometheus": {"conn_type": "prometheus", "host": url.host, "port": url.port},
            "direct": {
                "conn_type": "kubernetes",
                "extra": json.dumps({"kube_config_path": str(kubeconfig or world.allowed)}),
            },
        }
        monkeypatch.setenv("AIRFLOW_CONN_COUNTERS", json.dumps(fields[kind]))

    return connect


@pytest.fixture
def opened(connect: Callable[..., None]) -> Opener:
    @asynccontextmanager
    async def opened(
        kind: str, world: World, one: Preset = DEMO, **more: str
    ) -> AsyncIterator[CounterSource]:
        if kind == "fake":
            yield fake(world)
            return
        connect(kind, world)
        async with open_counter_source(kind, "counters", one, **more) as source:
            yield source

    return opened


def fake(world: World) -> FakeCounters:
    """What the real ones should say."""
    (mine,), (theirs,) = world.sides.candidate_pods, world.sides.stable_pods
    at, later = world.asked - 1, world.asked + 1
    edges = [0.1, float("inf")]
    return FakeCounters(
        Series("a", "stable", theirs, ((at, 0), (later, world.stables))),
        Series("b", "candidate", mine, ((at, 0), (later, BAD)), bad=True),
        *(Series(f"c{edge}", "candidate", mine, ((at, 0), (later, BAD)), edge=edge) for edge in edges),
        *(
            Series(f"d{edge}", "stable", theirs, ((at, 0), (later, world.stables)), edge=edge)
            for edge in edges
        ),
    )


def counted(*readings: Reading) -> Counter[str]:
    """What happened by all these readings, each pod having begun from nothing."""
    found: Counter[str] = Counter()
    followers: dict[str, Follower] = {}
    for series in (one for reading in readings for one in reading.series):
        follower = followers.setdefault(series.id, Follower(from_zero=True))
        amount = sum(step.amount for step in follower.steps(series, Notes()))
        what = "requests" if series.edge is None else "slow" if series.edge == float("inf") else "bucket"
        found[f"{series.side} {what}"] += int(amount)
        found[f"{series.side} errors"] += int(amount * series.bad)
    return found


async def until(source: CounterSource, world: World, *, candidates: int, stables: int) -> list[Reading]:
    """Read again and again until it all has been seen."""
    readings, deadline = list[Reading](), time.monotonic() + WITHIN_S
    while True:
        readings.append(await source.read(world.sides, since=world.asked - 60))
        seen = counted(*readings)
        if seen["candidate requests"] >= candidates and seen["stable requests"] >= stables:
            return readings
        assert time.monotonic() < deadline, f"saw {seen} within {WITHIN_S:g} s"
        await asyncio.sleep(0.5)


@pytest.mark.parametrize("kind", KINDS)
async def test_every_request_is_counted_once_and_on_its_side(kind: str, world: World, opened: Opener) -> None:
    async with opened(kind, world) as source:
        readings = await until(source, world, candidates=BAD, stables=world.stables)
        readings += [await source.read(world.sides, since=world.asked - 60) for _ in range(2)]

    seen = counted(*readings)
    assert (seen["candidate requests"], seen["candidate errors"], seen["candidate slow"]) == (BAD, BAD, BAD)
    assert (seen["stable requests"], seen["stable errors"], seen["stable slow"]) == (
        world.stables,
        0,
        world.stables,
    )
    assert readings[-1].missing == readings[-1].unreachable == ()


@pytest.mark.parametrize("kind", KINDS)
async def test_stamps_lie_between_before_and_now(kind: str, world: World, opened: Opener) -> None:
    async with opened(kind, world) as source:
        readings = await until(source, world, candidates=BAD, stables=world.stables)
        later = await source.read(world.sides, since=time.time() + 3600)

    stamps = [at for reading in readings for one in reading.series for at, _ in one.samples]
    assert world.asked - 60 < min(stamps)
    assert max(stamps) <= time.time() + 1
    assert not any(one.samples for one in later.series)


@pytest.mark.parametrize("kind", KINDS)
async def test_pods_of_nobody_are_left_out_and_silence_is_told(
    kind: str, world: World, opened: Opener
) -> None:
    alone = replace(world.sides, candidate_pods=())
    async with opened(kind, world) as source:
        await until(source, world, candidates=BAD, stables=world.stables)
        reading = await source.read(alone, since=world.asked - 60)

    assert {one.side for one in reading.series} == {"stable"}
    assert [line.split()[0].rstrip(":") for line in reading.missing] == ["candidate"]


@pytest.mark.parametrize("kind", ["prometheus", "direct"])
async def test_a_counter_that_nobody_keeps_is_missing_on_both_sides(
    kind: str, world: World, opened: Opener
) -> None:
    nobody = preset("custom", total="nobody_counts_this", status="code")
    async with opened(kind, world, nobody) as source:
        reading = await source.read(world.sides, since=world.asked)
        said = await source.probe(world.sides)

    assert reading.series == ()
    assert [line.split()[0] for line in reading.missing] == ["candidate", "stable"]
    assert said is not None
    assert "no nobody_counts_this" in said


@pytest.mark.parametrize("kind", KINDS)
async def test_a_plan_hears_that_nothing_is_missing(kind: str, world: World, opened: Opener) -> None:
    async with opened(kind, world) as source:
        await until(source, world, candidates=BAD, stables=world.stables)

        assert await source.probe(world.sides) is None


async def test_without_the_right_the_verb_is_named(world: World, connect: Callable[..., None]) -> None:
    connect("direct", world, kubeconfig=world.lesser)
    async with open_counter_source("direct", "counters", DEMO) as source:
        said = await source.probe(world.sides)
        with pytest.raises(MetricsRefusedError, match="get on pods/proxy"):
            await source.read(world.sides, since=0)

    assert said is not None
    assert f"get on pods/proxy in namespace {world.sides.namespace}" in said


@pytest.mark.parametrize("kind", ["prometheus", "direct"])
async def test_what_users_saw_at_the_gateway_is_counted(
    world: World, opened: Opener, gateways: str, kind: str
) -> None:
    """The route leads to stable alone; the stack's helper asked it before us, until the gateway knew the way."""
    more = {"gateways": gateways} if kind == "direct" else {}
    async with opened(kind, world, ENVOY, **more) as source:
        before = counted(await source.read(world.sides, since=world.asked - 60))
        headers = {"Host": f"{world.sides.namespace}.local"}
        async with httpx.AsyncClient(base_url=world.stack.gateway_url, trust_env=False) as users:
            for _ in range(30):
                await users.get("/", headers=headers)
        deadline = time.monotonic() + WITHIN_S
        while True:
            seen = counted(await source.read(world.sides, since=world.asked - 60))
            if seen["stable requests"] - before["stable requests"] >= 30:
                break
            assert time.monotonic() < deadline, f"saw {seen}, before {before}"
            await asyncio.sleep(0.5)

    assert seen["stable errors"] == before["stable errors"]
    assert seen["candidate requests"] == 0


async def test_without_the_right_to_find_the_gateway_the_verb_is_named(
    world: World, connect: Callable[..., None], gateways: str
) -> None:
    connect("direct", world, kubeconfig=world.lesser)
    async with open_counter_source("direct", "counters", ENVOY, gateways=gateways) as source:
        said = await source.probe(world.sides)

    assert said is not None
    assert f"list on pods in namespace {world.sides.namespace}" in said


def test_an_unknown_source_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="'promtheus', expected one of direct, prometheus"):
        open_counter_source("promtheus", "counters", DEMO)

    assert sorted(COUNTER_SOURCES) == ["direct", "prometheus"]
