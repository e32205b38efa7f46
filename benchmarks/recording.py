"""
A recording of healthy pods: what the product's own direct reader saw of their counters, once a second.

Made by a process of its own beside other canaries; kept in ``build/bench/*.json.gz``, to be judged again at any time.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context, parent_process
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Self

from cd_provider.adapters.metrics import open_counter_source
from cd_provider.core.judge.presets import DEMO
from cd_provider.core.judge.series import Series, Side
from cd_provider.core.judge.sides import Sides, sides_of
from cd_provider.exceptions import CdProviderError

EVERY_S = 1.0
AS_CANDIDATE = 2  # a reader looks at six pods of a side at most, so two of the eight stand on the other side


@dataclass(frozen=True, slots=True)
class Counter:
    """One series without its samples; fields as in :class:`Series`."""

    id: str
    bad: bool
    edge: float | None


@dataclass
class Recording:
    """
    Every sample of some pods.

    :param about: what was recorded: rate, error share. :param counters: pod → its series, in the order of a row.
    :param rows: pod → rows of a stamp (epoch seconds) and the value of each of its series; None: it was not there.
    :param missed: reads that gave nothing, by what they said.
    """

    about: Mapping[str, Any] = field(default_factory=dict)
    counters: dict[str, list[Counter]] = field(default_factory=dict)
    rows: dict[str, list[list[float | None]]] = field(default_factory=dict)
    missed: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, series: Iterable[Series]) -> None:
        """Take one read."""
        seen: dict[tuple[str, float], dict[str, float]] = defaultdict(dict)
        for one in series:
            known = self.counters.setdefault(one.pod, [])
            if all(one.id != counter.id for counter in known):
                known.append(Counter(one.id, one.bad, one.edge))
            for at, value in one.samples:
                seen[one.pod, at][one.id] = value
        for (pod, at), values in seen.items():
            row = [values.get(counter.id) for counter in self.counters[pod]]
            self.rows.setdefault(pod, []).append([round(at, 4), *row])

    @property
    def pods(self) -> list[str]:
        """Whose it is."""
        return sorted(self.rows)

    @property
    def span(self) -> tuple[float, float]:
        """Since when and until when every pod was read, epoch seconds."""
        return max(rows[0][0] or 0.0 for rows in self.rows.values()), min(
            rows[-1][0] or 0.0 for rows in self.rows.values()
        )

    def series(self, pods: Mapping[str, Side], *, since: float, until: float) -> Iterator[Series]:
        """
        Give what a reader would have: every series of these pods with its samples in (since, until].

        They are ``old``: every pod had served for a while before it was recorded.
        """
        for pod, side in pods.items():
            rows = [row for row in self.rows[pod] if since < (row[0] or 0.0) <= until]
            for number, counter in enumerate(self.counters[pod], 1):
                samples = tuple(
                    (row[0] or 0.0, value) for row in rows if (value := _at(row, number)) is not None
                )
                yield Series(counter.id, side, pod, samples, counter.bad, counter.edge, old=True)

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        counters = {
            pod: [_named(asdict(counter)) for counter in known] for pod, known in self.counters.items()
        }
        return {"about": self.about, "counters": counters, "rows": self.rows, "missed": self.missed}

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> Self:
        """Read what :meth:`as_dict` gave."""
        counters = {pod: [_read(one) for one in known] for pod, known in value["counters"].items()}
        return cls(value["about"], counters, dict(value["rows"]), dict(value["missed"]))

    def write(self, path: Path) -> None:
        """Keep it."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with gzip.open(path, "wt") as out:
            json.dump(self.as_dict(), out)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what :meth:`write` kept."""
        with gzip.open(path, "rt") as text:
            return cls.parse(json.load(text))


def _at(row: Sequence[float | None], number: int) -> float | None:
    return row[number] if number < len(row) else None


def _named(counter: dict[str, Any]) -> dict[str, Any]:
    edge = counter["edge"]
    return {**counter, "edge": None if edge is None else str(edge)}  # JSON has no infinity


def _read(counter: Mapping[str, Any]) -> Counter:
    edge = counter["edge"]
    return Counter(counter["id"], counter["bad"], None if edge is None else float(edge))


@dataclass(frozen=True)
class Job:
    """What one recorder needs: whose pods, by which connection, into which file."""

    conn_id: str
    namespace: str
    pods: Sequence[str]
    about: Mapping[str, Any]
    path: Path

    @property
    def sides(self) -> Sides:
        """All pods, as two sides: only so are eight of them read."""
        return sides_of(
            DEMO, self.namespace, "shop", candidate_pods=self.pods[:AS_CANDIDATE], stable_pods=self.pods[AS_CANDIDATE:],
        )  # fmt: skip


@contextmanager
def recorded(jobs: Sequence[Job], *, at_least_s: float) -> Iterator[None]:
    """
    Record meanwhile, in a process of its own.

    At the end it goes on until ``at_least_s`` have passed since its beginning, and the files are there.
    """
    context = get_context("spawn")
    enough = context.Event()
    process = context.Process(target=_record_all, args=(jobs, enough, at_least_s))
    process.start()
    failed = True
    try:
        yield
        failed = False
    finally:
        enough.set()
        if failed:
            process.terminate()
        process.join()
    if process.exitcode:
        raise RuntimeError(f"the recorder ended with code {process.exitcode}; its own words stand above")


def _record_all(jobs: Sequence[Job], enough: Event, at_least_s: float) -> None:
    asyncio.run(_together(jobs, enough, time.monotonic() + at_least_s))


async def _together(jobs: Sequence[Job], enough: Event, until: float) -> None:
    async with asyncio.TaskGroup() as group:
        for job in jobs:
            group.create_task(_record(job, enough, until))


async def _record(job: Job, enough: Event, until: float) -> None:
    found, due = Recording(dict(job.about)), time.monotonic()
    async with open_counter_source("direct", job.conn_id, DEMO) as source:
        while (time.monotonic() < until or not enough.is_set()) and _is_wanted():
            try:
                found.add((await source.read(job.sides, since=0.0)).series)
            except CdProviderError as err:
                found.missed[type(err).__name__] += 1
            due = max(due + EVERY_S, time.monotonic() - EVERY_S)  # what was slow is not made up for
            await asyncio.sleep(max(0.0, due - time.monotonic()))
    found.write(job.path)


def _is_wanted() -> bool:
    """Say whether the benchmark is still there; one that was killed wants no recording."""
    parent = parent_process()
    return parent is not None and parent.is_alive()
