"""A clock that goes on when counters are read, and the counters and numbers that a health gate reads."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cd_provider.core.before_after import before_after
from cd_provider.core.gate import promql
from cd_provider.core.health import Outcome
from cd_provider.core.health_order import HealthOrder
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Reading, Sides
from cd_provider.core.judge_gate import judge
from cd_provider.triggers.groups import Groups
from cd_provider.triggers.health_gate import HealthWatch
from cd_provider.triggers.sources import Sources

BEGAN, SCRAPE_S = 1_700_000_000.0, 5.0
EDGES = {0.1: 0.9, 0.5: 0.99, 1.0: 1.0, float("inf"): 1.0}  # seconds → share of the requests up to it
PODS = {"c1": "candidate", "c2": "candidate", "s1": "stable", "s2": "stable"}


class Clock:
    """Goes on by so many seconds whenever somebody reads counters or numbers; else it stands still."""

    def __init__(self, at: float = BEGAN, *, step_s: float = SCRAPE_S) -> None:
        self.at, self.step_s = at, step_s

    def __call__(self) -> float:
        return self.at

    def go_on(self) -> float:
        self.at += self.step_s
        return self.at


class Traffic:
    """Counters of two pods a side, since two hours ago, each with 10 requests a second; ``bad`` by pod."""

    def __init__(self, clock: Clock, bad: Mapping[str, float]) -> None:
        self.clock, self.bad = clock, bad

    async def read(self, sides: Sides, *, since: float) -> Reading:
        now = self.clock.go_on()
        first = max(since, BEGAN - 7200) // SCRAPE_S + 1
        stamps = [SCRAPE_S * number for number in range(int(first), int(now // SCRAPE_S) + 1)]
        pods = [pod for pod in PODS if sides.side_of(pod) == PODS[pod]]
        return Reading(tuple(one for pod in pods for one in self._pod(pod, stamps)))

    def _pod(self, pod: str, stamps: list[float]) -> list[Series]:
        bad = self.bad.get(pod, 0.002)

        def series(what: str, share: float, *, is_bad: bool = False, edge: float | None = None) -> Series:
            samples = [(at, float(int(10.0 * (at - BEGAN + 7200) * share))) for at in stamps]
            return Series(f"{pod} {what}", PODS[pod], pod, samples, bad=is_bad, edge=edge)  # type: ignore[arg-type]

        buckets = [series(f"le {edge}", share, edge=edge) for edge, share in EDGES.items()]
        return [series("ok", 1.0 - bad), series("bad", bad, is_bad=True), *buckets]

    async def probe(self, sides: Sides) -> str | None:
        return None


class Rows:
    """One loader's counters: ``rate`` rows a second from ``BEGAN - 4000`` to ``ends``, so many of them bad."""

    def __init__(
        self, clock: Clock, *, before: float, after: float, rate: float = 20.0, ends: float = float("inf")
    ) -> None:
        self.clock, self.before, self.after, self.rate, self.ends = clock, before, after, rate, ends

    async def read(self, sides: Sides, *, since: float) -> Reading:
        now = self.clock.go_on()
        stamps = [at for at in self._stamps(now) if at > since]
        rows = [(at, self.rate * (at - BEGAN + 4000)) for at in stamps]
        bad = [(at, self.rate * self._bad_s(at)) for at in stamps]
        return Reading(
            (
                Series("rows", "candidate", "all", rows),
                Series("bad", "candidate", "all", bad, True, counted=True),
            ),
            missing=() if stamps else ("candidate load: no rows. Asked: rows.",),
        )

    def _stamps(self, now: float) -> list[float]:
        return [at for n in range(2000) if (at := BEGAN - 4000 + SCRAPE_S * n) <= min(now, self.ends)]

    def _bad_s(self, at: float) -> float:
        return self.before * (min(at, BEGAN) - BEGAN + 4000) + self.after * max(0.0, at - BEGAN)

    async def probe(self, sides: Sides) -> str | None:
        return None


class Numbers:
    """A metrics server that always says the same, or raises it; ``asked`` are the queries."""

    def __init__(self, clock: Clock, value: float | Exception | None) -> None:
        self.clock, self.says, self.asked = clock, value, list[str]()

    async def value(self, query: str) -> float | None:
        self.clock.go_on()
        self.asked.append(query)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says


def order(*gates: dict[str, Any], **more: Any) -> HealthOrder:
    given: dict[str, Any] = {
        "candidate": "shop-v2", "stable": "shop", "namespace": "web", "began_at": BEGAN, "until": BEGAN + 1800,
    }  # fmt: skip
    return HealthOrder.parse({"gates": list(gates), **given, **more})


async def watched(asked: HealthOrder, clock: Clock, **sources: Any) -> Outcome:
    """Watch to the end, with pods that are known already."""
    groups = Groups(asked, None)
    groups.candidate, groups.stable = ("c1", "c2"), ("s1", "s2")
    numbers = sources.pop("numbers", None)
    return await HealthWatch(asked, groups, Sources(numbers, sources), clock=clock).run()


JUDGE = judge("judge", preset="demo")
BOUND = promql("errors", query='bad{job="$candidate"}[$window]', max=0.01, every_s=0.2, window_s=300)
ROWS = before_after("rows", total="rows", bad="bad", after_s=600, every_s=0.5)
