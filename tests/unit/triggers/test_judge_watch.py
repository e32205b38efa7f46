"""A judge beside the loop: what it makes of counters that come, and of those that were there before it began."""

from __future__ import annotations

import asyncio

import pytest

from cd_provider.core.finding import Finding
from cd_provider.core.judge.history import interval
from cd_provider.core.judge.series import Series
from cd_provider.exceptions import MetricQueryError, MetricsUnavailableError
from tests.unit.triggers.judged_service import (
    BEGAN,
    Service,
    follow,
    look,
)


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


async def test_where_a_trip_is_the_end_its_sentence_is_told() -> None:
    service = Service(bad=0.3)
    watch = service.watch(on_trip="fail")
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: watch.state.trips > 0, at_most_s=60)

    assert watch.state.line.startswith("TRIP 00:00:")


async def test_a_return_to_traffic_begins_nothing_anew() -> None:
    service = Service(bad=0.3)
    watch = service.watch()
    watch.open(at=BEGAN)
    await follow(service, watch, lambda: watch.state.trips == 1, at_most_s=15)

    watch.open(at=service.now)

    assert watch.state.trips == 1
    assert watch.began_at == BEGAN


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
