"""
Measure canary judges on simulated services; print tables, write JSON and a picture.

``python -m benchmarks.canary_bench --seed 2 --runs 100 --judge kayenta5,flagger --json out.json``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.canary_bench import families, judges, regressions
from benchmarks.canary_bench.bars import bars_table
from benchmarks.canary_bench.families import FAMILIES
from benchmarks.canary_bench.judges import JUDGES
from benchmarks.canary_bench.plot import picture
from benchmarks.canary_bench.regressions import REGRESSIONS
from benchmarks.canary_bench.report import as_dict
from benchmarks.canary_bench.run import Plan, run
from benchmarks.canary_bench.table import harmful_table, healthy_table


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; 0 whatever the figures."""
    given = parse(argv)
    plan = Plan(
        seed=given.seed, runs=given.runs, harmful_runs=given.harmful_runs or given.runs, judges=given.judge,
        families=given.family, regressions=given.regression,
    )  # fmt: skip
    rows = run(plan, processes=given.processes)
    content = as_dict(plan, rows)
    console = Console() if Console().is_terminal else Console(width=180)
    console.print(healthy_table(content))
    console.print(harmful_table(content))
    if "ours" in content["judges"]:
        console.print(bars_table("ours", content["judges"]["ours"]))
    console.print(f"Making a run took {content['generate_ms']} ms of a core.", highlight=False)
    if given.json is not None:
        given.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
        given.json.with_suffix(".svg").write_text(picture(rows))
    return 0


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canary_bench", description=__doc__)
    parser.add_argument("--seed", type=int, default=2, help="1, 3 and 4 are for choosing numbers; default: 2")
    parser.add_argument("--runs", type=int, default=100, help="of each family; default: 100")
    parser.add_argument("--harmful-runs", type=int, help="of each family and regression; default: as --runs")
    add_names(parser, "judge", JUDGES, judges.DEFAULT)
    add_names(parser, "family", FAMILIES, families.DEFAULT)
    add_names(parser, "regression", REGRESSIONS, regressions.DEFAULT)
    parser.add_argument("--processes", type=int, help="default: one a core")
    parser.add_argument("--json", type=Path, help="where to write the figures; a picture beside it, .svg")
    given = parser.parse_args(argv)
    if given.runs < 1 or (given.harmful_runs is not None and given.harmful_runs < 1):
        parser.error("less than one run measures nothing")
    return given


def add_names(
    parser: argparse.ArgumentParser, name: str, known: Iterable[str], default: tuple[str, ...]
) -> None:
    """Add an option that takes some of the names that are known."""
    told = f"default: {', '.join(default)}"
    more = [other for other in known if other not in default]
    told += f"; beside these: {', '.join(more)}" if more else ""
    parser.add_argument(f"--{name}", type=Names(known), default=default, help=told)


class Names:
    """Read names, with commas between."""

    def __init__(self, known: Iterable[str]) -> None:
        self.known = tuple(known)

    def __call__(self, text: str) -> tuple[str, ...]:
        names = tuple(text.split(","))
        for name in names:
            if name not in self.known:
                raise argparse.ArgumentTypeError(f"there is no {name!r}, but {', '.join(self.known)}")
        return names


if __name__ == "__main__":
    sys.exit(main())
