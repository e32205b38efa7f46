"""The health gate's loop: groups compared, one thing with itself, bounds; restarted, silent, and set up wrongly."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cd_provider.core.before_after import before_after
from cd_provider.core.gate import promql
from cd_provider.core.health import Outcome
from cd_provider.core.health_order import HealthOrder
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Reading, Sides
from cd_provider.core.judge_gate import judge
from cd_provider.exceptions import ArgumentError, MetricsUnavailableError
from cd_provider.triggers.groups import Groups
from cd_provider.triggers.health_gate import HealthGateTrigger, HealthWatch, watch_health
from cd_provider.triggers.sources import Sources
from tests.unit.adapters.test_groups import Cluster

BEGAN, SCRAPE_S = 1_700_000_000.0, 5.0
EDGES = {0.1: 0.9, 0.5: 0.99, 1.0: 1.0, float("inf"): 1.0}  # seconds → share of the requests up to it
PODS = {"c1": "candidate", "c2": "candidate", "s1": "stable", "s2": "stable"}


class Clock:
    """Goes on by so many seconds whenever somebody reads counters or numbers; else it stands still."""

    def __init__(self, at: float = BEGAN, *, step_s: float = SCRAPE_S) -> None:
        self.at, self.step_s = at, step_s

    def __call__(self) -> float:
        return self.at

    def go_on(self) -> float:
        self.at += self.step_s
        return self.at


class Traffic:
    """Counters of two pods a side, since two hours ago, each with 10 requests a second; ``bad`` by pod."""

    def __init__(self, clock: Clock, bad: Mapping[str, float]) -> None:
        self.clock, self.bad = clock, bad

    async def read(self, sides: Sides, *, since: float) -> Reading:
        now = self.clock.go_on()
        first = max(since, BEGAN - 7200) // SCRAPE_S + 1
        stamps = [SCRAPE_S * number for number in range(int(first), int(now // SCRAPE_S) + 1)]
        pods = [pod for pod in PODS if sides.side_of(pod) == PODS[pod]]
        return Reading(tuple(one for pod in pods for one in self._pod(pod, stamps)))

    def _pod(self, pod: str, stamps: list[float]) -> list[Series]:
        bad = self.bad.get(pod, 0.002)

        def series(what: str, share: float, *, is_bad: bool = False, edge: float | None = None) -> Series:
            samples = [(at, float(int(10.0 * (at - BEGAN + 7200) * share))) for at in stamps]
            return Series(f"{pod} {what}", PODS[pod], pod, samples, bad=is_bad, edge=edge)  # type: ignore[arg-type]

        buckets = [series(f"le {edge}", share, edge=edge) for edge, share in EDGES.items()]
        return [series("ok", 1.0 - bad), series("bad", bad, is_bad=True), *buckets]

    async def probe(self, sides: Sides) -> str | None:
        return None


class Rows:
    """One loader's counters: ``rate`` rows a second from ``BEGAN - 4000`` to ``ends``, so many of them bad."""

    def __init__(
        self, clock: Clock, *, before: float, after: float, rate: float = 20.0, ends: float = float("inf")
    ) -> None:
        self.clock, self.before, self.after, self.rate, self.ends = clock, before, after, rate, ends

    async def read(self, sides: Sides, *, since: float) -> Reading:
        now = self.clock.go_on()
        stamps = [at for at in self._stamps(now) if at > since]
        rows = [(at, self.rate * (at - BEGAN + 4000)) for at in stamps]
        bad = [(at, self.rate * self._bad_s(at)) for at in stamps]
        return Reading(
            (
                Series("rows", "candidate", "all", rows),
                Series("bad", "candidate", "all", bad, True, counted=True),
            ),
            missing=() if stamps else ("candidate load: no rows. Asked: rows.",),
        )

    def _stamps(self, now: float) -> list[float]:
        return [at for n in range(2000) if (at := BEGAN - 4000 + SCRAPE_S * n) <= min(now, self.ends)]

    def _bad_s(self, at: float) -> float:
        return self.before * (min(at, BEGAN) - BEGAN + 4000) + self.after * max(0.0, at - BEGAN)

    async def probe(self, sides: Sides) -> str | None:
        return None


class Numbers:
    """A metrics server that always says the same, or raises it; ``asked`` are the queries."""

    def __init__(self, clock: Clock, value: float | Exception | None) -> None:
        self.clock, self.says, self.asked = clock, value, list[str]()

    async def value(self, query: str) -> float | None:
        self.clock.go_on()
        self.asked.append(query)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def order(*gates: dict[str, Any], **more: Any) -> HealthOrder:
    given: dict[str, Any] = {
        "candidate": "shop-v2", "stable": "shop", "namespace": "web", "began_at": BEGAN, "until": BEGAN + 1800,
    }  # fmt: skip
    return HealthOrder.parse({"gates": list(gates), **given, **more})


async def watched(asked: HealthOrder, clock: Clock, **sources: Any) -> Outcome:
    """Watch to the end, with pods that are known already."""
    groups = Groups(asked, None)
    groups.candidate, groups.stable = ("c1", "c2"), ("s1", "s2")
    numbers = sources.pop("numbers", None)
    return await HealthWatch(asked, groups, Sources(numbers, sources), clock=clock).run()


JUDGE = judge("judge", preset="demo")
BOUND = promql("errors", query='bad{job="$candidate"}[$window]', max=0.01, every_s=0.2, window_s=300)


async def test_two_groups_that_are_alike_pass() -> None:
    clock = Clock(step_s=20.0)

    outcome = await watched(order(JUDGE), clock, judge=Traffic(clock, {}))

    assert outcome.kind == "PASS", outcome.line
    assert outcome.line.startswith("PASS 00:0")
    assert "candidate /" in outcome.line
    assert 180 <= outcome.at < 900


async def test_a_group_that_is_worse_fails_and_the_lane_is_named() -> None:
    clock = Clock()

    outcome = await watched(order(JUDGE), clock, judge=Traffic(clock, {"c1": 0.02, "c2": 0.02}))

    assert outcome.kind == "FAIL", outcome.line
    assert outcome.lane
    assert json.loads(json.dumps(outcome.as_dict())) == outcome.as_dict()


async def test_a_second_trip_fails_since_nobody_takes_traffic_off() -> None:
    clock = Clock()

    outcome = await watched(order(JUDGE), clock, judge=Traffic(clock, {"c1": 0.4, "c2": 0.4}))

    assert (outcome.kind, outcome.lane) == ("FAIL", "emergency")
    assert 30 < outcome.at < 120


async def test_one_that_is_restarted_stands_where_it_stood() -> None:
    clock, late = Clock(step_s=20.0), Clock(BEGAN + 1000)

    first = await watched(order(JUDGE), clock, judge=Traffic(clock, {}))
    second = await watched(order(JUDGE), late, judge=Traffic(late, {}))

    assert second.kind == first.kind == "PASS"
    assert second.at < 1100  # at once: all of it is read again
    assert second.line.partition("judge: ")[2] == first.line.partition("judge: ")[2]


async def test_one_pod_that_is_worse_convicts_no_group() -> None:
    clock = Clock(step_s=30.0)

    outcome = await watched(order(JUDGE), clock, judge=Traffic(clock, {"c1": 0.02}))

    assert (outcome.kind, outcome.reason) == ("INCONCLUSIVE", "one pod"), outcome.line
    assert outcome.need


ROWS = before_after("rows", total="rows", bad="bad", after_s=600, every_s=0.5)


async def test_more_bad_rows_than_before_fail() -> None:
    clock = Clock()

    outcome = await watched(order(ROWS), clock, rows=Rows(clock, before=0.004, after=0.04))

    assert (outcome.kind, outcome.lane) == ("FAIL", "clear errors"), outcome.line
    assert "bad 4.0 % after vs 0.4 % before" in outcome.line
    assert "weak" in outcome.line


@pytest.mark.parametrize(("enough", "kind"), [(False, "INCONCLUSIVE"), (True, "PASS")])
async def test_rows_as_before_pass_only_when_weak_is_enough(enough: bool, kind: str) -> None:
    clock = Clock(step_s=20.0)

    outcome = await watched(
        order(ROWS, weak_is_enough=enough), clock, rows=Rows(clock, before=0.004, after=0.004)
    )

    assert outcome.kind == kind, outcome.line
    assert "time is confounded" in outcome.line


async def test_what_is_over_already_is_judged_at_once() -> None:
    clock = Clock(BEGAN + 700)
    asked = order({**ROWS, "moment": BEGAN}, began_at=BEGAN + 700, until=BEGAN + 2500, weak_is_enough=True)

    outcome = await watched(asked, clock, rows=Rows(clock, before=0.004, after=0.004))

    assert outcome.kind == "PASS", outcome.line
    assert outcome.at <= 2 * SCRAPE_S
    assert "72,000 before" in outcome.line
    assert "12,000 after" in outcome.line


async def test_a_loader_that_is_gone_is_judged_by_what_it_did_once_after_is_over() -> None:
    clock = Clock(BEGAN + 590)
    asked = order({**ROWS, "moment": BEGAN}, began_at=BEGAN + 590, until=BEGAN + 2500, weak_is_enough=True)

    outcome = await watched(asked, clock, rows=Rows(clock, before=0.004, after=0.004, ends=BEGAN + 300))

    assert outcome.kind == "PASS", outcome.line
    assert "6,000 after" in outcome.line


async def test_a_loader_that_falls_silent_before_its_time_is_no_data() -> None:
    clock = Clock()

    outcome = await watched(order(ROWS), clock, rows=Rows(clock, before=0.0, after=0.0, ends=BEGAN + 100))

    assert (outcome.kind, outcome.reason) == ("NO_DATA", "no data")
    assert "no new samples" in outcome.line


async def test_a_thing_that_nobody_counts_is_named() -> None:
    clock = Clock()

    outcome = await watched(order(ROWS), clock, rows=Rows(clock, before=0.0, after=0.0, ends=0.0))

    assert (outcome.kind, outcome.reason) == ("NO_DATA", "no data")
    assert "candidate load: no rows. Asked" in outcome.line


async def test_a_bound_that_is_kept_to_the_end_passes_and_looks_back_its_whole_window() -> None:
    clock = Clock()
    numbers = Numbers(clock, 0.001)

    outcome = await watched(order(BOUND, until=BEGAN + 60), clock, numbers=numbers)

    assert outcome.kind == "PASS"
    assert 60 <= outcome.at < 90
    assert set(numbers.asked) == {'bad{job="shop-v2"}[300s]'}


async def test_a_bound_that_is_broken_fails() -> None:
    clock = Clock()

    outcome = await watched(order(BOUND), clock, numbers=Numbers(clock, 0.5))

    assert outcome.kind == "FAIL"
    assert "errors 0.5, allowed at most 0.01: broken" in outcome.line


@pytest.mark.parametrize(
    "silence", [None, MetricsUnavailableError("connection refused")], ids=["empty", "down"]
)
async def test_silence_is_no_data(silence: Exception | None) -> None:
    clock = Clock()

    outcome = await watched(order(BOUND, no_data_s=30), clock, numbers=Numbers(clock, silence))

    assert (outcome.kind, outcome.reason) == ("NO_DATA", "no data")
    assert 30 <= outcome.at < 60


async def test_a_gate_that_breaks_passes_nothing_on_what_it_saw_before() -> None:
    clock = Clock()
    numbers = Numbers(clock, 0.001)
    value = numbers.value

    async def once(query: str) -> float | None:
        if numbers.asked:
            clock.go_on()
            raise RuntimeError("a bug")
        return await value(query)

    numbers.value = once  # type: ignore[method-assign]
    ended = await asyncio.wait_for(watched(order(BOUND, until=BEGAN + 20), clock, numbers=numbers), 20)

    assert ended.kind == "NO_DATA"
    assert "the gate itself failed: RuntimeError: a bug" in ended.line


def test_a_trigger_is_made_again_from_its_arguments() -> None:
    trigger = HealthGateTrigger(order=order(JUDGE, ROWS, BOUND).as_dict())
    path, arguments = trigger.serialize()

    assert path == "cd_provider.triggers.health_gate.HealthGateTrigger"
    assert HealthOrder.parse(json.loads(json.dumps(arguments))["order"]) == order(JUDGE, ROWS, BOUND)


async def test_what_a_person_has_to_put_right_is_an_error_and_one_event() -> None:
    trigger = HealthGateTrigger(order={**order(JUDGE).as_dict(), "stable": None})

    (event,) = [event async for event in HealthGateTrigger.run.__wrapped__(trigger)]  # type: ignore[attr-defined]

    assert event.payload["kind"] == "ERROR"
    assert "saw no `stable`" in event.payload["line"]
    assert set(event.payload) == {"kind", "line", "at", "lane", "reason", "need"}


Connect = Callable[[Cluster], None]


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Connect:
    """Set up both connections: a cluster, and a Prometheus where nobody listens."""

    def connect(cluster: Cluster) -> None:
        login = {"conn_type": "kubernetes", "extra": json.dumps({"kube_config": cluster.kubeconfig()})}
        monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(login))
        prometheus = {"conn_type": "prometheus", "host": "127.0.0.1", "port": 9}
        monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(prometheus))

    return connect


async def test_a_service_that_is_not_there_ends_it_at_once(connect: Connect) -> None:
    async with Cluster() as cluster:
        connect(cluster)
        event = await watch_health(order(JUDGE).as_dict())

    assert event["kind"] == "ERROR"
    assert "shop-v2" in event["line"]


async def test_a_pod_in_both_groups_ends_it_at_once(connect: Connect) -> None:
    async with Cluster() as cluster:
        cluster.put("shop-1")
        connect(cluster)
        event = await watch_health(order(JUDGE, candidate_pods="shop-.*", stable_pods="shop-1").as_dict())

    assert event["kind"] == "ERROR"
    assert "web/shop-1 is on both sides" in event["line"]


async def test_the_pods_that_serve_become_the_sides(connect: Connect) -> None:
    async with Cluster() as cluster:
        cluster.services = {"shop": {"app": "shop"}, "shop-v2": {"app": "v2"}}
        for name, app in {"a": "shop", "b": "shop", "c": "v2"}.items():
            cluster.put(name, app=app)
        connect(cluster)
        asked = order(JUDGE)
        from cd_provider.triggers.groups import open_groups

        async with open_groups(asked) as groups:
            sides = groups.sides(asked.asked[0])  # type: ignore[arg-type]

    assert (sides.candidate, sides.candidate_pods) == ("shop-v2", ("c",))
    assert (sides.stable, sides.stable_pods) == ("shop", ("a", "b"))
    assert sides.pages["a"].port == 8080


async def test_an_outage_of_the_cluster_is_waited_out_and_then_told(connect: Connect) -> None:
    async with Cluster() as cluster:
        connect(cluster)  # and now it is gone
    moments = iter(range(10**6))

    event = await watch_health(
        order(JUDGE, until=BEGAN + 400).as_dict(), clock=lambda: BEGAN + 390 + 100.0 * next(moments)
    )

    assert event["kind"] == "NO_DATA"
    assert "nothing could be opened" in event["line"]


def test_a_wrong_order_is_refused_where_it_is_made() -> None:
    with pytest.raises(ArgumentError, match="gates"):
        order()
