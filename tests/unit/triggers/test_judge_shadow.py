"""A shadow beside the judge: it is told, and changes nothing of the verdict."""

from __future__ import annotations

import pytest

from cd_provider.core.finding import Finding
from tests.unit.triggers.judged_service import (
    BEGAN,
    Service,
    follow,
    look,
)


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
