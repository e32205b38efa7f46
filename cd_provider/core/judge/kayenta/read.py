"""Reading foreign JSON: every fault is noted with its key, its value and what was expected, and reading goes on."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Notes:
    """What was found on the way; faults end the import, warnings are told."""

    faults: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Reader:
    """
    One JSON object.

    :param where: its path from the top, for messages; empty at the top. :param value: empty when it was no object.
    """

    where: str
    value: Mapping[str, Any]
    notes: Notes

    @classmethod
    def of(cls, where: str, value: Any, notes: Notes) -> Reader:
        """Read an object; anything else is a fault, and then as good as empty."""
        if not isinstance(value, Mapping):
            notes.faults.append(f"{where or 'canary config'}: saw {_short(value)}, expected an object.")
            value = {}
        return cls(where, value, notes)

    def path(self, key: str) -> str:
        return f"{self.where}.{key}" if self.where else key

    def fault(self, key: str, expected: str) -> None:
        """Note that a key's value is wrong."""
        seen = _short(self.value[key]) if key in self.value else "nothing"
        self.notes.faults.append(f"{self.path(key)}: saw {seen}, expected {expected}.")

    def warn(self, key: str, what: str) -> None:
        self.notes.warnings.append(f"{self.path(key)}: {what}.")

    def child(self, key: str) -> Reader:
        """Give an object; a missing one is empty."""
        return Reader.of(self.path(key), self._given(key, {}), self.notes)

    def children(self, key: str) -> Iterator[Reader]:
        """Give the objects of a list."""
        value = self._given(key, [])
        if not isinstance(value, list):
            self.fault(key, "a list of objects")
            return
        for number, one in enumerate(value):
            yield Reader.of(f"{self.path(key)}[{number}]", one, self.notes)

    def text(self, key: str, default: str = "") -> str:
        value = self._given(key, default)
        if not isinstance(value, str):
            self.fault(key, "a text")
            return default
        return value

    def needed(self, key: str) -> str:
        """Give a text that has to be there."""
        value = self._given(key, None)
        if not isinstance(value, str) or not value.strip():
            self.fault(key, "a text that is not empty")
            return ""
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        value = self._given(key, [])
        if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
            self.fault(key, "a list of texts")
            return ()
        return tuple(value)

    def choice(self, key: str, among: tuple[str, ...]) -> str:
        """Give one of a few words, the first by default; Kayenta takes a wrong word for the default, silently."""
        value = self._given(key, among[0])
        if value not in among:
            self.fault(key, f"one of {', '.join(among)}")
            return among[0]
        return str(value)

    def flag(self, key: str) -> bool:
        value = self._given(key, False)
        if not isinstance(value, bool):
            self.fault(key, "true or false")
        return value is True

    def number(
        self, key: str, *, above: float = 0.0, least: float | None = None, most: float = math.inf
    ) -> float | None:
        """Give a finite number above ``above``, or at least ``least``; None when there is none."""
        value = self._given(key, None)
        if value is None:
            return None
        bounds = (f"above {above:g}" if least is None else f"from {least:g}") + (
            f" to {most:g}" if most < math.inf else ""
        )
        good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not good or (value <= above if least is None else value < least) or value > most:
            self.fault(key, f"a number {bounds}")
            return None
        return float(value)

    def unknown(self, known: Iterable[str]) -> list[str]:
        return sorted(set(self.value) - set(known))

    def _given(self, key: str, default: Any) -> Any:
        value = self.value.get(key)
        return default if value is None else value


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
