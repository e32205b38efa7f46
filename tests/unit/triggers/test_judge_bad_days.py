"""Prometheus in trouble in the middle of a judged canary, over a real socket: each trouble has its verdict."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cd_provider.core.canary import bad_gates
from cd_provider.core.finding import Finding
from tests.unit.triggers.bad_days import GATE, Canary, canary
from tests.unit.triggers.troubles import OUT_S, TROUBLES, mend

CASES = [pytest.param(*case, id=name) for name, case in TROUBLES.items()]


@pytest.mark.parametrize(("begin", "said"), CASES)
async def test_trouble_that_lasts_is_inconclusive_and_says_what_it_was(
    begin: Callable[[Canary], None], said: str
) -> None:
    async with canary() as it:
        assert await it.go_on(OUT_S) is None
        begin(it)

        over = await it.go_on(300.0)

    assert over is not None
    kind, line, at_s = over
    assert kind == "INCONCLUSIVE"
    assert said in line
    assert it.steps_at == []  # not one user more than before
    late_s = 10.0 if "stand still" in said else 0.0  # it takes as long to see that they do
    assert at_s == OUT_S + 30.0 + late_s


@pytest.mark.parametrize(("begin", "said"), CASES)
async def test_trouble_that_passes_changes_no_verdict(begin: Callable[[Canary], None], said: str) -> None:
    async with canary(bad=0.05) as plain:
        undisturbed = await plain.go_on(600.0)
    async with canary(bad=0.05) as it:
        assert await it.go_on(5.0) is None
        begin(it)
        assert await it.go_on(15.0) is None
        mend(it)

        over = await it.go_on(600.0)

    assert undisturbed is not None
    assert over is not None
    assert (over[0], undisturbed[0]) == ("FAIL", "FAIL")


async def test_without_trouble_it_passes_after_three_minutes() -> None:
    async with canary() as it:
        over = await it.go_on(600.0)

    assert over is not None
    assert over[0] == "PASS"
    assert over[2] >= 180.0
    assert it.steps_at == [60.0]


LATE = ("killed", "warns", "answers with NaN", "says NaN of the candidate", "has nothing any more")


@pytest.mark.parametrize(("begin", "said"), [pytest.param(*TROUBLES[name], id=name) for name in LATE])
async def test_trouble_after_a_pass_promotes_nothing_and_rolls_nothing_back(
    begin: Callable[[Canary], None], said: str
) -> None:
    """The canary's last step is not over yet; what is promoted already is no gate's to take back but on FAIL."""
    async with canary() as it:
        await it.until_it_passes()
        begin(it)

        over = await it.go_on(700.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert said in over[1]
    assert it.watch.state.finding is Finding.BLIND
    assert bad_gates((GATE,), [it.watch.state]) is None


async def test_a_server_that_comes_back_empty_goes_on_with_the_same_canary() -> None:
    async with canary() as it:
        await it.go_on(100.0)
        it.server.lost_before = it.server.now - 5.0

        over = await it.go_on(600.0)

    assert over is not None
    assert over[0] == "PASS"


async def test_a_trigger_that_starts_anew_beside_an_empty_server_counts_nobodys_life_as_a_moment() -> None:
    """Stable's pods have two hours behind them: taken for newborn, all of that would lie in one tick."""
    async with canary() as it:
        await it.go_on(100.0)
        it.server.lost_before = it.server.now - 5.0
        it.again()
        await it.go_on(150.0)

    assert it.watch.judge is not None
    stable = it.watch.judge.story.stable.requests
    assert stable == pytest.approx(3 * 10 * 45.0, abs=3 * 50.0)


async def test_an_outage_in_the_very_first_minute_keeps_the_hour_before() -> None:
    async with canary() as it:
        it.relay.cut()
        assert await it.go_on(15.0) is None
        it.relay.mend()
        await it.go_on(25.0)

    assert it.watch.judge is not None
    assert it.watch.judge.past.requests > 100_000


async def test_a_fail_stands_when_the_server_dies_right_after_it() -> None:
    async with canary(bad=0.02) as it:
        over = await it.go_on(600.0)
        assert over is not None
        assert over[0] == "FAIL"
        it.relay.cut()
        it.server.now += 60.0
        await it.look()

    assert it.watch.state.finding is Finding.FAILED
    assert bad_gates((GATE,), [it.watch.state]) is not None
