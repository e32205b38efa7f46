"""The figures as a table for people: a row for each judge."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from benchmarks.canary_bench.regressions import HARMFUL, QUICK

SHORT = {
    "errors_x2": "err x2",
    "errors_x10": "err x10",
    "errors_plus_5": "+5 pp",
    "crash_loop": "crash",
    "latency_plus_10": "lat +10 %",
    "latency_plus_50": "lat +50 %",
    "slow_tail": "tail",
    "late_errors_x10": "late",
    "errors_30": "30 %",
    "errors_5": "5 %",
}


def healthy_table(content: Mapping[str, Any]) -> Table:
    """Lay out what judges did to healthy candidates, and to one that is exactly as much worse as is to be ignored."""
    table = Table(
        title=f"healthy candidates, {content['runs']} runs a family", title_justify="left", min_width=80
    )
    table.add_column("judge")
    for column in (
        "FAIL % (95 %)",
        "inconcl. %",
        "trips %",
        "worst family",
        "worst two-sided",
        "at ignore",
        "PASS s",
    ):
        table.add_column(column, justify="right")
    for name, found in content["judges"].items():
        low, high = found["healthy_fail_interval_pct"]
        table.add_row(
            name, f"{number(found['healthy_fail_pct'])} ({low:.1f}–{high:.1f})",
            number(found["healthy_inconclusive_pct"]), number(found["healthy_trip_pct"]),
            family(found["worst_family"]), family(found["worst_family_two_sided"]),
            family(found["at_ignore_worst_family"]), number(found["healthy_pass_median_s"]),
        )  # fmt: skip
    return table


def harmful_table(content: Mapping[str, Any]) -> Table:
    """Lay out what judges did to bad candidates."""
    title = f"bad candidates, {content['harmful_runs']} runs a family: detected % median s (passed %)"
    table = Table(title=title, title_justify="left")
    table.add_column("judge")
    wanted = [
        one.name
        for one in (*HARMFUL, *QUICK)
        if any(one.name in it["median_s"] for it in content["judges"].values())
    ]
    for name in wanted:
        table.add_column(SHORT[name], justify="right")
    table.add_column("time ratio", justify="right")
    table.add_column("ms a look", justify="right")
    for judge, found in content["judges"].items():
        cells = [bad(found, name) for name in wanted]
        table.add_row(judge, *cells, number(found["time_ratio_vs_kayenta5"]), f"{found['cpu_ms']:.3f}")
    return table


def bad(found: Mapping[str, Any], regression: str) -> str:
    """Print one cell."""
    seconds = found["median_s"][regression]
    after = "–" if seconds is None else f"{seconds:.0f}"
    return f"{found['detected_pct'][regression]:.0f} {after} ({found['wrong_pass_pct'][regression]:.0f})"


def family(worst: Mapping[str, Any] | None) -> str:
    """Print the worst family."""
    return "–" if worst is None else f"{worst['fail_pct']:.0f} (≤ {worst['upper_pct']:.0f}) {worst['name']}"


def number(value: float | None) -> str:
    """Print a number with three digits; a dash when there is none."""
    return "–" if value is None else f"{value:.3g}"
