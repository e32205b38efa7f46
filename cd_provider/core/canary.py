"""
What a canary does next: a pure function of the plan, the clock, the cluster and the gates.

The loop around it (``triggers/canary_loop.py``) reads the world, asks :func:`decide`, acts, and reads again. It never
acts on what it remembers having done.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cd_provider.core.finding import Finding, GateState, sentence
from cd_provider.core.judge.settings import away_for_s
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.readiness import bad_baseline, grow, not_ready, replicas_for
from cd_provider.core.silence import QUIET, asked, out_of_time, taken_on, undecided
from cd_provider.core.situation import Action, Away, CanaryPlan, Hold, Passed, Shift, Situation, Stop

if TYPE_CHECKING:
    from cd_provider.core.gate import AnyGate

SCHEDULE_GRACE_S = 60.0  # an autoscaler may bring a node
AHEAD_S = 30.0  # the next step's pods are started this long before it
UNKNOWN = (*QUIET, Finding.GOING, Finding.ASKED)  # neither kept nor broken, as far as anybody can tell


def decide(plan: CanaryPlan, seen: Situation) -> Action:
    """
    Say what to do next.

    Order matters: a bad candidate goes first, then silence and deadlines, then what is not yet as wanted (drift
    included), and only then the next step. Nothing that is unknown ever counts as good.
    """
    return (
        bad_pods(plan, seen)
        or bad_gates(plan.gates, seen.gates)
        or bad_baseline(seen)
        or out_of_time(plan, seen)
        or _tripped(plan, seen)
        or not_ready(plan, seen)
        or _drifted(plan, seen)
        or asked(plan, seen)
        or _step_goes_on(plan, seen)
        or _next(plan, seen)
    )


def bad_pods(plan: CanaryPlan, seen: Situation) -> Stop | None:
    """Judge the candidate's pods: faults, foreign images, nobody left who answers."""
    pods = [pod for pod in seen.pods if not pod.deleting]
    for pod in pods:
        fault = pod.fault
        if fault and not (fault.reason == "Unschedulable" and seen.now - seen.created_at < SCHEDULE_GRACE_S):
            return Stop("FAIL", f"{fault}")
        if pod.ready and not pod.digests & set(plan.digests):
            runs = ", ".join(sorted(pod.digests)) or "an image without a digest"
            return Stop("FAIL", f"pod {pod.name} runs {runs}, not the verified image")
    if seen.weights.candidate > 0 and not any(pod.ready for pod in pods) and seen.blind_since is None:
        return Stop(
            "FAIL", f"no pod of the candidate is ready while it has {seen.weights.candidate} % of the traffic"
        )
    return None


def bad_gates(gates: Sequence[AnyGate], states: Sequence[GateState]) -> Stop | None:
    """Stop at the first enforced gate whose bound is broken."""
    for gate, state in zip(gates, states, strict=True):
        tripped = isinstance(gate, JudgeGate) and gate.on_trip == "fail" and state.trips > 0
        if gate.enforced and (state.finding is Finding.FAILED or tripped):
            return Stop("FAIL", sentence(gate, state))
    return None


def _tripped(plan: CanaryPlan, seen: Situation) -> Action | None:
    """Spare the users at once when a judge says so; once the candidate may return."""
    if seen.step >= 0:
        for gate, state in zip(plan.gates, seen.gates, strict=True):
            if gate.enforced and state.trips > seen.trips:
                return Away(sentence(gate, state), away_for_s(sum(pod.serves for pod in seen.pods)))
    left = seen.back_at - seen.now
    if left <= 0:
        return None
    if seen.weights.ours > 0:
        return Away("", left)
    return Hold("off traffic after many errors; it returns to the first step", left_s=left)


def _drifted(plan: CanaryPlan, seen: Situation) -> Action | None:
    step = max(seen.step, 0)
    if seen.step < 0 or seen.step_started is None or seen.weights != plan.weights(step):
        return Shift(step, plan.steps[step].weight)
    return None


def _step_goes_on(plan: CanaryPlan, seen: Situation) -> Action | None:
    assert seen.step_started is not None  # _drifted comes before
    left = seen.step_started + plan.steps[seen.step].for_s - seen.now
    if left <= AHEAD_S and (ahead := grow(plan, seen)):
        return ahead
    if left > 0:
        return Hold("the step's time runs", left_s=left)
    for gate, state in zip(plan.gates, seen.gates, strict=True):
        looked_since = state.reading.at >= seen.step_started
        enough = (Finding.OK,) if seen.step + 1 == len(plan.steps) else (Finding.OK, Finding.GOING)
        if taken_on(plan, seen, gate) and state.finding in UNKNOWN:
            continue
        if gate.enforced and (state.finding not in enough or not looked_since):
            return Hold(f"extended: {sentence(gate, state)}")
    return None


def _passed(plan: CanaryPlan, seen: Situation) -> Passed:
    kept = "; ".join(sentence(*pair) for pair in zip(plan.gates, seen.gates, strict=True))
    if undecided(plan, seen):
        return Passed(kept, "OVERRIDE")
    if plan.gates and not any(gate.enforced for gate in plan.gates):
        return Passed(f"nothing was judged, every gate only observes: {kept}", "OBSERVED")
    return Passed(kept or "every pod stayed healthy (no gates were asked for)")


def _next(plan: CanaryPlan, seen: Situation) -> Action:
    if seen.step + 1 == len(plan.steps):
        return _passed(plan, seen)
    following = plan.steps[seen.step + 1]
    wanted = replicas_for(plan, seen, following)
    ready = sum(pod.serves for pod in seen.pods)
    if ready < wanted:
        return Hold(f"{ready} of {wanted} pods are ready for {following.weight} %")
    if seen.baseline and (missing := seen.baseline.short_of(wanted)):
        return Hold(f"{missing} for {following.weight} %")
    return Shift(seen.step + 1, following.weight)
