"""The health gate's loop: two groups compared, bounds, silence, and a restart in the middle."""

from __future__ import annotations

import asyncio
import json

import pytest

from cd_provider.core.health_order import HealthOrder
from cd_provider.exceptions import ArgumentError, MetricsUnavailableError
from cd_provider.triggers.health_gate import HealthGateTrigger
from tests.unit.triggers.health_world import (
    BEGAN,
    BOUND,
    JUDGE,
    ROWS,
    Clock,
    Numbers,
    Traffic,
    order,
    watched,
)


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


def test_a_wrong_order_is_refused_where_it_is_made() -> None:
    with pytest.raises(ArgumentError, match="gates"):
        order()
