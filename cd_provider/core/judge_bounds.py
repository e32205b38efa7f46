"""The numbers of a judge's two metrics, as a gate has them, and whether each decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

from cd_provider.core.judge.settings import IGNORE, NEVER_ABOVE, UNACCEPTABLE
from cd_provider.core.units import number, word
from cd_provider.exceptions import ArgumentError

# What a metric may be, and what people read of one that does not decide.
ROLES: Mapping[str, str] = {"critical": "", "advisory": "advisory", "dry_run": "dry run"}


@dataclass(frozen=True)
class Bounds:
    """Two numbers of one metric, as times stable's; and whether it decides."""

    ignore: float = field(metadata={"minimum": 1})
    unacceptable: float = field(metadata={"exclusiveMinimum": 1})
    role: str = "critical"

    @classmethod
    def parse(cls, value: Any, usual: Self, *, where: str) -> Self:
        """
        Read them; what is not given is as usual.

        :raises ArgumentError: another key, no number, or one out of its range.
        """
        if value is None:
            return usual
        keys = [one.name for one in fields(cls)]
        if not isinstance(value, Mapping) or set(value) - set(keys):
            raise ArgumentError(f"{where}: saw {value!r}, expected some of {', '.join(keys)}.")
        given = {key: one for key, one in value.items() if one is not None}
        role = word(given, "role", tuple(ROLES), where)
        numbers = {key: number(one, name=f"{where}, {key}") for key, one in given.items() if key != "role"}
        found = replace(usual, role=role, **numbers)
        found.check(where)
        return found

    def check(self, where: str) -> None:
        """
        Refuse what cannot be meant.

        :raises ArgumentError: not 1 ≤ ignore < unacceptable.
        """
        if not 1.0 <= self.ignore < self.unacceptable:
            raise ArgumentError(
                f"{where}: saw ignore {self.ignore:g} and unacceptable {self.unacceptable:g}, expected 1 or "
                "more, and the second larger than the first: both are times stable's."
            )


@dataclass(frozen=True)
class ErrorBounds(Bounds):
    """Those of errors, and a share of the requests, 0–1, beyond which no version passes."""

    never_above: float = field(default=NEVER_ABOVE, metadata={"exclusiveMinimum": 0, "maximum": 1})

    def check(self, where: str) -> None:
        """Refuse what cannot be meant; a limit of 1 is none."""
        super().check(where)
        if not 0.0 < self.never_above <= 1.0:
            raise ArgumentError(
                f"{where}: saw never_above {self.never_above:g}, expected a share of the requests, above 0 and up to 1 "
                "(no such limit)."
            )


ERRORS = ErrorBounds(IGNORE.errors, UNACCEPTABLE.errors)
CLIENT_ERRORS = ErrorBounds(2.0, 3.0, never_above=1.0)
LATENCY = Bounds(IGNORE.latency, UNACCEPTABLE.latency)
