"""
Measure speed and cost of the product; print tables, write build/bench/<name>.json.

``python -m benchmarks`` runs all, ``python -m benchmarks abort imports --runs 3`` two of them, each shorter.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console

from benchmarks.progress import say
from benchmarks.report import BUILD, Report, machine, write
from benchmarks.table import make_table

NAMES = {
    "imports": "what importing the provider costs over Airflow itself",
    "exposition": "a gateway's page of metrics, to the series that a judge wants",
    "abort": "from the verdict to weight 0",
    "exposure": "from the first bad answer to weight 0, and healthy deliveries with the same gate",
    "delivery": "a whole delivery under a real Airflow",
    "many": "200 judged canaries in one triggerer",
    "judged": "a judge before bad candidates, healthy deliveries, and pods that were recorded",
}
BY_NAME = {
    "judged_long": "the same in full, with an hour of recording; by name only",
}
EVERY = {**NAMES, **BY_NAME}


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 when everything could be measured, whatever the figures."""
    given = parse(argv)
    # A home of its own before Airflow is first imported: the user's is neither read nor written.
    os.environ.update(
        AIRFLOW_HOME=str(BUILD / "airflow-home"),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__LOGGING__LOGGING_LEVEL="ERROR",  # each bad verdict is a warning, and here they are all wanted
    )
    reports: list[Report] = []
    where = machine()  # before anything of ours makes it busy
    for name in given.names or NAMES:
        say(f"{name}: {EVERY[name]}")
        try:
            report: Report = importlib.import_module(f"benchmarks.{name}").run(given.runs)
        except Exception:
            traceback.print_exc()
            say(f"{name}: could not be measured")
            continue
        path = write(report, where)
        say(f"{name}: {path.relative_to(BUILD.parents[1])}")
        reports.append(report)
    show(reports, where)
    return 0 if len(reports) == len(given.names or NAMES) else 1


def show(reports: Sequence[Report], where: Mapping[str, Any]) -> None:
    """Print all tables together, at the end."""
    terminal = Console()
    console = terminal if terminal.is_terminal else Console(width=120)
    for report in reports:
        console.print()
        console.print(make_table(report))
        for note in report.notes:
            console.print(f"  {note}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        f"\n  {where['cores']} cores, {where['cpu']}; load before it began: {where['load_1m']}. "
        f"The same with every sample: {BUILD.relative_to(BUILD.parents[1])}/*.json",
        highlight=False, soft_wrap=True,
    )  # fmt: skip


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = ", ".join(f"{name} ({what})" for name, what in EVERY.items())
    parser.add_argument("names", nargs="*", metavar="name", help=f"default: all but the last of {known}")
    parser.add_argument(
        "--runs", type=int, help="how often each is repeated; default: each benchmark's own number"
    )
    given = parser.parse_args(argv)
    for name in given.names:
        if name not in EVERY:
            parser.error(f"there is no benchmark {name!r}, but {', '.join(EVERY)}")
    if given.runs is not None and given.runs < 1:
        parser.error(f"--runs {given.runs} measures nothing")
    return given


if __name__ == "__main__":
    sys.exit(main())
