"""A canary's plan, and what is seen of its pods, gates and traffic at a moment."""

from __future__ import annotations

from typing import Any

from cd_provider.core.canary import decide
from cd_provider.core.finding import Finding, GateState, Reading
from cd_provider.core.gate import Gate, promql
from cd_provider.core.pod import PodState
from cd_provider.core.situation import CanaryPlan, Situation, Stop
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


LAST = {"step": 1, "now": 1031.0, "pods": [pod("a"), pod("b")], "weights": Weights.of(50)}


def last(**changed: Any) -> Situation:
    return seen(candidate=candidate(2), **{**LAST, **changed})


def verdict(finding: Finding, *, trips: int = 0, at: float = 1000.0) -> GateState:
    return GateState(finding, Reading(at), at, None, "errors 30 % vs 0 %", trips)
