"""When nothing is known about a candidate: how long that is waited out, whom it is asked, and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cd_provider.core.finding import Finding, GateState, sentence
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.situation import CanaryPlan, Hold, Situation, Stop

if TYPE_CHECKING:
    from cd_provider.core.gate import AnyGate

QUIET = (Finding.BLIND, Finding.THIN)
QUESTION = "a person is asked whether it goes on all the same"
OVER = "the canary's time (max_s) is over before it could be judged"


def out_of_time(plan: CanaryPlan, seen: Situation) -> Stop | None:
    """End it when its time is over, or when the cluster or a gate has been silent for too long."""
    if seen.now >= plan.deadline:
        return Stop("INCONCLUSIVE", "; ".join([OVER, *undecided(plan, seen)]))
    if seen.blind_since is not None and seen.now - seen.blind_since >= plan.no_data_s:
        return Stop(
            "INCONCLUSIVE", f"the cluster has given no answer for {seen.now - seen.blind_since:.0f} s"
        )
    if seen.step < 0 or seen.step_started is None:
        return None
    ends = seen.step_started + plan.steps[seen.step].for_s
    for gate, state in zip(plan.gates, seen.gates, strict=True):
        silent_s = _silent_s(seen, state, ends)
        if gate.enforced and not taken_on(plan, seen, gate) and silent_s >= plan.no_data_s + _asking_s(gate):
            unanswered = ", and nobody took it on" if _asking_s(gate) else ""
            return Stop("INCONCLUSIVE", f"{sentence(gate, state)}, for {silent_s:.0f} s{unanswered}")
    return None


def _silent_s(seen: Situation, state: GateState, ends: float) -> float:
    """Say for how long a gate has been silent; too few requests are silence once the step's time is over."""
    if state.finding not in QUIET:
        return 0.0
    since = max(ends, seen.step_started or 0.0) if state.finding is Finding.THIN else state.seen_at
    return seen.now - since


def _asking_s(gate: AnyGate) -> float:
    return gate.asking_s if isinstance(gate, JudgeGate) else 0.0


def taken_on(plan: CanaryPlan, seen: Situation, gate: AnyGate) -> bool:
    """Whether a person has said that it may go on without this gate's word."""
    return plan.override or (_asking_s(gate) > 0 and seen.answer.given is not None)


def asked(plan: CanaryPlan, seen: Situation) -> Hold | None:
    """Hold the weight while a person is asked."""
    assert seen.step_started is not None  # a weight that is not in force is put in force before
    ends = seen.step_started + plan.steps[seen.step].for_s
    for gate, state in zip(plan.gates, seen.gates, strict=True):
        if not (gate.enforced and _asking_s(gate)) or taken_on(plan, seen, gate):
            continue
        left_s, silent_s = plan.deadline - seen.now, _silent_s(seen, state, ends)
        if silent_s >= plan.no_data_s:
            left_s = min(left_s, plan.no_data_s + _asking_s(gate) - silent_s)
        elif state.finding is not Finding.ASKED:
            continue
        return Hold(f"{QUESTION}{seen.answer.fault}: {sentence(gate, state)}", left_s, asks=True)
    return None


def undecided(plan: CanaryPlan, seen: Situation) -> list[str]:
    """Say how the gates stand that would have to be kept."""
    pairs = zip(plan.gates, seen.gates, strict=True)
    return [
        sentence(gate, state) for gate, state in pairs if gate.enforced and state.finding is not Finding.OK
    ]
