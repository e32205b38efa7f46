"""What people are told about a delivery."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Outcome(StrEnum):
    """How a delivery stands."""

    RUNNING = "running"
    ASKING = "asking"  # a judge cannot decide, and a person may
    PROMOTED = "promoted"
    ABORTED = "aborted"  # the candidate was judged bad, or a person stopped it
    INCONCLUSIVE = "inconclusive"  # it could not be judged
    REFUSED = "refused"  # it never touched the cluster: plan, verify, smoke, approval or window said no


@dataclass(frozen=True)
class ReleaseMessage:
    """
    One delivery in words; the same message is edited as it goes on.

    ``line`` is the one sentence that matters now: what was compared, the two numbers, the bound. ``facts`` are
    label → text, in the order to be shown. ``next_step`` says what a person may want to do.
    """

    app: str
    image: str
    outcome: Outcome
    line: str
    facts: Mapping[str, str]
    weight: int | None = None
    next_step: str | None = None
    url: str | None = None  # the Dag run in the Airflow UI

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return {**asdict(self), "outcome": self.outcome.value, "facts": dict(self.facts)}

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> ReleaseMessage:
        """Read what :meth:`as_dict` gave."""
        return cls(**{**value, "outcome": Outcome(value["outcome"])})
