"""Counters that stay away: missing ones are no low traffic, and a pod that does not answer is evidence."""

from __future__ import annotations

from cd_provider.core.finding import Finding
from cd_provider.exceptions import MetricsUnavailableError
from cd_provider.triggers.judge_watch import JudgeWatch
from tests.unit.triggers.judged_service import (
    BEGAN,
    CANDIDATE,
    SCRAPE_S,
    Service,
    follow,
    look,
)


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
