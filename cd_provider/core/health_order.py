"""What a health gate's sensor orders from its trigger: plain JSON, absolute times, and nothing secret."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from cd_provider.core.before_after import BeforeAfter
from cd_provider.core.gate import Gate, enforced, parse_gate
from cd_provider.core.gate_head import refuse_twice
from cd_provider.core.judge.sides import Sides, sides_of
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.query import QueryNames, template
from cd_provider.core.refuse import DECIDES_S
from cd_provider.exceptions import ArgumentError

HealthGate = Gate | JudgeGate | BeforeAfter
Pods = tuple[str, ...]


def parse_health_gates(value: Any) -> tuple[HealthGate, ...]:
    """
    Read a list of what ``judge(…)``, ``promql(…)`` and ``before_after(…)`` give.

    :raises ArgumentError: no list, an empty one (it could only be green), a wrong shape, or two of one name.
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ArgumentError(f"gates: saw {value!r}, expected a list of at least one.")
    gates = tuple(_parse(one) for one in value)
    refuse_twice([gate.name for gate in gates])
    among = enforced(one for one in gates if isinstance(one, JudgeGate))
    return tuple(one.sharing(among) if isinstance(one, JudgeGate) else one for one in gates)


def _parse(value: Any) -> HealthGate:
    if isinstance(value, Mapping) and value.get("kind") == "before_after":
        return BeforeAfter.parse(value)
    return parse_gate(value)


@dataclass(frozen=True)
class HealthOrder:
    """
    One watch; times in epoch seconds.

    :param candidate: name of its Service, or of the thing itself. :param stable: of the other one.
    :param candidate_pods: pattern of the whole names of its pods; None: those that its Service selects.
    :param until: when it is over. A restarted trigger keeps both times.
    :param no_data_s: silence of a gate, in seconds, that ends it.
    """

    gates: list[Mapping[str, Any]]
    candidate: str
    began_at: float
    until: float
    no_data_s: float = 120.0
    stable: str | None = None
    namespace: str = ""
    candidate_pods: str | None = None
    stable_pods: str | None = None
    weak_is_enough: bool = False
    prometheus_conn_id: str = "prometheus_default"
    kubernetes_conn_id: str = "kubernetes_default"

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> HealthOrder:
        """
        Read what :meth:`as_dict` gave.

        :raises ArgumentError: a gate asks for what the order does not name, or a pattern is none.
        """
        order = cls(**value)
        for gate in order.asked:
            order._check(gate)
        for name in ("candidate_pods", "stable_pods"):
            _check_pattern(name, getattr(order, name))
        return order

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return asdict(self)

    @property
    def asked(self) -> tuple[HealthGate, ...]:
        """The gates, each moment settled: one that was left open is the beginning of the watch."""
        return tuple(
            replace(gate, moment=self.began_at)
            if isinstance(gate, BeforeAfter) and gate.moment is None
            else gate
            for gate in parse_health_gates(self.gates)
        )

    @property
    def max_s(self) -> float:
        """How long it may take."""
        return self.until - self.began_at

    def after_until(self, gate: BeforeAfter) -> float:
        """Say when "after" is over for this gate."""
        moment = self.began_at if gate.moment is None else gate.moment
        return min(self.until, moment + gate.after_s) if gate.after_s is not None else self.until

    def needs_pods(self, side: str) -> bool:
        """Whether the cluster has to be asked which pods are of this side."""
        return any(_needs_pods(gate, side) for gate in self.asked)

    def sides(self, gate: JudgeGate, *, candidate: Pods, stable: Pods) -> Sides:
        """Say who is compared, by the pods that are ready now."""
        return sides_of(
            gate.counters(), self.namespace, self.stable or "", candidate=self.candidate,
            candidate_pods=candidate, stable_pods=stable,
        )  # fmt: skip

    def names(self, *, pods: Pods) -> QueryNames:
        """Say what the placeholders of queries stand for."""
        return QueryNames(self.candidate, self.stable or "", self.namespace, pods)

    def _check(self, gate: HealthGate) -> None:
        where = f"gate {gate.name!r}"
        queries = [gate.query, gate.min_requests_query or ""] if isinstance(gate, Gate) else []
        spoken = {name for query in queries for name in template(where, query).get_identifiers()}
        if not self.stable and (isinstance(gate, JudgeGate) or "stable" in spoken):
            raise ArgumentError(
                f"{where} compares with stable: saw no `stable`, expected the name of its Service."
            )
        if isinstance(gate, JudgeGate) and gate.asks:
            raise ArgumentError(
                f"{where}, on_inconclusive: saw 'ask', but this sensor asks nobody: it changes nothing by itself. "
                "Put an approval behind it."
            )
        if not self.namespace and (_needs_namespace(gate) or {"namespace", "pods"} & spoken):
            raise ArgumentError(f"{where} speaks of a namespace: saw no `namespace`, expected its name.")
        if (
            isinstance(gate, JudgeGate)
            and (least := gate.settings(max_s=self.max_s).least_s + DECIDES_S) > self.max_s
        ):
            raise ArgumentError(
                f"{where} passes nothing before {least:.0f} s: saw max_s {self.max_s:.0f}, expected as much or more."
            )

    def check_moments(self) -> None:
        """
        Refuse what would never have an "after"; for when the watch begins, since a parse knows no time.

        :raises ArgumentError: a moment lies at the end of the watch, or later.
        """
        for gate in self.asked:
            if (
                isinstance(gate, BeforeAfter)
                and gate.moment is not None
                and gate.moment >= self.after_until(gate)
            ):
                raise ArgumentError(
                    f"gate {gate.name!r}: saw a moment {gate.moment - self.began_at:.0f} s from now, expected one "
                    f"before the watch is over, in {self.max_s:.0f} s; raise max_s."
                )


def _needs_namespace(gate: HealthGate) -> bool:
    if not isinstance(gate, JudgeGate):
        return False
    return gate.counters().unit == "backend_pod" or "{namespace}" in gate.counters().backend_is


def _needs_pods(gate: HealthGate, side: str) -> bool:
    if isinstance(gate, JudgeGate):
        return gate.counters().unit == "backend_pod"
    names = template("gate", gate.query).get_identifiers() if isinstance(gate, Gate) else []
    return side == "candidate" and "pods" in names


def _check_pattern(name: str, pattern: str | None) -> None:
    try:
        re.compile(pattern or "")
    except re.error as err:
        raise ArgumentError(
            f"{name}: saw {pattern!r}, expected a pattern of whole names, such as 'shop-v2-.*': {err}."
        ) from err
