"""A judge beside the loop: what it makes of counters that come, stay away, and were there before it began."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

from cd_provider.core.finding import Finding
from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.history import interval
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.record import Record, Recorder
from cd_provider.core.judge.replay import replay
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.exceptions import MetricQueryError, MetricsUnavailableError
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


async def test_what_pods_have_ever_counted_is_not_what_they_did_in_the_last_hour() -> None:
    service = Service(bad=0.002, apart_s=0.8)
    watch = service.watch()
    watch.open(at=BEGAN)
    service.now += 60.0
    service.scrape(BEGAN - 3600.0)

    await look(service, watch)

    assert watch.judge is not None
    assert watch.judge.past.requests == pytest.approx(3 * 10.0 * 3600.0, rel=0.01)


async def test_where_pages_are_read_what_stable_has_ever_counted_is_what_is_usual() -> None:
    """A page has no hour before; its totals say how often this service fails."""
    service = Service(bad=0.3)
    watch = service.watch(source="direct")
    watch.open(at=BEGAN)
    service.scrape(BEGAN)

    await look(service, watch)

    assert watch.judge is not None
    assert watch.judge.past.requests == pytest.approx(3 * 10.0 * 7200.0, rel=0.01)
    assert watch.judge.past.share == pytest.approx(0.002, rel=0.01)
    assert not watch.judge.past.known
    assert len(service.source.asked) == 1
    await follow(service, watch, lambda: watch.state.trips == 1, at_most_s=15)


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

    second = service.watch(ABOUT, max_s=1800.0 - (service.now - BEGAN))
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


def without(service: Service, *pods: str) -> None:
    """Let these be missed twice: what they did before stays known, and nothing more comes."""
    service.source.unreachable = pods
    service.source.series = [one for one in service.source.series if one.pod not in pods]


async def follow_without(service: Service, watch: JudgeWatch, *pods: str, for_s: float) -> list[Finding]:
    """Let time go on while they do not answer."""
    found = []
    for _ in range(int(for_s / SCRAPE_S)):
        service.now += SCRAPE_S
        service.scrape(BEGAN - 3600.0)
        without(service, *pods)
        await look(service, watch)
        found.append(watch.state.finding)
    return found


async def test_where_a_trip_is_the_end_its_sentence_is_told() -> None:
    service = Service(bad=0.3)
    watch = service.watch(on_trip="fail")
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: watch.state.trips > 0, at_most_s=60)

    assert watch.state.line.startswith("TRIP 00:00:")


async def test_counters_that_are_missing_are_no_low_traffic() -> None:
    service = Service(bad=0.002)
    watch = service.watch(low_traffic="pods_only")
    watch.open(at=BEGAN)

    for _ in range(6):
        service.now += SCRAPE_S
        service.scrape(BEGAN - 3600.0)
        service.source.series = [one for one in service.source.series if one.pod not in CANDIDATE]
        await look(service, watch)

    assert watch.state.finding is Finding.THIN
    assert watch.state.line == "candidate: nothing"


async def test_a_pod_that_does_not_answer_is_evidence_and_nobody_waits_for_it() -> None:
    service = Service(bad=0.002)
    watch = service.watch()
    watch.open(at=BEGAN)
    await follow(service, watch, lambda: watch.state.finding is Finding.OK, at_most_s=900)
    assert watch.judge is not None
    passed_at = watch.judge.at

    found = await follow_without(service, watch, "c1", for_s=60)

    assert set(found) == {Finding.BREACH}
    assert "does not answer while stable does: c1" in watch.state.line
    assert watch.judge.at >= passed_at + 40
    service.source.unreachable = ()
    service.now += 2 * SCRAPE_S
    service.scrape(BEGAN - 3600.0)
    await look(service, watch)
    assert watch.state.finding is not Finding.BREACH


async def test_that_a_pod_does_not_answer_is_told_before_the_next_tick() -> None:
    service = Service(bad=0.002)
    watch = service.watch()
    watch.open(at=BEGAN)
    await follow(service, watch, lambda: watch.state.finding is Finding.GOING, at_most_s=60)

    without(service, "c1")  # and no sample is new
    await look(service, watch)

    assert watch.state.finding is Finding.BREACH


async def test_a_candidate_of_which_no_pod_answers_has_failed_after_half_a_minute() -> None:
    service = Service(bad=0.002)
    watch = service.watch()
    watch.open(at=BEGAN)

    found = await follow_without(service, watch, "c1", "c2", for_s=40)

    assert found == [Finding.BREACH] * 6 + [Finding.FAILED] * 2  # never asked, it is not "too few requests"
    assert "does not answer while stable does: c1, c2" in watch.state.line


async def test_an_answer_in_between_begins_the_half_minute_anew() -> None:
    service = Service(bad=0.002)
    watch = service.watch()
    watch.open(at=BEGAN)
    for pods in (("c1", "c2"), ("c1",), ("c1", "c2")):
        found = await follow_without(service, watch, *pods, for_s=25)
        assert Finding.FAILED not in found


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


@pytest.mark.parametrize("after_s", [0.0, 65.0])
async def test_without_a_history_it_goes_by_what_is_assumed(after_s: float) -> None:
    """At once where asking again changes nothing; an outage is waited out for a minute."""
    service = Service(bad=0.3)
    service.source.fault = MetricsUnavailableError("no answer") if after_s else MetricQueryError("too much")
    watch = service.watch()
    watch.open(at=BEGAN)
    await look(service, watch)
    assert (watch.judge is None) == bool(after_s)
    service.now += after_s
    await look(service, watch)
    assert watch.judge is not None
    service.source.fault = None

    await follow(service, watch, lambda: watch.state.trips > 0, at_most_s=after_s + 30)

    assert not watch.judge.past.known


@pytest.mark.parametrize("every_s", [1.0, 5.0, 15.0])
def test_the_scrape_interval_is_told_from_the_samples(every_s: float) -> None:
    series = Series("a", "stable", "s1", [(every_s * n + 0.01 * (n % 3), 1.0) for n in range(20)])

    assert interval([series]) == every_s
    assert interval([]) == 5.0
