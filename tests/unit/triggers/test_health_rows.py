"""One thing compared with itself before: a loader's own counters, while it runs and when it is over."""

from __future__ import annotations

import pytest

from tests.unit.triggers.health_world import (
    BEGAN,
    ROWS,
    SCRAPE_S,
    Clock,
    Rows,
    order,
    watched,
)


async def test_more_bad_rows_than_before_fail() -> None:
    clock = Clock()

    outcome = await watched(order(ROWS), clock, rows=Rows(clock, before=0.004, after=0.04))

    assert (outcome.kind, outcome.lane) == ("FAIL", "clear errors"), outcome.line
    assert "bad 4.0 % after vs 0.4 % before" in outcome.line
    assert "weak" in outcome.line


@pytest.mark.parametrize(("enough", "kind"), [(False, "INCONCLUSIVE"), (True, "PASS")])
async def test_rows_as_before_pass_only_when_weak_is_enough(enough: bool, kind: str) -> None:
    clock = Clock(step_s=20.0)

    outcome = await watched(
        order(ROWS, weak_is_enough=enough), clock, rows=Rows(clock, before=0.004, after=0.004)
    )

    assert outcome.kind == kind, outcome.line
    assert "time is confounded" in outcome.line


async def test_what_is_over_already_is_judged_at_once() -> None:
    clock = Clock(BEGAN + 700)
    asked = order({**ROWS, "moment": BEGAN}, began_at=BEGAN + 700, until=BEGAN + 2500, weak_is_enough=True)

    outcome = await watched(asked, clock, rows=Rows(clock, before=0.004, after=0.004))

    assert outcome.kind == "PASS", outcome.line
    assert outcome.at <= 2 * SCRAPE_S
    assert "72,000 before" in outcome.line
    assert "12,000 after" in outcome.line


async def test_a_loader_that_is_gone_is_judged_by_what_it_did_once_after_is_over() -> None:
    clock = Clock(BEGAN + 590)
    asked = order({**ROWS, "moment": BEGAN}, began_at=BEGAN + 590, until=BEGAN + 2500, weak_is_enough=True)

    outcome = await watched(asked, clock, rows=Rows(clock, before=0.004, after=0.004, ends=BEGAN + 300))

    assert outcome.kind == "PASS", outcome.line
    assert "6,000 after" in outcome.line


async def test_a_loader_that_falls_silent_before_its_time_is_no_data() -> None:
    clock = Clock()

    outcome = await watched(order(ROWS), clock, rows=Rows(clock, before=0.0, after=0.0, ends=BEGAN + 100))

    assert (outcome.kind, outcome.reason) == ("NO_DATA", "no data")
    assert "no new samples" in outcome.line


async def test_a_thing_that_nobody_counts_is_named() -> None:
    clock = Clock()

    outcome = await watched(order(ROWS), clock, rows=Rows(clock, before=0.0, after=0.0, ends=0.0))

    assert (outcome.kind, outcome.reason) == ("NO_DATA", "no data")
    assert "candidate load: no rows. Asked" in outcome.line
