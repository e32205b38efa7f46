"""Shares of traffic, and the steps in which a candidate gets them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cd_provider.core.units import seconds, whole
from cd_provider.exceptions import ArgumentError


@dataclass(frozen=True)
class Weights:
    """Who gets how much of the traffic, in percent; always 100 together. ``baseline``: 0 where none is asked for."""

    stable: int
    candidate: int
    baseline: int = 0

    @classmethod
    def of(cls, candidate: int, *, fresh: bool = False) -> Weights:
        """
        Give the candidate its share, stable the rest.

        :param fresh: a baseline gets as much as the candidate; at most 50 then.
        """
        baseline = candidate if fresh else 0
        return cls(100 - candidate - baseline, candidate, baseline)

    @property
    def ours(self) -> int:
        """What does not go to stable's own pods."""
        return self.candidate + self.baseline


ALL_STABLE = Weights(100, 0)


@dataclass(frozen=True)
class Step:
    """One share of the traffic, held for at least ``for_s`` seconds."""

    weight: int
    for_s: float


def parse_steps(value: Any, *, step_s: Any) -> tuple[Step, ...]:
    """
    Read ``[5, 25, {"weight": 50, "for_s": 120}]``.

    :param value: shares of the candidate in percent, rising, from 1 to 100; a mapping sets its own duration.
    :param step_s: seconds of a step that says none itself.
    :raises ArgumentError: no steps, not rising, out of range, an unknown key.
    """
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise ArgumentError(f"steps: saw {value!r}, expected a list of weights such as [5, 25, 50].")
    steps = tuple(_step(one, at=index, step_s=step_s) for index, one in enumerate(value))
    for before, after in zip(steps, steps[1:], strict=False):
        if after.weight <= before.weight:
            raise ArgumentError(
                f"steps: {after.weight} comes after {before.weight}, expected rising weights."
            )
    return steps


def _step(value: Any, *, at: int, step_s: Any) -> Step:
    given: Mapping[str, Any] = value if isinstance(value, Mapping) else {"weight": value}
    if unknown := sorted(set(given) - {"weight", "for_s"}):
        raise ArgumentError(f"steps[{at}]: unknown key {unknown[0]!r}, expected weight and for_s.")
    if "weight" not in given:
        raise ArgumentError(f"steps[{at}]: saw no weight, expected one from 1 to 100.")
    weight = whole(given["weight"], name=f"steps[{at}]", least=1, most=100)
    return Step(weight, seconds(given.get("for_s", step_s), name=f"steps[{at}].for_s", least=1.0))


def templated(value: Any) -> bool:
    """Say whether a value still waits for Airflow's templates, so that its content cannot be checked yet."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value
    if isinstance(value, Mapping):
        return any(templated(one) for one in value.values())
    return isinstance(value, Sequence) and any(templated(one) for one in value)
