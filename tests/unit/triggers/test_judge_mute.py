"""Counters that speak no longer, or never did: none of them is health."""

from __future__ import annotations

import pytest

from cd_provider.core.finding import Finding
from tests.unit.triggers.bad_days import BEGAN, CANDIDATE, STABLE, canary
from tests.unit.triggers.troubles import gauge


async def test_a_candidate_that_is_no_longer_scraped_does_not_live_on_its_pass() -> None:
    async with canary() as it:
        await it.until_it_passes()
        it.step, it.step_started = 0, it.server.now
        it.server.silent = dict.fromkeys(CANDIDATE, it.server.now)

        over = await it.go_on(it.server.now - BEGAN + 200.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert it.steps_at == []


async def test_counters_of_the_candidate_that_stand_still_are_no_health() -> None:
    async with canary() as it:
        await it.go_on(40.0)
        it.server.still_from = dict.fromkeys(CANDIDATE, it.server.now)

        over = await it.go_on(300.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert "the candidate's counters stand still while stable's go on, for 30 s" in over[1]


async def test_counters_that_all_stand_still_are_no_health_either() -> None:
    """As from a gateway that repeats what it was pushed last."""
    async with canary() as it:
        await it.go_on(40.0)
        it.server.still_from = dict.fromkeys((*CANDIDATE, *STABLE), it.server.now)

        over = await it.go_on(600.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert "nobody's counters move any more" in over[1]


async def test_a_candidate_that_is_off_traffic_after_a_trip_is_not_called_silent() -> None:
    async with canary(bad=0.3) as it:
        while it.watch.state.trips == 0:
            it.server.now += 5.0
            await it.look()
        it.server.still_from = dict.fromkeys(CANDIDATE, it.server.now)
        found = set()
        for _ in range(8):
            it.server.now += 5.0
            await it.look()
            found.add(it.watch.state.finding)

    assert Finding.BLIND not in found


async def test_pods_that_show_nothing_are_named_with_what_was_asked() -> None:
    async with canary() as it:
        it.server.silent = dict.fromkeys(CANDIDATE, BEGAN - 1.0)

        over = await it.go_on(300.0)

    assert over is not None
    kind, line, at_s = over
    assert (kind, at_s) == (
        "INCONCLUSIVE",
        60.0 + 30.0,
    )  # few requests may come late: the step's time is waited out
    assert "candidate shop-candidate: no shop_requests_total" in line
    assert "Ready pods: c1, c2." in line


async def test_no_series_on_either_side_is_told_with_query_and_selector() -> None:
    async with canary() as it:
        it.server.lost_before = BEGAN + 1e6

        over = await it.go_on(300.0)

    assert over is not None
    kind, line, at_s = over
    assert (kind, at_s) == ("INCONCLUSIVE", 30.0)
    assert 'no shop_requests_total. Asked: Prometheus: {__name__=~"shop_requests_total|' in line
    assert 'namespace="web", pod=~"c1|c2|s1|s2|s3"}' in line
    assert "stable shop: no shop_requests_total" in line


@pytest.mark.parametrize("pods", [CANDIDATE, STABLE], ids=["the candidate's", "stable's"])
async def test_a_gauge_is_no_counter_and_nothing_passes_by_it(pods: tuple[str, ...]) -> None:
    async with canary() as it:
        it.server.says = dict.fromkeys(pods, gauge)

        over = await it.go_on(600.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert "times in" in over[1]
    assert "expected a counter" in over[1]


async def test_a_candidate_whose_processes_end_every_twenty_seconds_does_not_pass_by_its_own_counters() -> (
    None
):
    """They count what was answered between two crashes; the cluster's word on the pods fails it long before."""

    def begun_anew(at: float, code: str) -> str | None:
        return f"{9 * (1 + at % 20)}" if code == "200" else None

    async with canary() as it:
        it.server.says = dict.fromkeys(CANDIDATE, begun_anew)

        over = await it.go_on(600.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert "look why the process ends again and again" in over[1]


async def test_an_infinite_counter_is_no_number() -> None:
    async with canary() as it:
        it.server.says = dict.fromkeys(CANDIDATE, lambda *_: "+Inf")

        over = await it.go_on(300.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"


@pytest.mark.parametrize(("bad", "expected"), [(0.002, "PASS"), (0.05, "FAIL")], ids=["healthy", "failing"])
@pytest.mark.parametrize("slower", [CANDIDATE, STABLE], ids=["the candidate", "stable"])
async def test_a_side_that_is_scraped_three_times_less_often_is_judged_all_the_same(
    slower: tuple[str, ...], bad: float, expected: str
) -> None:
    async with canary(bad=bad) as it:
        it.server.every_s = dict.fromkeys(slower, 15.0)

        over = await it.go_on(900.0)

    assert over is not None
    assert over[0] == expected
