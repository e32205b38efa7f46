"""Run the judges on the families: every judge sees the same scrapes."""

from __future__ import annotations

import multiprocessing
import os
import time
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from typing import TypeVar

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.canary_bench.families import FAMILIES
from benchmarks.canary_bench.family import Family
from benchmarks.canary_bench.generate import record
from benchmarks.canary_bench.judges import JUDGES
from benchmarks.canary_bench.outcome import Outcome, follow
from benchmarks.canary_bench.regressions import REGRESSIONS, Regression
from benchmarks.canary_bench.samples import Setting
from benchmarks.progress import CONSOLE

T = TypeVar("T")
CHUNK = 10
"""Runs that one process does before it reports."""


@dataclass(frozen=True)
class Plan:
    """
    What to run.

    :param runs: of each family, healthy. :param harmful_runs: of each family and regression.
    """

    seed: int
    runs: int
    harmful_runs: int
    judges: tuple[str, ...]
    families: tuple[str, ...]
    regressions: tuple[str, ...]

    @property
    def history_s(self) -> float:
        """The longest history that any of the judges wants."""
        return max(JUDGES[name].history_s for name in self.judges)


@dataclass(frozen=True)
class Chunk:
    """A few runs of one family and regression."""

    family: str
    regression: str
    first: int
    upto: int


@dataclass(frozen=True, slots=True)
class Row:
    """One judge on one run, which took ``made_s`` of a core to make."""

    judge: str
    family: str
    regression: str
    run: int
    outcome: Outcome
    made_s: float


def chunks(plan: Plan) -> Iterator[Chunk]:
    """Cut the work; the longest last would leave a core idle, so that slow families come first."""
    for family in sorted(plan.families, key=lambda name: FAMILIES[name].interval_s):
        for regression in plan.regressions:
            runs = plan.runs if regression in ("healthy", "at_ignore") else plan.harmful_runs
            for first in range(0, runs, CHUNK):
                yield Chunk(family, regression, first, min(first + CHUNK, runs))


def run_chunk(plan: Plan, chunk: Chunk) -> list[Row]:
    """Run one, in whatever process."""
    family, regression = FAMILIES[chunk.family], REGRESSIONS[chunk.regression]
    return [row for run in range(chunk.first, chunk.upto) for row in run_one(plan, family, regression, run)]


def run_one(plan: Plan, family: Family, regression: Regression, run: int) -> Iterator[Row]:
    """Show one run to each judge."""
    began = time.process_time()
    made = record(family, regression, seed=plan.seed, run=run, history_s=plan.history_s)
    made_s = time.process_time() - began
    setting = Setting(interval_s=family.interval_s, min_s=regression.min_s)
    for name in plan.judges:
        began = time.process_time()
        judge, feed = JUDGES[name].begin(made, setting)
        outcome = follow(judge, feed, begin_s=time.process_time() - began)
        yield Row(name, family.name, regression.name, run, outcome, made_s)


def run(plan: Plan, *, processes: int | None = None) -> list[Row]:
    """Run all, on all cores unless told otherwise; rows come back in an order that does not depend on that."""
    work = list(chunks(plan))
    workers = processes or os.cpu_count() or 1
    if workers == 1:
        return in_order(row for chunk in track(work) for row in run_chunk(plan, chunk))
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn")) as pool:
        waiting = [pool.submit(run_chunk, plan, chunk) for chunk in work]
        done = (one.result() for one in as_completed(waiting))
        return in_order(row for rows in track(done, total=len(work)) for row in rows)


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Sort rows by what they are of."""
    return sorted(rows, key=lambda row: (row.judge, row.family, row.regression, row.run))


def track(items: Iterable[T], *, total: int | None = None) -> Iterator[T]:
    """Show a bar while going through the chunks."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=CONSOLE) as bar:
        count = total if total is not None else len(items) if isinstance(items, Sequence) else None
        yield from bar.track(items, total=count, description="canary-bench")
