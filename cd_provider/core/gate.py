"""
Gates: one question to a metrics server, and a bound on the answer; or a judge, which compares.

A gate is kept as plain JSON (``promql(…)`` makes it), read into a :class:`Gate` at the border, and judged by
:func:`cd_provider.core.finding.look`, the only comparison of a metric with a bound in the package.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypeAlias

from cd_provider.core.gate_head import gate_name, refuse_twice
from cd_provider.core.query import template
from cd_provider.core.ratio import denominator
from cd_provider.core.units import MODES, number, seconds
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.judge_gate import JudgeGate


def promql(
    name: str,
    *,
    query: str,
    max: float | str | None = None,
    min: float | str | None = None,
    min_requests: float | str | None = None,
    min_requests_query: str | None = None,
    for_s: float | str = 0,
    every_s: float | str = 1,
    window_s: float | str = 60,
    mode: str = "enforce",
) -> dict[str, Any]:
    """
    Bound the one number that a PromQL query gives for the candidate.

    :param name: what people call it, such as ``"errors"``.
    :param query: gives one value. ``$candidate`` and ``$stable`` become the names of the two Services,
        ``$namespace`` their namespace, ``$pods`` a pattern of the names of the candidate's own pods (for ``=~``),
        ``$window`` a range that ends now: ``window_s``, but never back to before the candidate's first traffic;
        ``$$`` is a dollar sign. Counters of a pod begin with it, so with ``$pods`` they need no range; those of a
        gateway go on from one candidate to the next, so with ``$candidate`` take ``increase(…[$window])``.
    :param max: the largest allowed value; ``min`` the smallest. At least one; the bound itself passes.
    :param min_requests: fewer requests than this are silence, not a pass. Counted by ``min_requests_query``, or,
        when the query reads ``a / b``, by its ``b``.
    :param for_s: seconds for which the bound must be broken before that counts as bad.
    :param every_s: seconds between two looks.
    :param mode: ``observe`` tells what it would have done and stops nothing.
    """
    given = {
        "kind": "promql", "name": name, "query": query, "max": max, "min": min, "min_requests": min_requests,
        "min_requests_query": min_requests_query, "for_s": for_s, "every_s": every_s, "window_s": window_s,
        "mode": mode,
    }  # fmt: skip
    return {key: value for key, value in given.items() if value is not None}


@dataclass(frozen=True)
class Gate:
    """One bound, in the unit its query yields; times in seconds."""

    name: str
    query: str
    max: float | None = None
    min: float | None = None
    min_requests: float = field(default=0.0, metadata={"minimum": 0})
    min_requests_query: str | None = None
    for_s: float = field(default=0.0, metadata={"minimum": 0})
    every_s: float = field(default=1.0, metadata={"minimum": 0.2})
    window_s: float = field(default=60.0, metadata={"minimum": 1})
    mode: str = "enforce"
    kind: str = "promql"

    @classmethod
    def parse(cls, value: Any) -> Gate:
        """
        Read what :func:`promql` gives, or the same as JSON; numbers may be texts (rendered templates).

        :raises ArgumentError: a wrong shape or name, or a gate that cannot fail.
        """
        known = {one.name: one.metadata for one in fields(cls)}
        name = gate_name(value, kind="promql", such_as="errors", known=known)
        read = {
            key: _read(name, key, given, least=known[key].get("minimum", -math.inf))
            for key, given in value.items()
            if given is not None
        }
        if "query" not in read:
            raise ArgumentError(f"gate {name!r}: query is missing, expected a PromQL query.")
        gate = cls(**read)
        gate._check()
        return gate

    def _check(self) -> None:
        where = f"gate {self.name!r}"
        if self.max is None and self.min is None:
            raise ArgumentError(f"{where} cannot fail: it has neither max nor min.")
        if self.max is not None and self.min is not None and self.min > self.max:
            raise ArgumentError(
                f"{where}: min {self.min:g} is above max {self.max:g}, so that nothing can pass."
            )
        if self.mode not in MODES:
            raise ArgumentError(f"{where}: mode is {self.mode!r}, expected one of {', '.join(MODES)}.")
        for query in filter(None, (self.query, self.min_requests_query)):
            template(where, query)
        if not {"candidate", "pods"} & set(template(where, self.query).get_identifiers()):
            raise ArgumentError(
                f"{where}: its query speaks neither of $candidate nor of $pods, so that it cannot judge the candidate."
            )
        if self.min_requests and self.requests_query() is None:
            raise ArgumentError(
                f"{where}: min_requests is {self.min_requests:g}, but the query is not of the form a / b, so that "
                "nothing counts the requests; give min_requests_query."
            )

    @property
    def enforced(self) -> bool:
        """Whether it can stop a canary."""
        return self.mode == "enforce"

    def requests_query(self, window_s: float | None = None) -> str | None:
        """
        Give what counts the requests: as given, or the denominator of ``a / b``, scaled from a rate to a count.

        :param window_s: seconds that ``$window`` stands for at this look; default: the gate's own.
        """
        if not self.min_requests:
            return None
        return self.min_requests_query or denominator(self.query, window_s=window_s or self.window_s)

    @property
    def bound(self) -> str:
        """The bound as people read it."""
        parts = [f"at least {self.min:g}"] if self.min is not None else []
        parts += [f"at most {self.max:g}"] if self.max is not None else []
        return " and ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON that :meth:`parse` reads back."""
        return {key: value for key, value in asdict(self).items() if value is not None}


AnyGate: TypeAlias = "Gate | JudgeGate"


def parse_gate(value: Any) -> AnyGate:
    """
    Read one gate, of whatever kind.

    :raises ArgumentError: no such kind, or a wrong shape.
    """
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind not in ("promql", "judge"):
        raise ArgumentError(f"gate: saw {value!r}, expected what promql(…) or judge(…) gives.")
    if kind == "promql":
        return Gate.parse(value)
    from cd_provider.core.judge_gate import JudgeGate  # whoever has only bounds loads no judge

    return JudgeGate.parse(value)


def judges(gates: Iterable[AnyGate]) -> tuple[JudgeGate, ...]:
    """Give those of the gates that compare."""
    return tuple(gate for gate in gates if not isinstance(gate, Gate))


def parse_gates(value: Any) -> tuple[AnyGate, ...]:
    """
    Read a list of gates; an empty list means: pod health only. Its judges share one chance to be wrong.

    :raises ArgumentError: no list, a gate of wrong shape, or two of one name.
    """
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise ArgumentError(f"gates: saw {value!r}, expected a list; [] means pod health only.")
    gates = tuple(parse_gate(one) for one in value)
    refuse_twice([gate.name for gate in gates])
    return sharing(gates)


def sharing(gates: Sequence[AnyGate]) -> tuple[AnyGate, ...]:
    """Let the judges that can stop a canary share one chance to be wrong: it is the canary's, not a judge's."""
    among = enforced(judges(gates))
    return tuple(gate if isinstance(gate, Gate) else gate.sharing(among) for gate in gates)


def enforced(found: Iterable[JudgeGate]) -> int:
    """Count those that can stop anything."""
    return sum(gate.enforced for gate in found)


def _read(gate: str, key: str, value: Any, *, least: float) -> Any:
    where = f"gate {gate!r}, {key}"
    if key in ("max", "min", "min_requests"):
        return number(value, name=where, least=least)
    if key.endswith("_s"):
        return seconds(value, name=where, least=least)
    if not isinstance(value, str) or not value.strip():
        raise ArgumentError(f"{where}: saw {value!r}, expected a text.")
    return value
