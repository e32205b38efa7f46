"""A service whose counters grow with a clock of its own, and a judge that follows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.triggers.judge_watch import JudgeWatch
from tests.fakes import FakeCounters

BEGAN, SCRAPE_S = 10_000.0, 5.0
ABOUT: dict[str, object] = {"app": "shop", "attempt": 1}
CANDIDATE, STABLE = ("c1", "c2"), ("s1", "s2", "s3")
EDGES = {0.1: 0.9, 0.5: 0.99, 1.0: 1.0, float("inf"): 1.0}  # seconds → share of the requests up to it


class Service:
    """Pods whose counters grow with the clock; ``bad`` is the candidate's, ``apart_s`` between scrapes of two pods."""

    def __init__(self, bad: float, per_second: float = 10.0, *, apart_s: float = 0.0) -> None:
        self.bad, self.per_second, self.now, self.apart_s = bad, per_second, BEGAN, apart_s
        self.source = FakeCounters()
        self.wake = asyncio.Event()

    def clock(self) -> float:
        return self.now

    def scrape(self, since: float) -> None:
        """Make every sample from ``since`` until now."""
        stamps = [since + SCRAPE_S * n for n in range(int((self.now - since) / SCRAPE_S) + 1)]
        self.source.series = [
            one
            for number, pod in enumerate((*CANDIDATE, *STABLE))
            for one in self._pod(pod, [at + number * self.apart_s for at in stamps])
        ]

    def _pod(self, pod: str, stamps: list[float]) -> list[Series]:
        ours = pod in CANDIDATE
        seen = [at for at in stamps if not ours or at >= BEGAN]
        done = [(at, self.per_second * (at - (BEGAN if ours else BEGAN - 7200.0))) for at in seen]
        bad = self.bad if ours else 0.002
        side = "candidate" if ours else "stable"

        def series(what: str, share: float, *, is_bad: bool = False, edge: float | None = None) -> Series:
            samples = [(at, float(int(total * share))) for at, total in done]
            return Series(f"{pod} {what}", side, pod, samples, bad=is_bad, edge=edge)  # type: ignore[arg-type]

        buckets = [series(f"le {edge}", share, edge=edge) for edge, share in EDGES.items()]
        return [series("ok", 1.0 - bad), series("bad", bad, is_bad=True), *buckets]

    def watch(
        self, about: dict[str, object] | None = None, *, max_s: float = 1800.0, **given: str
    ) -> JudgeWatch:
        gate = JudgeGate.parse(judge(preset="demo", **given))  # type: ignore[arg-type]
        sides = Sides("shop", "shop-candidate", "shop", CANDIDATE, STABLE)
        return JudgeWatch(
            gate,
            self.source,
            sides=lambda: sides,
            clock=self.clock,
            wake=self.wake,
            max_s=max_s,
            about=about,
        )


async def look(service: Service, watch: JudgeWatch) -> None:
    """Let it look once."""
    service.wake.clear()
    task = asyncio.create_task(watch.run())
    await asyncio.wait_for(service.wake.wait(), 20)
    task.cancel()


async def follow(service: Service, watch: JudgeWatch, until: Callable[[], bool], *, at_most_s: float) -> None:
    """Let time go on, scrape by scrape."""
    while not until() and service.now < BEGAN + at_most_s:
        service.now += SCRAPE_S
        service.scrape(BEGAN - 3600.0)
        await look(service, watch)
    assert until(), watch.state
