"""What a canary does next, from what is seen: never more traffic than was earned."""

from __future__ import annotations

from typing import Any

import pytest

from cd_provider.core.canary import decide
from cd_provider.core.finding import Finding
from cd_provider.core.pod import PodFault
from cd_provider.core.situation import Hold, Passed, Resize, Shift
from cd_provider.core.traffic import Weights
from tests.unit.core.canary_seen import (
    FOREIGN,
    PLAN,
    candidate,
    pod,
    seen,
    state,
    stop_of,
)


def test_a_candidate_is_made_before_anything_else() -> None:
    action = decide(PLAN, seen(candidate=None, pods=[], step=-1, step_started=None, weights=Weights.of(0)))

    assert action == Resize(1)


def test_no_traffic_before_the_pods_are_ready() -> None:
    fresh = seen(pods=[pod(ready=False)], step=-1, step_started=None, weights=Weights.of(0))

    assert decide(PLAN, fresh) == Hold("0 of 1 pods are ready")


@pytest.mark.parametrize("ready_since", [999.5, None])
def test_no_traffic_before_the_gateway_knows_the_pods(ready_since: float | None) -> None:
    fresh = seen(step=-1, step_started=None, weights=Weights.of(0), ready_since=ready_since)

    action = decide(PLAN, fresh)

    assert isinstance(action, Hold)
    assert action.left_s
    assert action.left_s <= 1.0


def test_a_share_that_was_taken_away_comes_back_only_when_the_gateway_knows_the_pods() -> None:
    assert isinstance(decide(PLAN, seen(weights=Weights.of(0), ready_since=999.5)), Hold)
    assert decide(PLAN, seen(weights=Weights.of(0), ready_since=999.0)) == Shift(0, 10)


def test_the_first_step_begins_when_the_pods_are_ready() -> None:
    assert decide(PLAN, seen(step=-1, step_started=None, weights=Weights.of(0))) == Shift(0, 10)


def test_a_step_is_held_for_its_time() -> None:
    assert decide(PLAN, seen(now=999.0)) == Hold("the step's time runs", left_s=31.0)


def test_the_next_steps_pods_are_started_half_a_minute_before_it() -> None:
    assert isinstance(decide(PLAN, seen(now=999.9)), Hold)
    assert decide(PLAN, seen(now=1000.0)) == Resize(2)
    starting = seen(now=1001.0, candidate=candidate(2), pods=[pod("a"), pod("b", ready=False)])
    assert decide(PLAN, starting) == Hold("the step's time runs", left_s=29.0)


def test_pods_come_before_their_share() -> None:
    assert decide(PLAN, seen(now=1031.0)) == Resize(2)
    assert decide(PLAN, seen(now=1031.0, candidate=candidate(2))) == Hold("1 of 2 pods are ready for 50 %")
    two = seen(now=1031.0, candidate=candidate(2), pods=[pod("a"), pod("b")])
    assert decide(PLAN, two) == Shift(1, 50)


def test_the_last_step_ends_in_a_pass() -> None:
    last = seen(step=1, now=1031.0, candidate=candidate(2), pods=[pod("a"), pod("b")], weights=Weights.of(50))

    assert isinstance(decide(PLAN, last), Passed)


@pytest.mark.parametrize("finding", [Finding.BLIND, Finding.THIN, Finding.BREACH])
def test_a_step_does_not_end_while_a_gate_is_not_kept(finding: Finding) -> None:
    gates = [state(finding, at=1031, seen_at=1030, value=0.1)]
    action = decide(PLAN, seen(now=1031.0, candidate=candidate(2), gates=gates))

    assert isinstance(action, Hold)
    assert "extended" in action.reason


def test_a_look_from_before_the_step_does_not_pass_it() -> None:
    gates = [state(Finding.OK, at=969.0, seen_at=1030.0, value=0.0)]
    action = decide(PLAN, seen(now=1031.0, candidate=candidate(2), gates=gates))

    assert isinstance(action, Hold)


def test_a_broken_gate_stops_at_once() -> None:
    stop = stop_of(seen(gates=[state(Finding.FAILED, value=0.3, requests=50)]))

    assert stop.kind == "FAIL"
    assert "0.3 in 50 requests, allowed at most 0.01" in stop.line


def test_at_the_end_of_its_time_it_says_how_the_gates_stand() -> None:
    stop = stop_of(seen(now=10_000.0, gates=[state(Finding.THIN, requests=3, value=0.0)]))

    assert stop.kind == "INCONCLUSIVE"
    assert stop.line.endswith("before it could be judged; errors: 3 of 10 requests needed, too few to judge")


def test_the_deadline_ends_it_even_when_all_is_well() -> None:
    assert stop_of(seen(now=10_000.0)).kind == "INCONCLUSIVE"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param(
            {"fault": PodFault("p", "CrashLoopBackOff", "back-off")}, "CrashLoopBackOff", id="crash-loop"
        ),
        pytest.param({"fault": PodFault("p", "OOMKilled", "")}, "OOMKilled", id="out-of-memory"),
        pytest.param({"digests": frozenset({FOREIGN})}, "not the verified image", id="foreign-image"),
        pytest.param({"digests": frozenset()}, "without a digest", id="unknown-image"),
        pytest.param({"ready": False}, "no pod of the candidate is ready", id="nobody-answers"),
    ],
)
def test_a_bad_pod_is_a_verdict(changed: dict[str, Any], said: str) -> None:
    stop = stop_of(seen(pods=[pod(**changed)]))

    assert stop.kind == "FAIL"
    assert said in stop.line


def test_a_pod_on_its_way_out_is_not_judged() -> None:
    leaving = pod("old", deleting=True, ready=False, fault=PodFault("old", "Crashed", ""))

    assert isinstance(decide(PLAN, seen(now=999.0, pods=[pod(), leaving])), Hold)


def test_a_pod_without_a_place_gets_time_for_a_new_node() -> None:
    waiting = pod(ready=False, fault=PodFault("p", "Unschedulable", "0/1 nodes"))
    before = {"pods": [waiting], "step": -1, "step_started": None, "weights": Weights.of(0)}

    assert isinstance(decide(PLAN, seen(created_at=990.0, **before)), Hold)
    assert "Unschedulable" in stop_of(seen(created_at=900.0, **before)).line


def test_pods_that_never_become_ready_end_it_at_the_workloads_own_deadline() -> None:
    before = seen(
        pods=[pod(ready=False)], step=-1, step_started=None, weights=Weights.of(0), created_at=300.0
    )

    assert "0 of 1 pods are ready after 600 s" in stop_of(before).line


@pytest.mark.parametrize("weights", [Weights(100, 0), Weights(80, 20), Weights(100, 10)])
def test_drift_made_by_others_is_repaired(weights: Weights) -> None:
    assert decide(PLAN, seen(weights=weights)) == Shift(0, 10)


def test_the_candidate_grows_with_stable() -> None:
    assert decide(PLAN, seen(stable_replicas=30)) == Resize(3)
