"""The demo on a terminal, and as plain lines where there is none."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from tests.demo.figures import PROMOTED, ReleaseFigures

STYLES = {
    "success": ("✔", "green"), "failed": ("✘", "red"), "skipped": ("–", "dim"), "upstream_failed": ("–", "dim"),
    "running": ("▶", "cyan"), "deferred": ("◷", "magenta"), "queued": ("…", "yellow"), "scheduled": ("…", "yellow"),
}  # fmt: skip
COLUMNS = (
    "release",
    "verdict",
    "on traffic",
    "requests",
    "failed",
    "first bad → 0 %",
    "stable restarts",
    "Dag run",
)


@dataclass
class View:
    """What there is to see of a delivery now. ``tasks``: name → state, in order."""

    title: str
    tasks: dict[str, str | None] = field(default_factory=dict)
    weight: int = 0
    line: str = ""
    answers: str = ""
    elapsed_s: float = 0.0


class Screen(Protocol):
    """Where people watch."""

    def say(self, text: str) -> None: ...
    def watching(self) -> AbstractContextManager[object]: ...
    def show(self, view: View) -> None: ...
    def table(self, releases: Sequence[ReleaseFigures]) -> None: ...


class PlainScreen:
    """A line for each change, with the seconds since the beginning."""

    def __init__(self, console: Console) -> None:
        self.console, self.began = console, time.monotonic()
        self._last: View | None = None

    def say(self, text: str) -> None:
        """Tell one thing."""
        stamp = f"[demo {time.monotonic() - self.began:6.1f} s] "
        self.console.print(stamp + text, markup=False, highlight=False, soft_wrap=True)

    def watching(self) -> AbstractContextManager[object]:
        """Begin to watch a delivery."""
        self._last = None
        return nullcontext()

    def show(self, view: View) -> None:
        """Tell what changed."""
        before = self._last if self._last and self._last.title == view.title else View(view.title)
        for task, state in view.tasks.items():
            if state and before.tasks.get(task) != state:
                self.say(f"{task}: {state}")
        if view.weight != before.weight:
            self.say(f"the route gives the candidate {view.weight} % of the requests; {view.answers}")
        if view.line and view.line != before.line:
            self.say(f"judge: {view.line}")
        self._last = view

    def table(self, releases: Sequence[ReleaseFigures]) -> None:
        """Print the figures."""
        self.console.print(make_table(releases))


class RichScreen(PlainScreen):
    """A panel for each delivery that changes in its place."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._live: Live | None = None

    def watching(self) -> AbstractContextManager[object]:
        """Begin to watch a delivery."""
        self._live = Live(console=self.console, refresh_per_second=4)
        return self._live

    def show(self, view: View) -> None:
        """Draw it anew."""
        if self._live:
            self._live.update(draw(view))


def make_screen() -> Screen:
    """Give what suits where the output goes."""
    console = Console()
    return RichScreen(console) if console.is_terminal else PlainScreen(Console(width=120))


def draw(view: View) -> RenderableType:
    """Draw a delivery as a panel."""
    tasks = Text()
    for name, state in view.tasks.items():
        mark, style = STYLES.get(state or "", ("·", "dim"))
        tasks.append(f"{mark} {name}   ", style=style)
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        "candidate", ProgressBar(total=100, completed=view.weight, width=40), f"{view.weight} %", view.answers
    )
    body = Group(tasks, bar, Text(view.line or "…", style="italic"))
    return Panel(
        body, title=view.title, title_align="left", subtitle=f"{view.elapsed_s:.0f} s", subtitle_align="right"
    )


def make_table(releases: Sequence[ReleaseFigures]) -> Table:
    """Lay the figures out."""
    table = Table(title="What the releases cost the users of the shop")
    for number, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if number < 2 else "right")
    for one in releases:
        style = "green" if one.verdict == PROMOTED else "red"
        table.add_row(
            one.version, Text(one.verdict, style=style), f"{one.on_traffic_s:.1f} s", str(one.requests),
            str(one.failed_requests), _or_dash(one.first_bad_to_zero_s, " s"), _or_dash(one.stable_restarts, ""),
            f"{one.dag_run_s:.1f} s",
        )  # fmt: skip
    return table


def _or_dash(value: float | None, unit: str) -> str:
    return "–" if value is None else f"{value:g}{unit}"
