"""
What a judge has to reach to be trusted with deliveries, and what would be better still; each figure beside its bar.

``python -m benchmarks.canary_bench.bars out.json`` prints them of a report that was made before.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

Figures = Mapping[str, Any]


@dataclass(frozen=True)
class Bar:
    """
    One figure of a judge's.

    :param must: not kept, it is missed. :param aim: what would be better still. :param least: more is better.
    :param read: gives the figure; None where it was not measured.
    """

    name: str
    must: float
    aim: float
    read: Callable[[Figures], float | None]
    unit: str = "%"
    least: bool = False

    def kept(self, value: float, limit: float) -> bool:
        """Whether a value is on the good side of one of its limits."""
        return value >= limit if self.least else value <= limit


def at(*keys: str) -> Callable[[Figures], float | None]:
    """Read a figure by its place in the report."""

    def read(found: Figures) -> float | None:
        value: Any = found
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return None if value is None else float(value)

    return read


def gross_wrong_pass(found: Figures) -> float | None:
    """Give the larger share of gross regressions that were passed: five points more errors, or ten times as many."""
    shares = [at("wrong_pass_pct", name)(found) for name in ("errors_plus_5", "crash_loop", "errors_x10")]
    known = [one for one in shares if one is not None]
    return max(known) if known else None


BARS = (
    Bar("healthy FAIL, mean", 1.0, 0.3, at("healthy_fail_pct")),
    Bar("healthy FAIL, worst family but one-sided incidents", 2.0, 1.0, at("worst_family_two_sided", "fail_pct")),
    Bar("healthy, not promoted, 5 candidate requests a second or more", 3.0, 1.0, at("healthy_not_promoted_pct")),
    Bar("healthy, tripped", 3.0, 1.0, at("healthy_trip_pct")),
    Bar("exactly at ignore: FAIL, worst family", 5.0, 3.0, at("at_ignore_fail_pct")),
    Bar("5 s scrapes, crash loop: off traffic, median", 15.0, 10.0, at("median_off_s", "crash_loop"), "s"),
    Bar("5 s scrapes, five points more errors: FAIL, median", 60.0, 20.0, at("median_s", "errors_plus_5"), "s"),
    Bar("errors x10: detected", 95.0, 99.0, at("detected_pct", "errors_x10"), least=True),
    Bar("latency +50 %: detected", 95.0, 99.0, at("detected_pct", "latency_plus_50"), least=True),
    Bar("slow tail: detected", 85.0, 95.0, at("detected_pct", "slow_tail"), least=True),
    Bar("late, errors x10: detected", 90.0, 98.0, at("detected_pct", "late_errors_x10"), least=True),
    Bar("late, errors x10: median after onset", 300.0, 120.0, at("median_s", "late_errors_x10"), "s"),
    Bar("wrong PASS: gross regressions, worst", 1.0, 0.1, gross_wrong_pass),
    Bar("wrong PASS: slow tail", 8.0, 1.0, at("wrong_pass_pct", "slow_tail")),
    Bar("time to FAIL, times kayenta5's", 0.50, 0.25, at("time_ratio_vs_kayenta5"), "x"),
    Bar("healthy PASS, median family of 20 a second or more", 240.0, 120.0, at("healthy_pass_median_s"), "s"),
    Bar("processor time of a look", 0.5, 0.2, at("cpu_ms"), "ms"),
    Bar("1 s reads, 30 % errors: off traffic, median", 4.0, 3.0, at("median_off_s", "errors_30"), "s"),
    Bar("1 s reads, 5 % errors: off traffic, median", 30.0, 20.0, at("median_off_s", "errors_5"), "s"),
)  # fmt: skip
"""Those that the whole default set gives, and the two of the families that are read once a second."""


def measured(found: Figures) -> Iterator[tuple[Bar, float]]:
    """Give each bar whose figure is there."""
    for bar in BARS:
        if (value := bar.read(found)) is not None:
            yield bar, value


def bars_table(judge: str, found: Figures) -> Table:
    """Lay out figure, bar and aim, and whether they were reached."""
    table = Table(title=f"{judge}: what has to be reached", title_justify="left")
    table.add_column("figure")
    for column in ("measured", "must", "aim"):
        table.add_column(column, justify="right")
    for bar, value in measured(found):
        table.add_row(
            bar.name, f"{value:.4g} {bar.unit}", *(_limit(bar, value, limit) for limit in (bar.must, bar.aim))
        )
    return table


def _limit(bar: Bar, value: float, limit: float) -> str:
    sign, mark = "≥" if bar.least else "≤", "✔" if bar.kept(value, limit) else "✘"
    return f"{sign} {limit:g} {mark}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the bars of each judge in a report."""
    (path,) = sys.argv[1:] if argv is None else argv
    content = json.loads(Path(path).read_text())
    console = Console() if Console().is_terminal else Console(width=120)
    for judge, found in content["judges"].items():
        console.print(bars_table(judge, found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
