"""What a plan says of a judge that will have nothing, or too little, to compare."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Iterator
from itertools import chain
from typing import Any

import pytest

from cd_provider.core.gate import promql
from cd_provider.core.judge.past import ONE_UNIT
from cd_provider.core.judge.presets import Unit
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Reading, Sides
from cd_provider.core.judge_gate import judge
from cd_provider.exceptions import PlanError
from cd_provider.operators.plan_judges import _past
from tests.loopback import Answer, Loopback, Request
from tests.unit.operators.plan_world import World, open_world

PODS = "/api/v1/namespaces/shop/pods"
EDGES = {"0.1": 0.5, "0.5": 0.99, "1": 1.0, "+Inf": 1.0}  # seconds → share of the requests up to it


class Prometheus:
    """Knows stable's counters of so many scrapes, half an hour of them; ``per_second`` None: of nothing."""

    def __init__(self, per_second: float | None, scrapes: int = 121) -> None:
        self.per_second, self.scrapes = per_second, scrapes
        self.queries: list[str] = []

    def __call__(self, request: Request) -> Answer:
        self.queries.append(request.form["query"])
        if request.form["query"] == "time()":
            return answer("scalar", [time.time(), str(time.time())])
        if "[" not in request.form["query"]:
            return answer("scalar", [time.time(), "1"])
        return answer("matrix", list(self._series()))

    def _series(self) -> Iterator[dict[str, Any]]:
        if self.per_second is None:
            return
        stamps = [time.time() - 15.0 * number for number in reversed(range(self.scrapes))]
        for pod in ("shop-1", "shop-2"):
            labels = {"namespace": "shop", "pod": pod, "code": "200"}
            yield self._counter("shop_requests_total", stamps, 0.5, **labels)
            for edge, share in EDGES.items():
                bucket = "shop_request_duration_seconds_bucket"
                yield self._counter(bucket, stamps, 0.5 * share, **labels, le=edge)

    def _counter(self, name: str, stamps: list[float], part: float, **labels: str) -> dict[str, Any]:
        assert self.per_second is not None
        grown = (self.per_second * part * (at - stamps[0]) for at in stamps)
        values = [[at, str(int(count))] for at, count in zip(stamps, grown, strict=True)]
        return {"metric": {"__name__": name, **labels}, "values": values}


def answer(kind: str, result: Any) -> Answer:
    return Answer(json.dumps({"status": "success", "data": {"resultType": kind, "result": result}}).encode())


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    async with open_world(monkeypatch) as made:
        names = ({"metadata": {"name": f"shop-{number}"}} for number in (1, 2))
        made.cluster.objects[PODS] = {"items": list(names)}
        yield made


async def planned(
    world: World,
    per_second: float | None,
    *,
    scrapes: int = 121,
    override: dict[str, str] | None = None,
    **gate: Any,
) -> list[str]:
    with Loopback(Prometheus(per_second, scrapes)) as server:
        world.connect_prometheus(server.port)
        gates = [judge(**{"preset": "demo", **gate})]
        found: list[str] = await world.plan(gates=gates, step_s=60, max_s=1800, override=override)
        return found


@pytest.mark.parametrize("per_second", [None, 0.0, 0.5])
async def test_what_cannot_be_judged_is_a_hint_where_a_person_takes_it_on(
    world: World, per_second: float | None
) -> None:
    (hint,) = await planned(world, per_second, override={"by": "ada", "reason": "a hot fix"})

    assert hint.endswith("a person takes it on (override)")


async def test_half_an_override_is_a_fault(world: World) -> None:
    with pytest.raises(PlanError, match="override: reason is missing"):
        await planned(world, 50.0, override={"by": "ada", "reason": " "})


async def test_enough_traffic_is_nothing_to_speak_of(world: World) -> None:
    assert await planned(world, 50.0) == []


async def test_too_little_traffic_is_refused_with_the_numbers(world: World) -> None:
    with pytest.raises(PlanError) as found:
        await planned(world, 0.5)

    assert (
        "gate 'judge' cannot pass: at 0.5 requests a second, as in the last hour, the candidate has about "
        in str(found.value)
    )
    assert "that count by max_s (1800 s), and it takes 1," in str(found.value)
    assert "low_traffic='pods_only'" in str(found.value)


async def test_too_little_traffic_is_a_hint_where_the_pods_are_enough(world: World) -> None:
    (hint,) = await planned(world, 0.5, low_traffic="pods_only")

    assert hint.startswith("gate 'judge': at 0.5 requests a second")
    assert hint.endswith("pass by its pods alone (low_traffic)")


@pytest.mark.parametrize("per_second", [None, 0.0, 0.5])
async def test_what_cannot_be_judged_is_a_hint_where_a_person_will_be_asked(
    world: World, per_second: float | None
) -> None:
    (hint,) = await planned(world, per_second, on_inconclusive="ask")

    assert hint.endswith("a person will be asked (on_inconclusive)")
    assert ("that count by max_s less ask_s (900 s)" in hint) is (per_second == 0.5)


@pytest.mark.parametrize(("per_second", "enough"), [(5.0, True), (0.2, False)])
async def test_requests_of_our_own_count_for_the_plan(world: World, per_second: float, enough: bool) -> None:
    world.cluster.objects[f"{PODS}/shop-1:8080/proxy/"] = {"version": "v1"}
    asked = planned(world, 0.1, low_traffic="probe", probe={"path": "/", "per_second": per_second})

    if enough:
        assert await asked == []
    else:
        with pytest.raises(
            PlanError, match=r"and 0\.2 of our own to each side, the candidate has about 405 "
        ):
            await asked


async def test_a_probe_that_stable_does_not_answer_is_a_fault(world: World) -> None:
    with pytest.raises(PlanError, match="probe: stable does not answer it"):
        await planned(world, 50.0, low_traffic="probe", probe={"path": "/nowhere"})


OWN = {
    "total": "shop_requests_total", "status": "code", "latency": "shop_request_duration_seconds", "port": 8080,
}  # fmt: skip


@pytest.mark.parametrize(
    ("period_s", "refused"), [(1, False), (0.1, True)], ids=["2 of 50 a second", "20 of 50 a second"]
)
async def test_counters_of_which_a_fifth_may_be_health_checks_are_refused(
    world: World, period_s: float, refused: bool
) -> None:
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": period_s}
    for pod in world.cluster.objects[PODS]["items"]:
        pod["spec"] = {"containers": [{"livenessProbe": probe}]}
    asked = planned(world, 50.0, preset="custom", options=OWN)

    if refused:
        with pytest.raises(PlanError, match="up to 20 are its own health checks") as found:
            await asked
        assert "options, `path`" in str(found.value)
    else:
        assert [hint for hint in await asked if "health check" in hint] == []


async def test_health_checks_are_a_hint_where_a_person_takes_them_on_and_nothing_where_a_label_tells(
    world: World,
) -> None:
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 0.1}
    for pod in world.cluster.objects[PODS]["items"]:
        pod["spec"] = {"containers": [{"livenessProbe": probe}]}

    taken = await planned(world, 50.0, preset="custom", options=OWN, override={"by": "ada", "reason": "ours"})
    assert any("health checks" in hint and hint.endswith("a person takes it on (override)") for hint in taken)
    assert not any("health checks" in hint for hint in await planned(world, 50.0))
    told = await planned(world, 50.0, preset="custom", options={**OWN, "path": "route"})
    assert not any("health checks" in hint for hint in told)


async def test_a_stable_without_requests_is_refused(world: World) -> None:
    with pytest.raises(
        PlanError, match="stable had no request in the last 30 minutes, so that there is nothing to"
    ):
        await planned(world, 0.0)


@pytest.mark.parametrize("scrapes", [1, 2, 8])
async def test_a_stable_that_has_hardly_been_scraped_may_have_requests_by_the_time_they_are_needed(
    world: World, scrapes: int
) -> None:
    assert await planned(world, 0.0, scrapes=scrapes) == []


@pytest.mark.parametrize(
    ("per_second", "said"), [(0.0, "stable had no request"), (None, "stable shop: no shop_req")]
)
async def test_a_first_release_is_a_hint_where_a_floor_is_enough(
    world: World, per_second: float | None, said: str
) -> None:
    (hint,) = await planned(world, per_second, first_release="pods_and_floor")

    assert said in hint
    assert "judged by the pods and a floor alone (first_release)" in hint


async def test_without_stables_counters_there_is_no_judge(world: World) -> None:
    with pytest.raises(PlanError, match="stable shop: no shop_requests_total"):
        await planned(world, None, low_traffic="pods_only")


async def test_what_only_observes_refuses_nothing(world: World) -> None:
    assert await planned(world, 0.0, mode="observe") == []


async def test_a_plan_whose_gates_have_no_bound_opens_no_prometheus(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is no such connection: a plan that opened it would tell."""
    monkeypatch.delenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT")
    with pytest.raises(PlanError) as found:
        await world.plan(gates=[judge(preset="demo", source="direct")])

    assert "prometheus" not in str(found.value).lower()
    assert await world.plan(gates=[]) == []


async def test_a_plan_with_a_bound_does(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT")

    with pytest.raises(PlanError, match="prometheus_default"):
        await world.plan(gates=[promql("errors", query="errors{pod=~'$pods'}", max=1)])


class Gateways:
    """Counters of two gateway pods, of which one sees all the errors."""

    async def read(self, sides: Sides, *, since: float) -> Reading:
        stamps = [since + 60.0 + 5.0 * number for number in range(600)]

        def series(pod: str, share: float, *, bad: bool) -> Series:
            samples = [(at, float(int(50.0 * share * (at - since)))) for at in stamps]
            return Series(f"{pod} {bad}", "stable", pod, samples, bad=bad)

        bad = {"a": 0.02, "b": 0.001}
        both = ((series(pod, 1.0, bad=False), series(pod, share, bad=True)) for pod, share in bad.items())
        return Reading(tuple(chain.from_iterable(both)))


async def test_pods_of_a_gateway_are_one_unit_in_the_plan_as_in_the_judge() -> None:
    sides = Sides("shop", "shop-candidate", "shop", (), ("s1",))

    async def differ(unit: Unit) -> float:
        found = await _past(Gateways(), sides, unit)  # type: ignore[arg-type]
        assert found is not None
        return found[0].errors_differ[0]

    assert await differ("gateway") == ONE_UNIT[0][0]
    assert await differ("backend_pod") > 10 * ONE_UNIT[0][0]
