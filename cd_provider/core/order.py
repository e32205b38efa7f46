"""What the canary task orders from its trigger: everything it needs, as plain JSON, and nothing secret."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from cd_provider.core.gate import judges, parse_gates
from cd_provider.core.names import short_hash
from cd_provider.core.release import Release, Target
from cd_provider.core.traffic import Step
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.gate import AnyGate
    from cd_provider.core.situation import CanaryPlan

IF_BUSY = ("refuse", "wait")
RESULT = ("kind", "line", "decided_at", "off_at")
"""What is kept of a canary's end, for whoever tells of it: an XCom ``result`` of its task."""


@dataclass(frozen=True)
class CanaryOrder:
    """
    One attempt of one canary. ``deadline`` is absolute, epoch seconds; a restarted trigger keeps it.

    :param window: a release window, checked again right before the first write.
    :param override: who takes on what cannot be judged, and why.
    :param notify: what ``slack(…)`` gives; ``thread`` is where the release's message already is.
    """

    release: Mapping[str, Any]
    target: Mapping[str, Any]
    steps: list[Mapping[str, Any]]
    gates: list[Mapping[str, Any]]
    attempt: int
    deadline: float
    no_data_s: float
    candidate_min: int = 1
    if_busy: str = "refuse"
    window: Mapping[str, Any] | str | None = None
    prometheus_conn_id: str = "prometheus_default"
    notify: Mapping[str, Any] | None = None
    thread: Mapping[str, str] | None = None
    allow_downgrade: bool = False
    stable_may_be_broken: bool = False
    gitops_ignores_us: bool = False
    override: Mapping[str, str] | None = None
    task: Mapping[str, Any] = field(
        default_factory=dict
    )  # dag_id, run_id, task_id, map_index: where progress goes

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return asdict(self)

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> CanaryOrder:
        """Read what :meth:`as_dict` gave."""
        order = cls(**value)
        if order.if_busy not in IF_BUSY:
            raise ArgumentError(f"if_busy: saw {order.if_busy!r}, expected one of {', '.join(IF_BUSY)}.")
        return order

    @property
    def asked(self) -> Release:
        """The release."""
        return Release.from_dict(self.release)

    @property
    def where(self) -> Target:
        """Where it goes."""
        return Target(**self.target)

    @property
    def fresh(self) -> bool:
        """Whether a baseline is asked for."""
        return any(gate.fresh for gate in judges(parse_gates(self.gates)))

    @property
    def gates_hash(self) -> str:
        """Names the gates that a stored PASS was given by."""
        return gates_hash(parse_gates(self.gates))

    @property
    def about(self) -> dict[str, Any]:
        """Whose a judge's record is: plain JSON, nothing secret."""
        asked, where = self.asked, self.where
        return {
            "app": asked.app, "release": asked.id, "image": asked.image, "tag": asked.tag, "namespace": where.namespace,
            "workload": where.workload, "gates_hash": self.gates_hash, "attempt": self.attempt,
            "delivery": asked.delivery, "dag_id": asked.dag_id, "run_id": asked.run_id,
        }  # fmt: skip

    def plan(self) -> CanaryPlan:
        """Give what the pure decision works on."""
        from cd_provider.core.situation import CanaryPlan  # who only orders a canary loads no judge

        return CanaryPlan(
            steps=tuple(Step(int(one["weight"]), float(one["for_s"])) for one in self.steps),
            gates=parse_gates(self.gates),
            digests=frozenset(self.asked.digests),
            deadline=self.deadline,
            no_data_s=self.no_data_s,
            candidate_min=self.candidate_min,
            override=self.override is not None,
        )


def gates_hash(gates: tuple[AnyGate, ...]) -> str:
    """Name a set of gates by what they ask."""
    return short_hash([gate.as_dict() for gate in gates])
