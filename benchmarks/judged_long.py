"""The same as ``judged``, in full: 20 healthy deliveries, an hour recorded, 200 splits; asked for by name."""

from __future__ import annotations

from benchmarks import judged
from benchmarks.report import Report


def run(runs: int | None = None) -> Report:
    """Measure all of it; with ``runs`` as short as ``judged`` would be."""
    return judged.measure(judged.LONG if runs is None else judged.shorter(runs), name="judged_long")
