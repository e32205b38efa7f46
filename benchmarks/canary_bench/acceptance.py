"""
The four figures that a canary judge was promised to reach, measured; each on a service of its own.

- healthy at 1, 6 and 60 requests a minute for 25 minutes: failed in at most 1 % of the runs;
- 5 % errors instead of 0.1 % at five requests a second: off traffic after 18 s in the median, 60 s in 99 of 100;
- 50 %: fewer than 25 requests of users fail;
- all latencies 20 % longer, three pods beside three: failed within 30 min in 92 % of the runs or more.

``verdict`` is a tidy scrape of all pods every five seconds, the first one five seconds after the first user; ``live5``
and ``live1`` are scrapes at odd moments, see :mod:`~benchmarks.canary_bench.live`.

``python -m benchmarks.canary_bench.acceptance --runs 1000 --seed 2 --json out.json``

Exit code 1 when one of them is missed.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.canary_bench.families import MILD
from benchmarks.canary_bench.family import Family
from benchmarks.canary_bench.generate import record
from benchmarks.canary_bench.judges.ours import HISTORY_S, OurEntry, Ticks
from benchmarks.canary_bench.live import Stopped, live
from benchmarks.canary_bench.measures import failed, passed, seconds_to_fail
from benchmarks.canary_bench.outcome import Outcome, follow
from benchmarks.canary_bench.regressions import HEALTHY, Regression
from benchmarks.canary_bench.samples import HORIZON_S, Setting
from benchmarks.canary_bench.wilson import wilson
from cd_provider.core.judge.counts import Tick

SHORT_S = 1500.0
TO_5 = Regression(name="to_5", number=21, errors_to=0.05)
TO_50 = Regression(name="to_50", number=22, errors_to=0.50)
SLOWER_20 = Regression(name="slower_20", number=23, slow_times=1.20)
NEVER_S = 600
"""As long as a canary of :func:`~benchmarks.canary_bench.live.live` is run."""


def seldom(number: int, per_minute: float) -> Family:
    """Give a service whose candidate gets so many requests a minute, of which one in a hundred fails anywhere."""
    rate = per_minute / 60.0 / 0.10
    return Family(
        name=f"{per_minute:g}-a-minute", number=number, rate=rate, fresh=False, errors=0.01, pod=MILD
    )


SELDOM = tuple(seldom(100 + number, each) for number, each in enumerate((1.0, 6.0, 60.0)))
QUICK = tuple(
    Family(
        name=f"five-a-second, {pods} pod(s)", number=110 + pods, rate=50.0, candidate_pods=pods, fresh=False,
        interval_s=1.0,
    )
    for pods in (1, 2, 3)
)  # fmt: skip
TIDY = tuple(replace(one, number=one.number + 3, interval_s=5.0) for one in QUICK)
SLOW = (
    Family(name="three-and-three", number=120, rate=50.0, fresh=False),
    Family(name="three-and-three-mild", number=121, rate=50.0, fresh=False, pod=MILD),
)


@dataclass(frozen=True)
class Cell:
    """What is run: ``what`` names a maker in ``MAKERS``."""

    what: str
    family: Family
    regression: Regression


CELLS = (
    *(Cell("verdict", family, HEALTHY) for family in SELDOM),
    *(Cell(what, family, bad) for what in ("live5", "live1") for family in QUICK for bad in (TO_5, TO_50)),
    *(Cell("verdict", family, SLOWER_20) for family in SLOW),
    *(Cell("verdict", family, TO_5) for family in TIDY),
)


def verdict(cell: Cell, seed: int, run: int) -> Outcome:
    """Show the judge one run, tidy scrapes every five seconds, with the hour before."""
    max_s = SHORT_S if cell.regression is HEALTHY else HORIZON_S
    made = record(cell.family, cell.regression, seed=seed, run=run, history_s=HISTORY_S)
    setting = Setting(interval_s=cell.family.interval_s, max_s=max_s)
    judge, ticks = OurEntry().begin(made, setting)
    return follow(judge, Upto(ticks, max_s))


@dataclass
class Upto:
    """What a judge is shown, until the canary is over."""

    ticks: Ticks
    max_s: float

    def __iter__(self) -> Iterator[Tick]:
        return takewhile(lambda tick: tick.at <= self.max_s, self.ticks)

    def leave(self, away_s: float) -> None:
        """Take the candidate off traffic."""
        self.ticks.leave(away_s)


def live5(cell: Cell, seed: int, run: int) -> Stopped:
    """Scrapes every five seconds, read every two, as with Prometheus."""
    return live(cell.family, cell.regression, seed=seed, run=run, upto_s=NEVER_S, scrape_s=5, read_s=2)


def live1(cell: Cell, seed: int, run: int) -> Stopped:
    """Read every second, as with the pods' own pages."""
    return live(cell.family, cell.regression, seed=seed, run=run, upto_s=NEVER_S, scrape_s=1, read_s=1)


MAKERS: dict[str, Callable[[Cell, int, int], Any]] = {"verdict": verdict, "live5": live5, "live1": live1}


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One figure beside what was promised.

    :param low: :param high: of its 95 % interval; of a share.
    """

    row: str
    told: str
    value: float
    wanted: str
    kept: bool
    low: float | None = None
    high: float | None = None


def share(
    row: str, told: str, hits: int, of: int, *, most: float | None = None, least: float | None = None
) -> Figure:
    """Give a share in per cent with its interval; kept by what was measured, whatever the interval."""
    value, (low, high) = 100.0 * hits / of, wilson(hits, of)
    kept = (most is None or value <= most) and (least is None or value >= least)
    wanted = (
        f"at most {most:g} %" if most is not None else f"at least {least:g} %" if least is not None else ""
    )
    return Figure(row, told, value, wanted, kept, 100.0 * low, 100.0 * high)


def at_most(row: str, told: str, value: float, most: float) -> Figure:
    """Give a figure that may be as large as ``most``."""
    return Figure(row, told, value, f"at most {most:g}", value <= most)


def quantile(values: Sequence[float], part: float) -> float:
    """Give the smallest of the values that at least so large a part of them does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, -(-int(part * 1000) * len(ordered) // 1000) - 1)]


def figures(cell: Cell, found: Sequence[Any]) -> list[Figure]:
    """Say how one cell came out."""
    name, of = f"{cell.family.name}, {cell.regression.name}, {cell.what}", len(found)
    if cell.regression is HEALTHY:
        return [
            share(name, "healthy, failed", sum(map(failed, found)), of, most=1.0),
            share(name, "healthy, passed", sum(map(passed, found)), of),
        ]
    if cell.regression is SLOWER_20:
        seen = sum(seconds_to_fail(one, "latency_plus_10") is not None for one in found)
        return [
            share(name, "failed within 30 min", seen, of, least=92.0),
            share(name, "passed first", sum(map(passed, found)), of),
        ]
    if cell.regression is TO_50:
        once, every = [one.once for one in found], [one.failed for one in found]
        return [
            share(name, "fewer than 25 failed, until it is off", sum(one < 25 for one in once), of),
            at_most(name, "failed until it is off, median", quantile(once, 0.5), 24),
            at_most(name, "failed until it is off, 99 %", quantile(once, 0.99), 24),
            at_most(name, "failed with its return, median", quantile(every, 0.5), 24),
            at_most(name, "failed with its return, 99 %", quantile(every, 0.99), 24),
        ]
    times = [_off_s(one) for one in found]
    return [
        at_most(name, "s to the stop, median", quantile(times, 0.5), 18),
        at_most(name, "s to the stop, 99 %", quantile(times, 0.99), 60),
        share(name, "stopped within 60 s", sum(one <= 60 for one in times), of),
    ]


def _off_s(one: Stopped | Outcome) -> float:
    """Give when the candidate was first taken off traffic."""
    known = one.off_s if isinstance(one, Stopped) else one.trip_s if one.trip_s is not None else one.fail_s
    return NEVER_S if known is None else known


def chunk(what: tuple[int, int, range]) -> list[Any]:
    """Run a few of one cell, in whatever process."""
    number, seed, runs = what
    cell = CELLS[number]
    return [MAKERS[cell.what](cell, seed, run) for run in runs]


def measure(
    cells: Sequence[int], *, seed: int, runs: int, first: int = 0, processes: int | None = None
) -> list[Figure]:
    """Run these of ``CELLS``, and give every figure; ``first`` is the number of the first run."""
    end = first + runs
    work = [
        (number, seed, range(start, min(start + 25, end)))
        for number in cells
        for start in range(first, end, 25)
    ]
    workers = processes or os.cpu_count() or 1
    if workers == 1:
        done = [chunk(one) for one in work]
    else:
        with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
            done = list(pool.map(chunk, work))
    by_cell: dict[int, list[Any]] = {number: [] for number in cells}
    for (number, _, _), some in zip(work, done, strict=True):
        by_cell[number] += some
    return [one for number in cells for one in figures(CELLS[number], by_cell[number])]


def table(found: Sequence[Figure], *, runs: int, seed: int) -> Table:
    """Show them."""
    made = Table(
        "service, candidate, reads",
        "figure",
        "measured",
        "95 %",
        "wanted",
        "",
        title=f"{runs} runs, seed {seed}",
    )
    for one in found:
        interval = f"{one.low:.1f} – {one.high:.1f}" if one.low is not None else ""
        word = "" if not one.wanted else "kept" if one.kept else "MISSED"
        made.add_row(one.row, one.told, f"{one.value:.1f}", interval, one.wanted, word)
    return made


def main(argv: Sequence[str] | None = None) -> int:
    """Run what was asked for; 1 when a figure is missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.canary_bench.acceptance", description=__doc__)
    parser.add_argument("--seed", type=int, default=2)
    parser.add_argument("--runs", type=int, default=1000, help="of each service; default: 1000")
    parser.add_argument("--first", type=int, default=0, help="number of the first run, to go on after others")
    parser.add_argument(
        "--cells", default=",".join(map(str, range(len(CELLS)))), help="numbers, with commas between"
    )
    parser.add_argument("--processes", type=int, help="default: one a core")
    parser.add_argument("--json", type=Path, help="where to write the figures")
    given = parser.parse_args(argv)
    cells = [int(one) for one in given.cells.split(",")]
    found = measure(cells, seed=given.seed, runs=given.runs, first=given.first, processes=given.processes)
    (Console() if Console().is_terminal else Console(width=160)).print(
        table(found, runs=given.runs, seed=given.seed)
    )
    if given.json is not None:
        content = {
            "seed": given.seed,
            "first": given.first,
            "runs": given.runs,
            "figures": [_plain(one) for one in found],
        }
        given.json.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")
    return 0 if all(one.kept for one in found) else 1


def _plain(one: Figure) -> dict[str, Any]:
    return {name: getattr(one, name) for name in Figure.__slots__}


if __name__ == "__main__":
    sys.exit(main())
