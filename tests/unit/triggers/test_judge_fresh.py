"""A judge beside a baseline as young as the candidate: whom it asks, and what it makes of a baseline that is silent."""

from __future__ import annotations

from dataclasses import replace

from cd_provider.core.finding import Finding
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.triggers.judge_watch import JudgeWatch
from tests.unit.triggers.judged_service import BEGAN, CANDIDATE, STABLE, Service, follow, look

BASELINE = ("b1", "b2")


class Young(Service):
    """
    A service with a baseline besides: ``cold`` is its error share, and its pods began with the candidate's.

    :param busy: how many times as many requests as usual each pod has.
    """

    def __init__(self, bad: float, *, cold: float, busy: float = 1.0) -> None:
        super().__init__(bad)
        self.cold, self.busy, self.silent, self.ready = cold, busy, False, True

    def scrape(self, since: float) -> None:
        super().scrape(since)
        told, self.bad = self.bad, self.cold
        stamps = sorted({at for one in self.source.series for at, _ in one.samples})
        theirs = [one for pod in CANDIDATE for one in self._pod(pod, stamps)]
        self.bad = told
        if not self.silent:
            self.source.series += [_as_baseline(one) for one in theirs]
        self.source.series = [self._busier(one) for one in self.source.series]

    def _busier(self, series: Series) -> Series:
        return replace(series, samples=[(at, self.busy * count) for at, count in series.samples])

    def fresh(self) -> JudgeWatch:
        return JudgeWatch(
            JudgeGate.parse(judge(preset="demo", baseline="fresh")),
            self.source,
            sides=lambda: Sides(
                "shop", "shop-candidate", "shop-baseline", CANDIDATE, BASELINE if self.ready else (), against="baseline"
            ),
            clock=self.clock,
            wake=self.wake,
            max_s=1800.0,
            usual=lambda: Sides("shop", "shop-candidate", "shop", CANDIDATE, STABLE),
        )  # fmt: skip


def _as_baseline(series: Series) -> Series:
    """Give a candidate's pod's counter as one of the baseline."""
    pod = f"b{series.pod[1:]}"
    return Series(f"b {series.id}", "stable", pod, series.samples, bad=series.bad, edge=series.edge)


async def test_one_like_its_baseline_passes_a_minute_earlier_and_says_what_it_was_compared_with() -> None:
    service = Young(bad=0.002, cold=0.002, busy=10.0)
    watch = service.fresh()
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: watch.state.finding is Finding.OK, at_most_s=900)

    assert watch.state.line.startswith("PASS 00:02:")
    assert "baseline requests" in watch.state.line
    assert watch.judge is not None
    assert watch.judge.past.requests > 0  # of stable: the baseline has no hour behind it


async def test_what_both_suffer_while_they_are_cold_convicts_nobody() -> None:
    service = Young(bad=0.03, cold=0.03)  # stable's own pods: 0.2 %
    watch = service.fresh()
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: service.now >= BEGAN + 300, at_most_s=305)

    assert watch.state.finding is not Finding.FAILED
    assert watch.state.trips == 0
    assert watch.judge is not None
    assert watch.judge.story.stable.errors > 0


async def test_one_worse_than_its_baseline_is_convicted() -> None:
    service = Young(bad=0.02, cold=0.002)
    watch = service.fresh()
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: watch.state.finding is Finding.FAILED, at_most_s=900)


async def test_a_baseline_without_counters_is_silence_though_stable_has_some() -> None:
    service = Young(bad=0.002, cold=0.002)
    service.silent = True
    watch = service.fresh()
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: service.now >= BEGAN + 60, at_most_s=65)

    assert watch.state.finding is Finding.BLIND
    assert watch.state.seen_at == BEGAN
    assert "stable: nothing" in watch.state.line


async def test_a_trip_is_told_though_the_baseline_fell_silent_after_it() -> None:
    service = Young(bad=0.4, cold=0.002)
    watch = service.fresh()
    watch.open(at=BEGAN)
    await follow(service, watch, lambda: watch.state.trips == 1, at_most_s=15)
    service.silent = True

    service.now += 30.0
    service.scrape(BEGAN - 3600.0)
    await look(service, watch)

    assert watch.state.trips == 1
    assert watch.state.finding is Finding.BLIND


async def test_a_baseline_without_a_ready_pod_is_silence() -> None:
    service = Young(bad=0.002, cold=0.002)
    service.ready = False
    watch = service.fresh()
    watch.open(at=BEGAN)
    service.now += 11.0

    await look(service, watch)

    assert watch.state.finding is Finding.BLIND
    assert watch.state.line == "the baseline has no ready pods"
