"""A judge beside the loop: what it makes of counters that come, stay away, and were there before it began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from cd_provider.core.finding import Finding
from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.history import interval
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.record import Record, Recorder, replay
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.exceptions import MetricsUnavailableError
from cd_provider.triggers.judge_watch import JudgeWatch
from tests.fakes import FakeCounters

BEGAN, SCRAPE_S = 10_000.0, 5.0
ABOUT: dict[str, object] = {"app": "shop", "attempt": 1}
CANDIDATE, STABLE = ("c1", "c2"), ("s1", "s2", "s3")
EDGES = {0.1: 0.9, 0.5: 0.99, 1.0: 1.0, float("inf"): 1.0}  # seconds → share of the requests up to it


class Service:
    """Pods whose counters grow with the clock; ``bad`` is the candidate's, ``apart_s`` between scrapes of two pods."""

    def __init__(self, bad: float, *, apart_s: float = 0.0) -> None:
        self.bad, self.now, self.apart_s = bad, BEGAN, apart_s
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
        done = [(at, 10.0 * (at - (BEGAN if ours else BEGAN - 7200.0))) for at in seen]
        bad = self.bad if ours else 0.002
        side = "candidate" if ours else "stable"

        def series(what: str, share: float, *, is_bad: bool = False, edge: float | None = None) -> Series:
            samples = [(at, float(int(total * share))) for at, total in done]
            return Series(f"{pod} {what}", side, pod, samples, bad=is_bad, edge=edge)  # type: ignore[arg-type]

        buckets = [series(f"le {edge}", share, edge=edge) for edge, share in EDGES.items()]
        return [series("ok", 1.0 - bad), series("bad", bad, is_bad=True), *buckets]

    def watch(self, about: dict[str, object] | None = None) -> JudgeWatch:
        gate = JudgeGate.parse(judge(preset="demo"))
        sides = Sides("shop", "shop-candidate", "shop", CANDIDATE, STABLE)
        return JudgeWatch(
            gate,
            self.source,
            sides=lambda: sides,
            clock=self.clock,
            wake=self.wake,
            max_s=1800.0,
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
    assert watch.state.trips == 0


async def test_many_errors_trip_within_seconds_and_are_counted() -> None:
    service = Service(bad=0.3)
    watch = service.watch()
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: watch.state.trips == 1, at_most_s=15)

    assert watch.state.line.startswith("TRIP") or "errors 30 %" in watch.state.line
    assert watch.judge is not None
    assert watch.judge.past.requests > 0  # the hour before was read


async def test_what_pods_have_ever_counted_is_not_what_they_did_in_the_last_hour() -> None:
    service = Service(bad=0.002, apart_s=0.8)
    watch = service.watch()
    watch.open(at=BEGAN)
    service.now += 60.0
    service.scrape(BEGAN - 3600.0)

    await look(service, watch)

    assert watch.judge is not None
    assert watch.judge.past.requests == pytest.approx(3 * 10.0 * 3600.0, rel=0.01)


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


def record(watch: JudgeWatch) -> Record:
    draft = watch.draft()
    assert draft is not None
    return Record.read(draft.packed())


async def test_its_record_replays_to_what_it_said_and_is_the_same_begun_anew() -> None:
    service = Service(bad=0.3)
    first = service.watch(ABOUT)
    first.open(at=BEGAN)
    await follow(service, first, lambda: first.state.finding is Finding.FAILED, at_most_s=120)

    second = service.watch(ABOUT)
    second.open(at=service.now, exposed_at=BEGAN)
    await look(service, second)

    seen = record(first)
    assert first.said == len(seen.verdicts) == 2
    assert seen.about == ABOUT
    assert seen.past.requests > 0
    assert replay(seen) == list(seen.verdicts)
    assert seen.verdicts[-1].line == first.state.line
    assert record(second) == seen


async def test_no_record_is_kept_unless_somebody_wants_it() -> None:
    service = Service(bad=0.002)
    watch = service.watch()
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: watch.judge is not None and watch.judge.at >= 10.0, at_most_s=60)

    assert watch.draft() is None


async def test_before_anything_was_judged_there_is_no_record() -> None:
    assert Service(bad=0.002).watch(ABOUT).draft() is None


async def test_a_record_that_cannot_be_kept_changes_no_verdict() -> None:
    service = Service(bad=0.3)
    watch = service.watch(ABOUT)
    watch.open(at=BEGAN)
    await follow(service, watch, lambda: watch.recorder is not None, at_most_s=10)
    watch.recorder = BrokenRecorder()

    await follow(service, watch, lambda: watch.state.finding is Finding.FAILED, at_most_s=120)

    assert watch.draft() is None


class BrokenRecorder(Recorder):
    """Takes nothing."""

    def __init__(self) -> None:
        super().__init__(about={}, gate={}, max_s=1.0, began_at=0.0, past=Past())

    def add(self, tick: Tick, judged: Judged | None = None) -> None:
        raise MemoryError


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
