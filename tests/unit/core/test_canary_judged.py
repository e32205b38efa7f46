"""A judge among a canary's gates: steps, trips, and the return after one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cd_provider.core.canary import decide
from cd_provider.core.finding import Finding
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.situation import Away, Hold, Passed, Resize, Shift, Stop
from cd_provider.core.traffic import Weights
from tests.unit.core.canary_seen import (
    PLAN,
    candidate,
    pod,
    seen,
    verdict,
)

JUDGED = replace(PLAN, gates=(JudgeGate.parse(judge(preset="demo")),))


@pytest.mark.parametrize("finding", [Finding.GOING, Finding.OK])
def test_the_next_step_needs_no_verdict_but_nothing_that_leans(finding: Finding) -> None:
    ready = [pod(f"shop-candidate-{number}") for number in range(2)]
    over = seen(now=1031.0, gates=[verdict(finding, at=1031.0)], pods=ready, candidate=candidate(2))

    assert decide(JUDGED, over) == Shift(1, 50)


def test_what_leans_towards_worse_is_held() -> None:
    action = decide(
        JUDGED, seen(now=1031.0, gates=[verdict(Finding.BREACH, at=1031.0)], candidate=candidate(2))
    )

    assert isinstance(action, Hold | Resize)
    assert not isinstance(action, Shift)


def test_the_last_step_needs_a_verdict() -> None:
    last = seen(now=2000.0, step=1, step_started=1900.0, weights=Weights.of(50), candidate=candidate(2),
                pods=[pod("a"), pod("b")], gates=[verdict(Finding.GOING, at=2000.0)])  # fmt: skip

    assert isinstance(decide(JUDGED, last), Hold)
    assert isinstance(decide(JUDGED, replace(last, gates=[verdict(Finding.OK, at=2000.0)])), Passed)


@pytest.mark.parametrize(("pods", "for_s"), [(1, 30.0 + 35.0), (2, 30.0)])
def test_a_trip_sends_the_candidate_away_for_a_while(pods: int, for_s: float) -> None:
    there = [pod(f"c{number}") for number in range(pods)]

    action = decide(
        JUDGED, seen(gates=[verdict(Finding.BREACH, trips=1)], pods=there, candidate=candidate(pods))
    )

    assert action == Away("judge: errors 30 % vs 0 %", for_s)


def test_a_trip_that_was_acted_on_is_over() -> None:
    away = seen(gates=[verdict(Finding.GOING, trips=1)], trips=1, back_at=1020.0, weights=Weights.of(0),
                step_started=None)  # fmt: skip

    assert isinstance(decide(JUDGED, away), Hold)
    assert decide(JUDGED, replace(away, now=1021.0)) == Shift(0, 10)


def test_who_is_away_and_has_traffic_is_sent_away_again() -> None:
    drifted = seen(gates=[verdict(Finding.GOING, trips=1)], trips=1, back_at=1020.0)

    assert decide(JUDGED, drifted) == Away("", 20.0)


def test_no_return_where_none_is_wanted() -> None:
    once = replace(PLAN, gates=(JudgeGate.parse(judge(preset="demo", on_trip="fail")),))

    assert decide(once, seen(gates=[verdict(Finding.BREACH, trips=1)])) == Stop(
        "FAIL", "judge: errors 30 % vs 0 %"
    )


def test_one_that_only_observes_sends_nobody_away() -> None:
    observed = replace(PLAN, gates=(JudgeGate.parse(judge(preset="demo", mode="observe")),))

    action = decide(observed, seen(gates=[verdict(Finding.FAILED, trips=2)]))

    assert not isinstance(action, Stop | Away)
