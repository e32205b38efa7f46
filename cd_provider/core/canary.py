"""
What a canary does next: a pure function of the plan, the clock, the cluster and the gates.

The loop around it (``triggers/canary_loop.py``) reads the world, asks :func:`decide`, acts, and reads again. It never
acts on what it remembers having done.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cd_provider.core.baseline import Baseline
from cd_provider.core.finding import Finding, GateState, sentence
from cd_provider.core.gate import judges
from cd_provider.core.judge.settings import away_for_s
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.override import NOT_ANSWERED, Answer
from cd_provider.core.pod import PodState
from cd_provider.core.traffic import Step, Weights
from cd_provider.core.workload import WorkloadState, candidate_replicas

if TYPE_CHECKING:
    from cd_provider.core.gate import AnyGate

SCHEDULE_GRACE_S = 60.0  # an autoscaler may bring a node
AHEAD_S = 30.0  # the next step's pods are started this long before it
QUIET = (Finding.BLIND, Finding.THIN)
UNKNOWN = (*QUIET, Finding.GOING, Finding.ASKED)  # neither kept nor broken, as far as anybody can tell
QUESTION = "a person is asked whether it goes on all the same"
OVER = "the canary's time (max_s) is over before it could be judged"
SETTLE_S = 1.0  # a gateway learns of a ready pod a little later than we do; until then it would answer 503


@dataclass(frozen=True)
class CanaryPlan:
    """
    What was asked for; absolute times in epoch seconds.

    :param no_data_s: how long silence is waited out before the candidate is taken off traffic.
    :param deadline: when the canary has to be over whatever happens; before any time-out of Airflow's.
    :param digests: every digest under which a node may report the asked image.
    :param override: a person takes it on: what gives no numbers, or too few, holds no step and stops nothing.
    """

    steps: tuple[Step, ...]
    gates: tuple[AnyGate, ...]
    digests: Collection[str]
    deadline: float
    no_data_s: float = 120.0
    candidate_min: int = 1
    override: bool = False

    @property
    def fresh(self) -> bool:
        """Whether a baseline stands beside the candidate: see :mod:`cd_provider.core.baseline`."""
        return any(gate.fresh for gate in judges(self.gates))

    def beside_stable(self) -> CanaryPlan:
        """Give the same without a baseline: its judges compare with stable's own pods."""
        plain = (replace(one, baseline="stable") if isinstance(one, JudgeGate) else one for one in self.gates)
        return replace(self, gates=tuple(plain))

    def weights(self, step: int) -> Weights:
        """Give the split of a step."""
        return Weights.of(self.steps[step].weight, fresh=self.fresh)


@dataclass(frozen=True)
class Situation:
    """
    One reading of the world.

    :param step: index of the step whose weight is wanted; -1 while the candidate is brought up.
    :param step_started: when that step's weight was first in force, epoch seconds; None before.
    :param created_at: when this attempt's candidate was made.
    :param stable_replicas: what stable wants now.
    :param ready_since: since when the candidate (and the baseline) has as many ready pods as it wants; None when not.
    :param blind_since: since when the cluster itself gives no answer; None when it does.
    :param baseline: None where none is asked for.
    :param trips: how often it was taken off traffic to return later. :param back_at: when it may, epoch seconds.
    :param answer: what a person has said to a question so far.
    """

    now: float
    step: int
    step_started: float | None
    created_at: float
    stable_replicas: int
    candidate: WorkloadState | None
    pods: Sequence[PodState]
    weights: Weights
    gates: Sequence[GateState]
    ready_since: float | None = None
    blind_since: float | None = None
    baseline: Baseline | None = None
    trips: int = 0
    back_at: float = 0.0
    answer: Answer = NOT_ANSWERED


@dataclass(frozen=True)
class Resize:
    """Give the candidate this many pods, and the baseline as many where one is asked for."""

    replicas: int


@dataclass(frozen=True)
class Shift:
    """Give the candidate this share of the traffic, and a baseline as much; ``step`` is noted down before."""

    step: int
    weight: int


@dataclass(frozen=True)
class Hold:
    """Change nothing; ``reason`` is what people are told. ``asks``: it is a question to them."""

    reason: str
    left_s: float | None = None
    asks: bool = False


@dataclass(frozen=True)
class Stop:
    """Take the candidate off traffic. ``kind``: FAIL or INCONCLUSIVE."""

    kind: str
    line: str


@dataclass(frozen=True)
class Away:
    """Take the candidate off traffic for some seconds; its pods stay, and it returns with the first step."""

    line: str
    for_s: float


@dataclass(frozen=True)
class Passed:
    """Every step was held; ``kind`` is one of :data:`~cd_provider.core.release.PASSING`."""

    line: str
    kind: str = "PASS"


Action = Resize | Shift | Hold | Stop | Away | Passed


def decide(plan: CanaryPlan, seen: Situation) -> Action:
    """
    Say what to do next.

    Order matters: a bad candidate goes first, then silence and deadlines, then what is not yet as wanted (drift
    included), and only then the next step. Nothing that is unknown ever counts as good.
    """
    return (
        bad_pods(plan, seen)
        or bad_gates(plan.gates, seen.gates)
        or _bad_baseline(seen)
        or _out_of_time(plan, seen)
        or _tripped(plan, seen)
        or _not_ready(plan, seen)
        or _drifted(plan, seen)
        or _asked(plan, seen)
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


def _bad_baseline(seen: Situation) -> Stop | None:
    """End it where what the candidate is compared with cannot be trusted, or is gone: that convicts nobody."""
    baseline = seen.baseline
    if baseline is None or seen.blind_since is not None:
        return None
    if baseline.state is None and not baseline.allowed:
        return Stop(
            "INCONCLUSIVE", "stable has no ready pod that tells what it runs: no baseline can be made of it"
        )
    if baseline.state is None and seen.step >= 0:
        return Stop(
            "INCONCLUSIVE",
            "the baseline was deleted in mid-canary, and a new one would be younger than the candidate",
        )
    if pod := baseline.stranger():
        runs = ", ".join(sorted(pod.digests)) or "an image without a digest"
        return Stop(
            "INCONCLUSIVE",
            f"pod {pod.name} of the baseline runs {runs}, which no pod of stable ran when it was made",
        )
    if seen.weights.baseline > 0 and not baseline.alive:
        return Stop(
            "INCONCLUSIVE",
            f"no pod of the baseline is ready while it has {seen.weights.baseline} % of the traffic: nothing as young "
            "is left to compare with",
        )
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


def _out_of_time(plan: CanaryPlan, seen: Situation) -> Stop | None:
    if seen.now >= plan.deadline:
        return Stop("INCONCLUSIVE", "; ".join([OVER, *_undecided(plan, seen)]))
    if seen.blind_since is not None and seen.now - seen.blind_since >= plan.no_data_s:
        return Stop(
            "INCONCLUSIVE", f"the cluster has given no answer for {seen.now - seen.blind_since:.0f} s"
        )
    if seen.step < 0 or seen.step_started is None:
        return None
    ends = seen.step_started + plan.steps[seen.step].for_s
    for gate, state in zip(plan.gates, seen.gates, strict=True):
        silent_s = _silent_s(seen, state, ends)
        if gate.enforced and not _taken_on(plan, seen, gate) and silent_s >= plan.no_data_s + _asking_s(gate):
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


def _taken_on(plan: CanaryPlan, seen: Situation, gate: AnyGate) -> bool:
    """Whether a person has said that it may go on without this gate's word."""
    return plan.override or (_asking_s(gate) > 0 and seen.answer.given is not None)


def _asked(plan: CanaryPlan, seen: Situation) -> Hold | None:
    """Hold the weight while a person is asked."""
    assert seen.step_started is not None  # _drifted comes before
    ends = seen.step_started + plan.steps[seen.step].for_s
    for gate, state in zip(plan.gates, seen.gates, strict=True):
        if not (gate.enforced and _asking_s(gate)) or _taken_on(plan, seen, gate):
            continue
        left_s, silent_s = plan.deadline - seen.now, _silent_s(seen, state, ends)
        if silent_s >= plan.no_data_s:
            left_s = min(left_s, plan.no_data_s + _asking_s(gate) - silent_s)
        elif state.finding is not Finding.ASKED:
            continue
        return Hold(f"{QUESTION}{seen.answer.fault}: {sentence(gate, state)}", left_s, asks=True)
    return None


def _undecided(plan: CanaryPlan, seen: Situation) -> list[str]:
    """Say how the gates stand that would have to be kept."""
    pairs = zip(plan.gates, seen.gates, strict=True)
    return [
        sentence(gate, state) for gate, state in pairs if gate.enforced and state.finding is not Finding.OK
    ]


def _not_ready(plan: CanaryPlan, seen: Situation) -> Action | None:
    wanted = _replicas(plan, seen)
    state = seen.candidate
    if state is None or state.wanted < wanted:
        return Resize(wanted)
    if seen.baseline and seen.baseline.wanted < state.wanted:
        return Resize(state.wanted)
    if state.stalled:
        return Stop("FAIL", f"the candidate's pods do not become ready: {state.stalled}")
    ready = sum(pod.serves for pod in seen.pods)
    if seen.weights.candidate == 0 or seen.step_started is None:
        if ready < wanted or state.observed < state.generation:
            if seen.now - seen.created_at > state.progress_deadline_s:
                return Stop(
                    "FAIL", f"{ready} of {wanted} pods are ready after {state.progress_deadline_s:.0f} s"
                )
            return Hold(f"{ready} of {wanted} pods are ready")
        if seen.baseline and (missing := seen.baseline.short_of(wanted)):
            if seen.now - seen.created_at > state.progress_deadline_s:
                return Stop("INCONCLUSIVE", f"{missing} after {state.progress_deadline_s:.0f} s")
            return Hold(missing)
        return _settling(seen) if seen.weights.candidate == 0 else None
    if ready < wanted:
        return Hold(f"{ready} of {wanted} pods are ready")
    missing = seen.baseline.short_of(wanted) if seen.baseline else ""
    return Hold(missing) if missing else None


def _settling(seen: Situation) -> Hold | None:
    """Wait before the first user is sent to new pods."""
    left = SETTLE_S if seen.ready_since is None else seen.ready_since + SETTLE_S - seen.now
    return Hold("the gateway gets to know the pods", left_s=left) if left > 0 else None


def _replicas(plan: CanaryPlan, seen: Situation) -> int:
    """Size the candidate for the weight it has or is about to get."""
    return _replicas_for(plan, seen, plan.steps[max(seen.step, 0)])


def _replicas_for(plan: CanaryPlan, seen: Situation, step: Step) -> int:
    return candidate_replicas(seen.stable_replicas, weight=step.weight, least=plan.candidate_min)


def _grow(plan: CanaryPlan, seen: Situation) -> Resize | None:
    """Start the pods that the next step needs."""
    if seen.step + 1 == len(plan.steps) or seen.candidate is None:
        return None
    wanted = _replicas_for(plan, seen, plan.steps[seen.step + 1])
    return Resize(wanted) if seen.candidate.wanted < wanted else None


def _drifted(plan: CanaryPlan, seen: Situation) -> Action | None:
    step = max(seen.step, 0)
    if seen.step < 0 or seen.step_started is None or seen.weights != plan.weights(step):
        return Shift(step, plan.steps[step].weight)
    return None


def _step_goes_on(plan: CanaryPlan, seen: Situation) -> Action | None:
    assert seen.step_started is not None  # _drifted comes before
    left = seen.step_started + plan.steps[seen.step].for_s - seen.now
    if left <= AHEAD_S and (ahead := _grow(plan, seen)):
        return ahead
    if left > 0:
        return Hold("the step's time runs", left_s=left)
    for gate, state in zip(plan.gates, seen.gates, strict=True):
        looked_since = state.reading.at >= seen.step_started
        enough = (Finding.OK,) if seen.step + 1 == len(plan.steps) else (Finding.OK, Finding.GOING)
        if _taken_on(plan, seen, gate) and state.finding in UNKNOWN:
            continue
        if gate.enforced and (state.finding not in enough or not looked_since):
            return Hold(f"extended: {sentence(gate, state)}")
    return None


def _passed(plan: CanaryPlan, seen: Situation) -> Passed:
    kept = "; ".join(sentence(*pair) for pair in zip(plan.gates, seen.gates, strict=True))
    if _undecided(plan, seen):
        return Passed(kept, "OVERRIDE")
    if plan.gates and not any(gate.enforced for gate in plan.gates):
        return Passed(f"nothing was judged, every gate only observes: {kept}", "OBSERVED")
    return Passed(kept or "every pod stayed healthy (no gates were asked for)")


def _next(plan: CanaryPlan, seen: Situation) -> Action:
    if seen.step + 1 == len(plan.steps):
        return _passed(plan, seen)
    following = plan.steps[seen.step + 1]
    wanted = _replicas_for(plan, seen, following)
    ready = sum(pod.serves for pod in seen.pods)
    if ready < wanted:
        return Hold(f"{ready} of {wanted} pods are ready for {following.weight} %")
    if seen.baseline and (missing := seen.baseline.short_of(wanted)):
        return Hold(f"{missing} for {following.weight} %")
    return Shift(seen.step + 1, following.weight)
