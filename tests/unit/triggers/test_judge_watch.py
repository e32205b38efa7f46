"""A judge beside the loop: what it makes of counters that come, stay away, and were there before it began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from cd_provider.core.finding import Finding
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.exceptions import MetricsUnavailableError
from cd_provider.triggers.judge_watch import JudgeWatch, interval
from tests.fakes import FakeCounters

BEGAN, SCRAPE_S = 10_000.0, 5.0
CANDIDATE, STABLE = ("c1", "c2"), ("s1", "s2", "s3")
EDGES = {0.1: 0.9, 0.5: 0.99, 1.0: 1.0, float("inf"): 1.0}  # seconds → share of the requests up to it


class Service:
    """Pods whose counters grow with the clock; ``bad`` is the candidate's error share."""

    def __init__(self, bad: float, per_second: float = 10.0) -> None:
        self.bad, self.per_second, self.now = bad, per_second, BEGAN
        self.source = FakeCounters()
        self.wake = asyncio.Event()

    def clock(self) -> float:
        return self.now

    def scrape(self, since: float) -> None:
        """Make every sample from ``since`` until now."""
        stamps = [since + SCRAPE_S * n for n in range(int((self.now - since) / SCRAPE_S) + 1)]
        self.source.series = [one for pod in (*CANDIDATE, *STABLE) for one in self._pod(pod, stamps)]

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

    def watch(self, *, max_s: float = 1800.0, **given: str) -> JudgeWatch:
        gate = JudgeGate.parse(judge(preset="demo", **given))  # type: ignore[arg-type]
        sides = Sides("shop", "shop-candidate", "shop", CANDIDATE, STABLE)
        return JudgeWatch(
            gate, self.source, sides=lambda: sides, clock=self.clock, wake=self.wake, max_s=max_s
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


async def test_before_the_first_user_it_reads_nothing() -> None:
    service = Service(bad=0.0)
    watch = service.watch()
    task = asyncio.create_task(watch.run())
    await asyncio.sleep(0.05)
    task.cancel()

    assert service.source.asked == []
    assert watch.state.finding is Finding.BLIND


async def test_a_candidate_like_stable_passes_and_says_so() -> None:
    service = Service(bad=0.002)
    watch = service.watch()
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: watch.state.finding is Finding.OK, at_most_s=900)

    assert watch.state.line.startswith("PASS 00:0")
    assert watch.judged == (BEGAN, service.now)
    assert watch.state.trips == 0


async def test_many_errors_trip_within_seconds_and_are_counted() -> None:
    service = Service(bad=0.3)
    watch = service.watch()
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: watch.state.trips == 1, at_most_s=15)

    assert watch.state.line.startswith("TRIP") or "errors 30 %" in watch.state.line
    assert watch.judge is not None
    assert watch.judge.past.requests > 0  # the hour before was read


async def test_begun_anew_in_the_middle_it_stands_where_it_stood() -> None:
    service = Service(bad=0.002)
    first = service.watch()
    first.open(at=BEGAN)
    await follow(service, first, lambda: first.state.finding is Finding.OK, at_most_s=900)

    second = service.watch()
    second.open(at=service.now, exposed_at=BEGAN)
    await look(service, second)

    assert second.state.finding is Finding.OK
    assert second.state.line == first.state.line


async def test_its_end_is_the_canarys_whenever_it_was_begun_anew() -> None:
    service = Service(bad=0.002)
    service.now -= 40.0  # while the pods came up
    first = service.watch(max_s=1840.0)
    service.now = BEGAN
    first.open(at=BEGAN)
    await look(service, first)

    service.now = BEGAN + 1000.0
    service.scrape(BEGAN - 3600.0)
    second = service.watch(max_s=800.0)
    second.open(at=service.now, exposed_at=BEGAN)
    await look(service, second)

    assert first.settings == second.settings
    assert second.settings.max_s == 1800.0 - 4 * SCRAPE_S
    assert second.judge is not None
    assert second.judge.at == 1000.0


async def test_what_is_missing_is_told_before_the_canarys_time_is_over() -> None:
    service = Service(bad=0.002, per_second=0.05)
    watch = service.watch(max_s=300.0)
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: watch.state.line.startswith("INCONCLUSIVE"), at_most_s=295)

    assert watch.state.finding is Finding.BREACH  # nothing goes on by it
    assert "too few requests to exclude 2x the errors and +25 % latency; needed: about " in watch.state.line


@pytest.mark.parametrize("bad", [0.002, 0.02], ids=["like stable", "worse"])
async def test_a_shadow_is_told_beside_the_verdict_and_changes_nothing_of_it(bad: float) -> None:
    service = Service(bad=bad)
    watch, plain = service.watch(shadow="kayenta"), service.watch()
    watch.open(at=BEGAN)
    plain.open(at=BEGAN)
    await follow(service, watch, lambda: service.now >= BEGAN + 305.0, at_most_s=400)
    await look(service, plain)

    own, beside = watch.state.line.split("; Kayenta would say ")
    assert own == plain.state.line
    assert beside.startswith("Pass at 100 after 5 points" if bad == 0.002 else "Fail at 50 after 5 points")
    assert (watch.state.finding, watch.state.trips) == (plain.state.finding, plain.state.trips)


async def test_before_its_first_look_the_shadow_says_so() -> None:
    service = Service(bad=0.002)
    watch = service.watch(shadow="kayenta")
    watch.open(at=BEGAN)
    service.now += 10.0
    service.scrape(BEGAN - 3600.0)
    await look(service, watch)

    assert watch.state.line.endswith("; Kayenta has not looked yet")


async def test_a_shadow_that_breaks_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    service = Service(bad=0.002)
    watch = service.watch(shadow="kayenta")
    watch.open(at=BEGAN)
    monkeypatch.setattr(watch.shadow, "_point_at", "never")

    await follow(service, watch, lambda: watch.state.finding is Finding.OK, at_most_s=900)

    assert watch.shadow is None
    assert "Kayenta" not in watch.state.line


async def test_a_return_to_traffic_begins_nothing_anew() -> None:
    service = Service(bad=0.3)
    watch = service.watch()
    watch.open(at=BEGAN)
    await follow(service, watch, lambda: watch.state.trips == 1, at_most_s=15)

    watch.open(at=service.now)

    assert watch.state.trips == 1
    assert watch.began_at == BEGAN


async def test_silence_is_no_news_for_a_moment_and_blindness_after_it() -> None:
    service = Service(bad=0.002)
    watch = service.watch()
    watch.open(at=BEGAN)
    await follow(service, watch, lambda: watch.state.finding is Finding.OK, at_most_s=900)
    seen_at = watch.state.seen_at
    service.source.fault = MetricsUnavailableError("no answer")

    service.now += 5.0
    await look(service, watch)
    soon = watch.state.finding
    service.now += 6.0
    await look(service, watch)

    assert (soon, watch.state.finding) == (Finding.OK, Finding.BLIND)
    assert watch.state.seen_at == seen_at
    assert "no answer" in watch.state.line


async def test_a_verdict_against_it_stands_whatever_comes_after() -> None:
    service = Service(bad=0.02)
    watch = service.watch()
    watch.open(at=BEGAN)
    await follow(service, watch, lambda: watch.state.finding is Finding.FAILED, at_most_s=900)
    service.source.fault = MetricsUnavailableError("no answer")

    service.now += 60.0
    await look(service, watch)

    assert watch.state.finding is Finding.FAILED


async def test_without_a_history_it_goes_by_what_is_assumed() -> None:
    service = Service(bad=0.3)
    service.source.fault = MetricsUnavailableError("too much")
    watch = service.watch()
    watch.open(at=BEGAN)
    await look(service, watch)
    assert watch.judge is not None
    service.source.fault = None

    await follow(service, watch, lambda: watch.state.trips == 1, at_most_s=30)

    assert not watch.judge.past.known


@pytest.mark.parametrize("every_s", [1.0, 5.0, 15.0])
def test_the_scrape_interval_is_told_from_the_samples(every_s: float) -> None:
    series = Series("a", "stable", "s1", [(every_s * n + 0.01 * (n % 3), 1.0) for n in range(20)])

    assert interval([series]) == every_s
    assert interval([]) == 5.0
