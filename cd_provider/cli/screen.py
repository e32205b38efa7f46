"""What people see: tables on the standard output; bars and remarks beside it, on the standard error."""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from rich.console import Console


class Bar:
    """Counts what is done; may be told that there is more or less to do."""

    def __init__(self, progress: Any, task: Any) -> None:
        self._progress, self._task = progress, task

    def done(self, count: int = 1, *, of: int | None = None, what: str | None = None) -> None:
        """Go on; ``of``: all that there is to do, ``what``: what comes next."""
        self._progress.update(self._task, advance=count, total=of, description=what)


class Screen:
    """
    Writes for people.

    :param quiet: no bars and no remarks.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    def say(self, text: str = "") -> None:
        """Write a line of the result."""
        self._console().print(text, markup=False, highlight=False, soft_wrap=True)

    def remark(self, text: str) -> None:
        """Write a line that is not a part of the result."""
        if not self.quiet:
            self._console(stderr=True).print(text, markup=False, highlight=False, soft_wrap=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "") -> None:
        """Write a table; the first column is text, the others stand to the right."""
        from rich import box
        from rich.table import Table

        if title:
            self.say(title)
        table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
        for number, column in enumerate(columns):
            table.add_column(column, justify="right" if number else "left", no_wrap=not number)
        for row in rows:
            table.add_row(*row)
        self._console().print(table, markup=False, highlight=False)
        self.say()

    @contextmanager
    def bar(self, what: str, total: int) -> Iterator[Bar]:
        """Show how far it got, where somebody looks: not in a file or a pipe."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = self._console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        hidden = self.quiet or not console.is_terminal
        with Progress(*columns, console=console, transient=True, disable=hidden) as progress:
            yield Bar(progress, progress.add_task(what, total=total))

    def _console(self, *, stderr: bool = False) -> Console:
        from rich.console import Console

        stream = sys.stderr if stderr else sys.stdout
        width = None if stream.isatty() else 120  # a file or a pipe has no width
        return Console(file=stream, width=width)


def add_output(parser: argparse.ArgumentParser) -> None:
    """Add where the result goes."""
    parser.add_argument(
        "--json", metavar="FILE", help="write the result for machines; - is the standard output"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no bars, no remarks")


def check_writable(path: str | None) -> None:
    """
    Refuse a file that cannot be written before anything is measured for it.

    :raises ArgumentError: its folder is not there.
    """
    if path and path != "-" and not Path(path).absolute().parent.is_dir():
        raise ArgumentError(f"saw the file {path!r}, expected one in a folder that is there.")


def write_json(path: str | None, found: Mapping[str, Any]) -> None:
    """Write for machines; ``-`` is the standard output, None nothing."""
    if path is None:
        return
    text = json.dumps(found, indent=2, sort_keys=True) + "\n"
    if path == "-":
        sys.stdout.write(text)
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as err:
        raise ArgumentError(f"{path!r} cannot be written: {err.strerror}.") from err


def utc(at: float) -> str:
    """Write epoch seconds as ``2026-05-04 13:00``, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M", time.gmtime(at))


def day(at: float) -> str:
    """Write the day of epoch seconds, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(at))


def seconds_of(value: float | None) -> str:
    """Write seconds; a dash where there are none."""
    return "–" if value is None else f"{value:,.0f} s"


def share_of(value: float) -> str:
    """Write a share of runs."""
    return f"{value:.0%}".replace("%", " %")
