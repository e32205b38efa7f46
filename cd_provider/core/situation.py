"""What a canary was asked for, one reading of the world, and what can be done about it: the words of a decision."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cd_provider.core.baseline import Baseline
from cd_provider.core.finding import GateState
from cd_provider.core.gate import judges
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.override import NOT_ANSWERED, Answer
from cd_provider.core.pod import PodState
from cd_provider.core.traffic import Step, Weights
from cd_provider.core.workload import WorkloadState

if TYPE_CHECKING:
    from cd_provider.core.gate import AnyGate


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
