from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.canary import decide
from cd_provider.core.finding import Finding, GateState, Reading, sentence
from cd_provider.core.gate import Gate, promql
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.override import Answer, Override
from cd_provider.core.pod import PodFault, PodState
from cd_provider.core.situation import Away, CanaryPlan, Hold, Passed, Resize, Shift, Situation, Stop
from cd_provider.core.traffic import Step, Weights
from cd_provider.core.workload import WorkloadState

ASKED = "sha256:" + "a" * 64
FOREIGN = "sha256:" + "b" * 64
GATE = Gate.parse(
    promql("errors", query="bad{s='$candidate'} / all{s='$candidate'}", max=0.01, min_requests=10)
)
PLAN = CanaryPlan(
    steps=(Step(10, 60), Step(50, 60)), gates=(GATE,), digests={ASKED}, deadline=10_000, no_data_s=120
)


def pod(name: str = "shop-candidate-1", **changed: Any) -> PodState:
    given: dict[str, Any] = {
        "side": "candidate",
        "ready": True,
        "deleting": False,
        "restarts": 0,
        "labels": {},
    }
    return PodState(name=name, **{**given, "digests": frozenset({ASKED}), **changed})


def candidate(wanted: int = 1, **changed: Any) -> WorkloadState:
    whole = {
        "generation": 1,
        "observed": 1,
        "updated": wanted,
        "ready": wanted,
        "available": wanted,
        "total": wanted,
    }
    return WorkloadState(**{**whole, "wanted": wanted, "images": {}, **changed})


def state(finding: Finding, *, at: float = 1000, seen_at: float = 1000, **reading: Any) -> GateState:
    return GateState(finding, Reading(at, **reading), seen_at)


def seen(**changed: Any) -> Situation:
    """Give a canary in the middle of its first step, in which all is well; three stable pods."""
    whole: dict[str, Any] = {
        "now": 1000.0, "step": 0, "step_started": 970.0, "created_at": 960.0, "stable_replicas": 3,
        "candidate": candidate(), "pods": [pod()], "weights": Weights.of(10),
        "gates": [state(Finding.OK, value=0.0, requests=50)], "ready_since": 960.0,
    }  # fmt: skip
    return Situation(**{**whole, **changed})


def stop_of(situation: Situation, plan: CanaryPlan = PLAN) -> Stop:
    action = decide(plan, situation)
    assert isinstance(action, Stop), action
    return action


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


LAST = {"step": 1, "now": 1031.0, "pods": [pod("a"), pod("b")], "weights": Weights.of(50)}


def last(**changed: Any) -> Situation:
    return seen(candidate=candidate(2), **{**LAST, **changed})


def test_where_every_gate_only_observes_nothing_was_judged_and_it_says_so() -> None:
    plan = replace(PLAN, gates=(replace(GATE, mode="observe"),))

    found = decide(plan, last())

    assert isinstance(found, Passed)
    assert found.kind == "OBSERVED"
    assert found.line.startswith("nothing was judged, every gate only observes: errors 0 in 50 requests")


def test_without_gates_the_pods_are_what_was_judged() -> None:
    found = decide(replace(PLAN, gates=()), last(gates=[]))

    assert found == Passed("every pod stayed healthy (no gates were asked for)", "PASS")


@pytest.mark.parametrize("finding", [Finding.BLIND, Finding.THIN, Finding.GOING])
def test_what_cannot_be_judged_is_let_through_by_a_persons_word_alone(finding: Finding) -> None:
    unknown = [state(finding, at=1031, seen_at=0, requests=3, value=0.0)]

    found = decide(replace(PLAN, override=True), last(gates=unknown))

    assert isinstance(found, Passed)
    assert found.kind == "OVERRIDE"
    assert isinstance(decide(PLAN, last(gates=unknown)), Hold | Stop)


def test_a_persons_word_is_not_needed_where_every_gate_is_kept() -> None:
    found = decide(replace(PLAN, override=True), last())

    assert isinstance(found, Passed)
    assert found.kind == "PASS"


@pytest.mark.parametrize("finding", [Finding.FAILED, Finding.BREACH])
def test_a_persons_word_excuses_nothing_that_is_seen_to_be_bad(finding: Finding) -> None:
    bad = [state(finding, at=1031, value=0.3, requests=50)]

    assert isinstance(decide(replace(PLAN, override=True), last(gates=bad)), Hold | Stop)
    assert not isinstance(decide(replace(PLAN, override=True), last(pods=[pod(ready=False)])), Passed)
    assert stop_of(last(now=10_000.0, gates=bad), replace(PLAN, override=True)).kind in (
        "FAIL",
        "INCONCLUSIVE",
    )


def test_an_observed_gate_stops_nothing_and_holds_nothing() -> None:
    watching = replace(PLAN, gates=(replace(GATE, mode="observe"),))
    last = seen(
        step=1, now=1031.0, candidate=candidate(2), pods=[pod("a"), pod("b")], weights=Weights.of(50),
        gates=[state(Finding.FAILED, value=0.3)],
    )  # fmt: skip

    assert isinstance(decide(watching, last), Passed)


def test_silence_is_held_then_inconclusive() -> None:
    silent = [state(Finding.BLIND, seen_at=900.0, error="503")]

    assert isinstance(decide(PLAN, seen(now=1019.0, candidate=candidate(2), gates=silent)), Hold)
    stop = stop_of(seen(now=1020.0, gates=silent))
    assert stop.kind == "INCONCLUSIVE"
    assert "503" in stop.line


def test_few_requests_are_waited_for_until_after_the_steps_own_time() -> None:
    thin = [state(Finding.THIN, requests=3.0)]

    assert isinstance(decide(PLAN, seen(now=1149.0, candidate=candidate(2), gates=thin)), Hold)
    assert stop_of(seen(now=1150.0, gates=thin)).kind == "INCONCLUSIVE"


def test_a_cluster_that_gives_no_answer_is_silence_too() -> None:
    assert stop_of(seen(blind_since=880.0)).kind == "INCONCLUSIVE"


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


def test_without_gates_pod_health_alone_decides_and_says_so() -> None:
    last = seen(
        step=1,
        now=1031.0,
        candidate=candidate(2),
        pods=[pod("a"), pod("b")],
        weights=Weights.of(50),
        gates=[],
    )

    action = decide(replace(PLAN, gates=()), last)

    assert isinstance(action, Passed)
    assert "no gates" in action.line


@given(
    now=st.floats(0, 20_000),
    step=st.integers(-1, 1),
    started=st.one_of(st.none(), st.floats(0, 20_000)),
    weight=st.integers(0, 100),
    finding=st.sampled_from(list(Finding)),
    looked=st.floats(0, 20_000),
    ready=st.integers(0, 4),
    wanted=st.integers(0, 4),
    blind=st.one_of(st.none(), st.floats(0, 20_000)),
)
def test_nothing_but_a_kept_gate_in_the_last_step_ever_passes(
    now: float, step: int, started: float | None, weight: int, finding: Finding, looked: float, ready: int,
    wanted: int, blind: float | None,
) -> None:  # fmt: skip
    situation = seen(
        now=now, step=step, step_started=started, weights=Weights.of(weight), blind_since=blind,
        gates=[state(finding, at=looked, seen_at=looked, value=0.0, requests=50)],
        candidate=candidate(wanted), pods=[pod(str(number)) for number in range(ready)],
    )  # fmt: skip

    action = decide(PLAN, situation)

    if isinstance(action, Passed):
        assert finding is Finding.OK
        assert step == 1
        assert started is not None
        assert now >= started + 60
        assert looked >= started
        assert weight == 50
        assert ready >= 2


# --- a judge among the gates ----------------------------------------------------------------------------------

JUDGED = replace(PLAN, gates=(JudgeGate.parse(judge(preset="demo")),))


def verdict(finding: Finding, *, trips: int = 0, at: float = 1000.0) -> GateState:
    return GateState(finding, Reading(at), at, None, "errors 30 % vs 0 %", trips)


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


ASKS = JudgeGate.parse(judge(preset="demo", on_inconclusive="ask", ask_s=300))
ASKING = replace(PLAN, gates=(ASKS,), deadline=2000.0)
YES = Answer(Override("ada", "nobody shops at night"))


def asked(finding: Finding, *, now: float = 1100.0, seen_at: float | None = None, **more: Any) -> Situation:
    """Give a canary whose last step's time is over, and what its judge says."""
    said = state(finding, at=now, seen_at=now if seen_at is None else seen_at)
    whole = {
        "step": 1,
        "step_started": 1000.0,
        "weights": Weights.of(50),
        "pods": [pod(), pod("b"), pod("c")],
    }
    return seen(**{**whole, "candidate": candidate(3), "now": now, "gates": [said], **more})


def test_a_judge_that_cannot_decide_asks_and_holds_the_weight() -> None:
    action = decide(ASKING, asked(Finding.ASKED))

    assert isinstance(action, Hold)
    assert (action.asks, action.left_s) == (True, 900.0)
    assert action.reason.startswith("a person is asked whether it goes on all the same: judge")


def test_a_yes_is_taken_for_the_gate_and_stands_as_theirs() -> None:
    action = decide(ASKING, asked(Finding.ASKED, answer=YES))

    assert isinstance(action, Passed)
    assert action.kind == "OVERRIDE"


@pytest.mark.parametrize("finding", [Finding.BLIND, Finding.THIN])
def test_silence_is_asked_about_and_then_taken_off(finding: Finding) -> None:
    heard = 1060.0 if finding is Finding.THIN else 1050.0  # too few requests count from the step's end

    def at(silent_s: float, **more: Any) -> Any:
        return decide(ASKING, asked(finding, now=heard + silent_s, seen_at=heard, **more))

    before, question, end = at(119.0), at(120.0), at(420.0)

    assert isinstance(before, Hold)
    assert not before.asks
    assert isinstance(question, Hold)
    assert (question.asks, question.left_s) == (True, 300.0)
    assert end == Stop("INCONCLUSIVE", f"{sentence(ASKS, state(finding))}, for 420 s, and nobody took it on")
    assert isinstance(at(120.0, answer=YES), Passed)
    assert isinstance(at(420.0, answer=YES), Passed)


def test_the_question_ends_with_the_canarys_time() -> None:
    action = decide(ASKING, asked(Finding.ASKED, now=2000.0))

    assert isinstance(action, Stop)
    assert action.kind == "INCONCLUSIVE"


@pytest.mark.parametrize("finding", [Finding.FAILED, Finding.BREACH])
def test_a_yes_does_not_cover_what_is_seen_to_be_bad(finding: Finding) -> None:
    action = decide(ASKING, asked(finding, answer=YES))

    assert isinstance(action, Stop if finding is Finding.FAILED else Hold)


def test_a_yes_covers_no_gate_that_did_not_ask() -> None:
    both = replace(ASKING, gates=(GATE, ASKS))
    blind = [state(Finding.BLIND, at=1100.0, seen_at=1090.0), state(Finding.ASKED, at=1100.0, seen_at=1100.0)]

    action = decide(both, asked(Finding.ASKED, gates=blind, answer=YES))

    assert isinstance(action, Hold)
    assert "errors: no data" in action.reason


def test_an_answer_that_was_not_understood_is_told_with_the_question() -> None:
    action = decide(ASKING, asked(Finding.ASKED, answer=Override.answer({"by": "ada"})))

    assert isinstance(action, Hold)
    assert "not understood: override: reason is missing" in action.reason


def test_nobody_is_asked_while_the_judge_goes_on() -> None:
    action = decide(ASKING, asked(Finding.GOING))

    assert isinstance(action, Hold)
    assert not action.asks
