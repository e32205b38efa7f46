"""What a canary makes of its baseline: what is proved, what is waited for, and what ends it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.baseline import Baseline, read_runs, runs, write_runs
from cd_provider.core.canary import decide
from cd_provider.core.finding import Finding
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.names import RUNS
from cd_provider.core.pod import PodFault
from cd_provider.core.situation import Away, CanaryPlan, Hold, Passed, Resize, Shift, Situation, Stop
from cd_provider.core.traffic import Step, Weights
from tests.unit.core.canary_seen import ASKED, FOREIGN, candidate, pod, seen, verdict

OLD = "sha256:" + "0" * 64
PLAN = CanaryPlan(
    (Step(10, 60), Step(50, 60)),
    (JudgeGate.parse(judge(preset="demo", baseline="fresh")),),
    {ASKED},
    deadline=10_000,
)


def theirs(name: str = "shop-baseline-1", **changed: Any) -> Any:
    return pod(name, **{"side": "baseline", "digests": frozenset({OLD}), **changed})


def baseline(*pods: Any, wanted: int = 1, digests: Any = (OLD,)) -> Baseline:
    state = candidate(wanted, annotations=write_runs(digests))
    return Baseline.read(state, pods or [theirs()])


def beside(found: Baseline | None = None, **changed: Any) -> Situation:
    """Give a canary in the middle of its first step, in which all is well on both sides."""
    usual = {
        "gates": [verdict(Finding.GOING)],
        "weights": Weights(80, 10, 10),
        "baseline": found or baseline(),
    }
    return seen(**{**usual, **changed})


BEFORE: dict[str, Any] = {"step": -1, "step_started": None, "weights": Weights(100, 0)}


def test_what_stables_ready_pods_run_is_noted_and_read_back() -> None:
    pods = [
        pod("shop-1", side=None),
        theirs(),
        pod("c"),
        pod("shop-2", side=None, ready=False, digests={FOREIGN}),
    ]

    assert runs(pods) == {ASKED}
    assert read_runs(write_runs({FOREIGN, ASKED})) == {ASKED, FOREIGN}
    assert write_runs({FOREIGN, ASKED}) == {RUNS: f"{ASKED},{FOREIGN}"}
    assert read_runs({}) == frozenset()


def test_before_it_is_made_it_may_run_what_stable_runs_now_and_then_what_was_noted() -> None:
    pods = [pod("shop-1", side=None), theirs()]

    assert Baseline.read(None, pods).allowed == {ASKED}
    assert Baseline.read(candidate(annotations=write_runs({OLD})), pods).allowed == {OLD}
    assert Baseline.read(candidate(), pods).allowed == frozenset()


def test_all_well_is_as_without_it() -> None:
    assert decide(PLAN, beside(now=999.0)) == Hold("the step's time runs", left_s=31.0)
    assert decide(PLAN, beside(Baseline.read(None, [pod("s", side=None)]), **BEFORE)) == Resize(1)
    assert decide(PLAN, beside(**BEFORE)) == Shift(0, 10)


def test_it_grows_to_the_size_that_the_candidate_has() -> None:
    three = [pod(f"c{number}") for number in range(3)]

    assert decide(PLAN, beside(candidate=candidate(3), pods=three)) == Resize(3)


def test_no_traffic_before_its_pods_are_ready_and_no_fault_is_hidden() -> None:
    crashed = theirs(ready=False, fault=PodFault("shop-baseline-1", "ImagePullBackOff", "no such host"))

    action = decide(PLAN, beside(baseline(crashed), **BEFORE))

    assert isinstance(action, Hold)
    assert action.reason.startswith(
        "0 of 1 pods of the baseline are ready (pod shop-baseline-1: ImagePullBackOff"
    )
    late = decide(PLAN, beside(baseline(crashed), **BEFORE, now=960.0 + 601.0))
    assert isinstance(late, Stop)
    assert late.kind == "INCONCLUSIVE"
    assert "ImagePullBackOff" in late.line


def test_a_step_is_held_while_one_of_its_pods_is_away() -> None:
    plan = replace(PLAN, candidate_min=2)
    two = [pod("a"), pod("b")]
    found = baseline(theirs("x"), theirs("y", ready=False), wanted=2)

    action = decide(plan, beside(found, candidate=candidate(2), pods=two))

    assert action == Hold("1 of 2 pods of the baseline are ready")


def test_its_next_pods_come_before_their_share() -> None:
    two = [pod("a"), pod("b")]
    found = baseline(theirs("x"), theirs("y", ready=False), wanted=2)
    over = beside(
        found, now=1031.0, candidate=candidate(2), pods=two, gates=[verdict(Finding.GOING, at=1031.0)]
    )

    assert decide(PLAN, over) == Hold("1 of 2 pods of the baseline are ready for 50 %")
    assert decide(PLAN, replace(over, baseline=baseline(theirs("x"), theirs("y"), wanted=2))) == Shift(1, 50)


@pytest.mark.parametrize("weights", [Weights.of(10), Weights(90, 0, 10), Weights(70, 10, 20)])
def test_any_other_split_is_repaired(weights: Weights) -> None:
    assert decide(PLAN, beside(weights=weights)) == Shift(0, 10)


def test_a_bad_candidate_fails_though_the_baseline_is_gone_as_well() -> None:
    dead = baseline(theirs(ready=False))

    for changed in ({"pods": [pod(digests={FOREIGN})]}, {"gates": [verdict(Finding.FAILED)]}):
        action = decide(PLAN, beside(dead, **changed))
        assert isinstance(action, Stop)
        assert action.kind == "FAIL"


def test_one_whose_pods_are_all_on_their_way_out_is_gone() -> None:
    action = decide(PLAN, beside(baseline(theirs(deleting=True))))

    assert isinstance(action, Stop)
    assert "no pod of the baseline is ready" in action.line


def test_a_share_that_is_only_the_baselines_is_taken_away_while_both_have_to_wait() -> None:
    drifted = beside(weights=Weights(90, 0, 10), trips=1, back_at=1020.0, step_started=None)

    assert decide(PLAN, drifted) == Away("", 20.0)


@given(
    step=st.integers(-1, 1),
    weights=st.tuples(st.integers(0, 50), st.integers(0, 50)),
    ready=st.integers(0, 3),
    wanted=st.integers(0, 3),
    digest=st.sampled_from([OLD, FOREIGN]),
    made=st.booleans(),
    now=st.floats(1000, 2000),
)
def test_nobody_gets_a_share_and_nothing_passes_without_a_proved_baseline_of_full_size(
    step: int, weights: tuple[int, int], ready: int, wanted: int, digest: str, made: bool, now: float
) -> None:
    pods = [theirs(f"b{number}", digests=frozenset({digest})) for number in range(ready)]
    found = baseline(*pods, wanted=wanted) if made and pods else Baseline.read(None, pods)
    mine, other = weights
    action = decide(PLAN, beside(
        found, step=step, step_started=None if step < 0 else 970.0, weights=Weights(100 - mine - other, mine, other),
        now=now, candidate=candidate(3), pods=[pod(f"c{number}") for number in range(3)],
        gates=[verdict(Finding.OK, at=now)],
    ))  # fmt: skip

    if isinstance(action, Shift | Passed):
        least = 1 if isinstance(action, Shift) and action.step == 0 else 2
        assert made
        assert ready >= least
        assert digest == OLD
