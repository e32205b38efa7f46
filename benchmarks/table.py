"""A benchmark's figures as a table, beside their targets and beside what others needed."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from benchmarks.report import Figure, Report


def make_table(report: Report) -> Table:
    """Lay a report out: a row for each figure, a column for each other product."""
    others = list(dict.fromkeys(name for figure in report.figures for name in figure.beside))
    table = Table(title=report.title, title_justify="left")
    table.add_column("figure")
    for column in ("measured", "target", *others):
        table.add_column(column, justify="right")
    for figure in report.figures:
        cells = [beside(figure, other) for other in others]
        table.add_row(figure.label, number(figure.value, figure.unit), target(figure), *cells)
    return table


def number(value: float | None, unit: str = "") -> str:
    """Print a number with three digits that mean something; a dash when there is none."""
    if value is None:
        return "–"
    places = (
        0 if float(value).is_integer() and not unit else 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1
    )
    return f"{value:.{places}f} {unit}".rstrip()


def target(figure: Figure) -> Text:
    """Print the target and whether it was reached."""
    signs = {"at_most": "≤", "at_least": "≥"}
    text = " ".join(
        f"{signs[name]} {bound:g} {figure.unit}".rstrip() for name, bound in figure.target.items()
    )
    if figure.met is None:
        return Text("")
    return Text(f"{text} {'✔' if figure.met else '✘'}", style="green" if figure.met else "red")


def beside(figure: Figure, other: str) -> str:
    """Print another product's number, and how many times ours it is."""
    theirs = figure.beside.get(other, ())
    if not theirs:
        return ""
    said = f"{'–'.join(f'{one:g}' for one in theirs)} {figure.unit}".rstrip()
    return f"{said} ({ratio(theirs, figure.value)})" if figure.value else said


def ratio(theirs: Sequence[float], ours: float) -> str:
    """Print a number, or each end of a range, as a multiple of ours."""
    return "–".join(f"{one / ours:.1f}" for one in theirs) + "×"
