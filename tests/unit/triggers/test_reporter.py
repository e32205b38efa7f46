"""Progress for people: what is told at once, and what may wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from cd_provider.core.finding import Finding
from cd_provider.triggers import reporter as module
from cd_provider.triggers.progress import Progress
from cd_provider.triggers.reporter import Reporter

NEWS = Progress(0, 3, 10, "errors 0.001, allowed at most 0.01: kept", 55.0, (Finding.OK, Finding.OK))


class Sink:
    """Keeps what it is given."""

    def __init__(self) -> None:
        self.given: list[Progress] = []
        self.came = asyncio.Event()

    async def __call__(self, progress: Progress) -> None:
        self.given.append(progress)
        self.came.set()

    async def next(self) -> Progress:
        """Give what comes next; much sooner than what waits for its time."""
        await asyncio.wait_for(self.came.wait(), 10)
        self.came.clear()
        return self.given[-1]


@asynccontextmanager
async def reporting(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[Reporter, Sink]]:
    """Run a reporter that told ``NEWS`` already, and tells nothing by the hour alone."""
    monkeypatch.setattr(module, "EVERY_S", 3600.0)
    monkeypatch.setattr(module, "LEAST_S", 0.0)
    sink = Sink()
    made = Reporter(sink)
    task = asyncio.create_task(made.run())
    made.put(NEWS)
    assert await sink.next() == NEWS
    try:
        yield made, sink
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


@pytest.mark.parametrize(
    "news",
    [
        pytest.param(replace(NEWS, step=1), id="another step"),
        pytest.param(replace(NEWS, weight=25), id="another share"),
        *(
            pytest.param(replace(NEWS, findings=(Finding.OK, finding)), id=f"a gate turns {finding}")
            for finding in Finding
            if finding is not Finding.OK
        ),
    ],
)
async def test_what_changes_how_the_canary_stands_is_told_at_once(
    monkeypatch: pytest.MonkeyPatch, news: Progress
) -> None:
    async with reporting(monkeypatch) as (reporter, sink):
        reporter.put(news)

        assert await sink.next() == news


async def test_other_numbers_wait_for_their_time(monkeypatch: pytest.MonkeyPatch) -> None:
    async with reporting(monkeypatch) as (reporter, sink):
        reporter.put(replace(NEWS, line="errors 0.002, allowed at most 0.01: kept", left_s=54.0))
        for _ in range(20):
            await asyncio.sleep(0)

        assert sink.given == [NEWS]


async def test_a_gate_that_flaps_is_told_once_in_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async with reporting(monkeypatch) as (reporter, sink):
        monkeypatch.setattr(module, "LEAST_S", 3600.0)
        for number in range(20):
            reporter.put(replace(NEWS, findings=((Finding.OK, Finding.BLIND)[number % 2],)))
            await asyncio.sleep(0.01)

        assert len(sink.given) == 2  # what was told before, and the first change
