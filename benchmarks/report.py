"""What a benchmark found: figures with their targets, and every sample that they were made of."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

BUILD = Path(__file__).parents[1] / "build" / "bench"


@dataclass(frozen=True, kw_only=True)
class Figure:
    """
    One number.

    :param key: its name in the JSON; ``label`` the one in the table.
    :param value: None when it could not be measured.
    :param unit: such as ``s`` or ``MiB``; empty for a count.
    :param at_most: the target, or ``at_least``; none is a figure that only informs.
    :param beside: other product → what it needed for the same: one number, or the two ends of a range.
    """

    key: str
    label: str
    value: float | None
    unit: str = "s"
    at_most: float | None = None
    at_least: float | None = None
    beside: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def target(self) -> dict[str, float]:
        """The target as the JSON has it; empty when there is none."""
        bounds = {"at_most": self.at_most, "at_least": self.at_least}
        return {name: bound for name, bound in bounds.items() if bound is not None}

    @property
    def met(self) -> bool | None:
        """Whether the target was reached; None when there is none. What could not be measured did not reach it."""
        if not self.target:
            return None
        if self.value is None:
            return False
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )


@dataclass(frozen=True, kw_only=True)
class Report:
    """
    One benchmark's result.

    :param settings: what has to be the same when somebody measures it again.
    :param notes: sentences below the table.
    """

    name: str
    title: str
    figures: Sequence[Figure]
    samples: Sequence[Mapping[str, Any]]
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    def as_dict(self, *, when: datetime, machine: Mapping[str, Any]) -> dict[str, Any]:
        """Give plain JSON."""
        return {
            "name": self.name,
            "when": when.isoformat(timespec="seconds"),
            "machine": dict(machine),
            "figures": {one.key: one.value for one in self.figures},
            "targets": {one.key: one.target for one in self.figures if one.target},
            "beside": {one.key: dict(one.beside) for one in self.figures if one.beside},
            "settings": dict(self.settings),
            "notes": list(self.notes),
            "samples": list(self.samples),
        }


def machine() -> dict[str, Any]:
    """Say what it was measured on, and how busy that was: figures of a loaded machine say little."""
    return {"cores": os.cpu_count(), "cpu": _cpu_name(), "load_1m": round(os.getloadavg()[0], 2)}


def _cpu_name() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown"


def write(report: Report, machine: Mapping[str, Any], folder: Path = BUILD) -> Path:
    """Write ``<name>.json``, and give its path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{report.name}.json"
    content = report.as_dict(when=datetime.now(UTC), machine=machine)
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return path
