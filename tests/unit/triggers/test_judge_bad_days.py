"""Prometheus in trouble in the middle of a judged canary, over a real socket: each trouble has its verdict."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cd_provider.core.canary import bad_gates
from cd_provider.core.finding import Finding
from cd_provider.core.traffic import Step
from cd_provider.hooks.prometheus_query import MIB
from tests.loopback import Answer
from tests.unit.triggers.bad_days import BEGAN, CANDIDATE, GATE, STABLE, Canary, canary

FALSE = b'{"status":"error","errorType":"execution","error":"shard 3 is lost"}'
OUT_S = 30.0  # when the trouble begins, in seconds since the first user; what was seen until then is 0 s old


def answers(fault: Answer) -> Callable[[Canary], None]:
    return lambda it: setattr(it.server, "fault", fault)


def nan(_: float, __: str) -> str:
    return "NaN"


def gauge(at: float, code: str) -> str | None:
    return f"{500 + 7 * (int(at / 5) % 3)}" if code == "200" else None


def pause(it: Canary) -> None:
    it.source.server.timeout_s = 0.2  # five seconds as a rule; nobody answers, however long one waits
    it.relay.hang()


TROUBLES: dict[str, tuple[Callable[[Canary], None], str]] = {
    "killed": (lambda it: it.relay.cut(), "no answer"),
    "paused": (pause, "no answer within 0.2 s"),
    "answers with 500": (answers(Answer(b"oops", 500)), "no result, status 500"),
    "answers 200 with an error": (answers(Answer(FALSE)), "no result, status 200: shard 3 is lost"),
    "warns": (
        lambda it: it.server.more.update(warnings=["store s3 is down"]),
        'partial: ["store s3 is down"]',
    ),
    "answers with 100 MB": (
        answers(Answer(bytes(100 * MIB))),
        "larger than 16 MiB, expected less; add matchers",
    ),
    "answers with NaN": (
        lambda it: setattr(it.server, "says", dict.fromkeys((*CANDIDATE, *STABLE), nan)),
        "no new samples that are numbers",
    ),
    "says NaN of the candidate": (
        lambda it: setattr(it.server, "says", dict.fromkeys(CANDIDATE, nan)),
        "the candidate's counters stand still while stable's go on",
    ),
    "refuses the credentials": (answers(Answer(b"", 401)), "it refuses the credentials (status 401)"),
    "knows no such query": (answers(Answer(b"", 404)), "status 404, expected a query's result"),
    "says html": (answers(Answer(b"<html>sign in</html>")), "no result, status 200"),
    "has nothing any more": (
        lambda it: setattr(it.server, "lost_before", BEGAN + 1e6),
        "candidate shop-candidate: no shop_requests_total. Asked: Prometheus: {",
    ),
}
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


def mend(it: Canary) -> None:
    """End every trouble; samples of the time between are there, but those that a server lost."""
    it.relay.mend()
    it.source.server.timeout_s = 5.0
    it.server.fault, it.server.says = None, {}
    it.server.more.clear()
    if it.server.lost_before > it.server.now:
        it.server.lost_before = it.server.now - 5.0


async def test_without_trouble_it_passes_after_three_minutes() -> None:
    async with canary() as it:
        over = await it.go_on(600.0)

    assert over is not None
    assert over[0] == "PASS"
    assert over[2] >= 180.0
    assert it.steps_at == [60.0]


@pytest.mark.parametrize(("begin", "said"), CASES)
async def test_trouble_after_a_pass_promotes_nothing_and_rolls_nothing_back(
    begin: Callable[[Canary], None], said: str
) -> None:
    """The canary's last step is not over yet; what is promoted already is no gate's to take back but on FAIL."""
    async with canary() as it:
        it.plan = replace(it.plan, steps=(Step(10, 60.0), Step(50, 600.0)))
        while it.watch.state.finding is not Finding.OK:
            assert await it.go_on(it.server.now - BEGAN + 5.0) is None
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


# --- counters that speak no longer, or never did --------------------------------------------------------------


async def test_a_candidate_that_is_no_longer_scraped_does_not_live_on_its_pass() -> None:
    async with canary() as it:
        while it.watch.state.finding is not Finding.OK:
            await it.go_on(it.server.now - BEGAN + 5.0)
        it.step, it.step_started = 0, it.server.now
        it.server.silent = dict.fromkeys(CANDIDATE, it.server.now)

        over = await it.go_on(it.server.now - BEGAN + 200.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert it.steps_at == [60.0]


async def test_counters_of_the_candidate_that_stand_still_are_no_health() -> None:
    async with canary() as it:
        await it.go_on(40.0)
        it.server.still_from = dict.fromkeys(CANDIDATE, it.server.now)

        over = await it.go_on(300.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert "the candidate's counters stand still while stable's go on, for 30 s" in over[1]


async def test_counters_that_all_stand_still_are_no_health_either() -> None:
    """As from a gateway that repeats what it was pushed last."""
    async with canary() as it:
        await it.go_on(40.0)
        it.server.still_from = dict.fromkeys((*CANDIDATE, *STABLE), it.server.now)

        over = await it.go_on(600.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert "nobody's counters move any more" in over[1]


async def test_pods_that_show_nothing_are_named_with_what_was_asked() -> None:
    async with canary() as it:
        it.server.silent = dict.fromkeys(CANDIDATE, BEGAN - 1.0)

        over = await it.go_on(300.0)

    assert over is not None
    kind, line, at_s = over
    assert (kind, at_s) == (
        "INCONCLUSIVE",
        60.0 + 30.0,
    )  # few requests may come late: the step's time is waited out
    assert "candidate shop-candidate: no shop_requests_total" in line
    assert "Ready pods: c1, c2." in line


async def test_no_series_on_either_side_is_told_with_query_and_selector() -> None:
    async with canary() as it:
        it.server.lost_before = BEGAN + 1e6

        over = await it.go_on(300.0)

    assert over is not None
    kind, line, at_s = over
    assert (kind, at_s) == ("INCONCLUSIVE", 30.0)
    assert 'no shop_requests_total. Asked: Prometheus: {__name__=~"shop_requests_total|' in line
    assert 'namespace="web", pod=~"c1|c2|s1|s2|s3"}' in line
    assert "stable shop: no shop_requests_total" in line


@pytest.mark.parametrize("pods", [CANDIDATE, STABLE], ids=["the candidate's", "stable's"])
async def test_a_gauge_is_no_counter_and_nothing_passes_by_it(pods: tuple[str, ...]) -> None:
    async with canary() as it:
        it.server.says = dict.fromkeys(pods, gauge)

        over = await it.go_on(600.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert "times in" in over[1]
    assert "expected a counter" in over[1]


async def test_an_infinite_counter_is_no_number() -> None:
    async with canary() as it:
        it.server.says = dict.fromkeys(CANDIDATE, lambda *_: "+Inf")

        over = await it.go_on(300.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"


# --- the judge itself ----------------------------------------------------------------------------------------


async def test_a_judge_that_breaks_has_not_said_that_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("float division by zero")

    async with canary() as it:
        await it.go_on(40.0)
        monkeypatch.setattr("cd_provider.core.judge.judge.Judge.step", broken)
        await it.go_on(45.0)
        at_once = it.watch.state.finding

        over = await it.go_on(300.0)

    assert at_once is Finding.BLIND
    assert over is not None
    kind, line, at_s = over
    assert (kind, at_s) == ("INCONCLUSIVE", 40.0 + 30.0)
    assert "the judge itself failed: ZeroDivisionError: float division by zero" in line


async def test_a_judge_that_broke_once_begins_anew_from_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    async with canary() as it:
        await it.go_on(40.0)
        with monkeypatch.context() as broken:
            broken.setattr("cd_provider.core.judge.judge.Judge.step", lambda *_: 1 / 0)
            await it.go_on(45.0)
        await it.go_on(50.0)

    assert it.watch.judge is not None
    assert it.watch.judge.story.candidate.requests > 2 * 10 * 35
    assert it.watch.state.finding is not Finding.BLIND
