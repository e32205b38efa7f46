"""Prometheus in trouble in the middle of a judged canary, over a real socket: each trouble has its verdict."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from cd_provider.core.canary import bad_gates
from cd_provider.core.finding import Finding
from cd_provider.core.gate import Gate, promql
from cd_provider.core.judge.sides import Reading as Counted
from cd_provider.core.judge.sides import Sides
from cd_provider.core.pod import PodFault
from cd_provider.exceptions import MetricsUnavailableError
from cd_provider.hooks.prometheus_query import MIB
from cd_provider.triggers.canary_loop import CanaryLoop
from cd_provider.triggers.gate_watch import GateWatch
from cd_provider.triggers.judge_watch import JudgeWatch
from tests.fakes import FakeCounters, FakeMetrics, FakePods
from tests.loopback import Answer
from tests.unit.triggers.bad_days import BEGAN, CANDIDATE, GATE, SIDES, STABLE, Canary, canary
from tests.unit.triggers.test_progress import NAMES, three
from tests.unit.triggers.test_progress import canary as loop_of

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


# --- counters that speak no longer, or never did --------------------------------------------------------------


async def test_a_candidate_that_is_no_longer_scraped_does_not_live_on_its_pass() -> None:
    async with canary() as it:
        await it.until_it_passes()
        it.step, it.step_started = 0, it.server.now
        it.server.silent = dict.fromkeys(CANDIDATE, it.server.now)

        over = await it.go_on(it.server.now - BEGAN + 200.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert it.steps_at == []


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


async def test_a_candidate_that_is_off_traffic_after_a_trip_is_not_called_silent() -> None:
    async with canary(bad=0.3) as it:
        while it.watch.state.trips == 0:
            it.server.now += 5.0
            await it.look()
        it.server.still_from = dict.fromkeys(CANDIDATE, it.server.now)
        found = set()
        for _ in range(8):
            it.server.now += 5.0
            await it.look()
            found.add(it.watch.state.finding)

    assert Finding.BLIND not in found


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


async def test_a_candidate_whose_processes_end_every_twenty_seconds_does_not_pass_by_its_own_counters() -> (
    None
):
    """They count what was answered between two crashes; the cluster's word on the pods fails it long before."""

    def begun_anew(at: float, code: str) -> str | None:
        return f"{9 * (1 + at % 20)}" if code == "200" else None

    async with canary() as it:
        it.server.says = dict.fromkeys(CANDIDATE, begun_anew)

        over = await it.go_on(600.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"
    assert "look why the process ends again and again" in over[1]


async def test_an_infinite_counter_is_no_number() -> None:
    async with canary() as it:
        it.server.says = dict.fromkeys(CANDIDATE, lambda *_: "+Inf")

        over = await it.go_on(300.0)

    assert over is not None
    assert over[0] == "INCONCLUSIVE"


@pytest.mark.parametrize(("bad", "expected"), [(0.002, "PASS"), (0.05, "FAIL")], ids=["healthy", "failing"])
@pytest.mark.parametrize("slower", [CANDIDATE, STABLE], ids=["the candidate", "stable"])
async def test_a_side_that_is_scraped_three_times_less_often_is_judged_all_the_same(
    slower: tuple[str, ...], bad: float, expected: str
) -> None:
    async with canary(bad=bad) as it:
        it.server.every_s = dict.fromkeys(slower, 15.0)

        over = await it.go_on(900.0)

    assert over is not None
    assert over[0] == expected


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


# --- beside it -----------------------------------------------------------------------------------------------

SECRET = "s3cr3t-t0k3n"


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """All that the product and its HTTP client log."""
    handler, loggers = Lines(), [logging.getLogger(name) for name in ("cd_provider", "httpx", "httpcore")]
    before = [one.level for one in loggers]
    for one in loggers:
        one.addHandler(handler)
        one.setLevel(logging.DEBUG)
    try:
        yield handler.lines
    finally:
        for one, level in zip(loggers, before, strict=True):
            one.removeHandler(handler)
            one.setLevel(level)


async def test_credentials_stand_in_no_sentence_and_no_log_whatever_the_trouble(logged: list[str]) -> None:
    said: list[str] = []
    async with canary() as it:
        it.source.server.client.headers["Authorization"] = f"Bearer {SECRET}"
        it.source.server.client.headers["X-Scope-OrgID"] = SECRET
        for begin, _ in TROUBLES.values():
            begin(it)
            it.server.now += 20.0
            await it.look()
            said.append(it.watch.state.line)
            mend(it)

    assert it.server.headers["authorization"] == f"Bearer {SECRET}"  # it was sent
    assert len(set(said)) >= 8
    assert not [line for line in (*said, *logged) if SECRET in line]
    assert any("query" in line for line in logged)


async def test_a_server_that_takes_its_time_is_never_asked_twice_at_once() -> None:
    class Slow(FakeCounters):
        open = most = 0

        async def read(self, sides: Sides, *, since: float) -> Counted:
            self.open += 1
            self.most = max(self.most, self.open)
            await asyncio.sleep(0.1)  # ten times as long as it has between two looks
            self.open -= 1
            raise MetricsUnavailableError("no answer within 0.1 s")

    source, wake = Slow(), asyncio.Event()
    gate = replace(GATE, every_s=0.01)
    watch = JudgeWatch(gate, source, sides=lambda: SIDES, clock=lambda: BEGAN, wake=wake, max_s=1800.0)
    watch.open(at=BEGAN)
    task = asyncio.create_task(watch.run())
    for _ in range(3):
        await asyncio.wait_for(wake.wait(), 20)
        wake.clear()
    task.cancel()

    assert source.most == 1


async def test_a_crashed_pod_ends_a_canary_whose_judge_waits_for_an_answer() -> None:
    """The judge's read hangs for good; the loop beside it goes on at its own pace."""
    asked = asyncio.Event()

    class Hanging(FakeCounters):
        async def read(self, sides: Sides, *, since: float) -> Counted:
            asked.set()
            await asyncio.Event().wait()
            raise AssertionError

    pods = FakePods(*three())
    loop = loop_of(pods, reports=[])
    watch = JudgeWatch(
        GATE, Hanging(), sides=lambda: SIDES, clock=loop.scene.clock, wake=loop.scene.wake, max_s=1800.0
    )
    loop = CanaryLoop(
        loop.scene, plan=replace(loop.plan, gates=(GATE,), no_data_s=1e8), release=loop.release, attempt=1,
        gates_hash="none", watches=[watch], report=lambda _: None,
    )  # fmt: skip
    running = asyncio.create_task(loop.run())
    await asyncio.wait_for(asked.wait(), 20)
    pods.put(*three(PodFault("shop-candidate-0", "OOMKilled", "")))

    result = await asyncio.wait_for(running, 20)

    assert (result.kind, result.off_at is not None) == ("FAIL", True)
    assert "OOMKilled" in result.line


async def test_a_bound_that_breaks_is_silence_and_not_the_end_of_its_watch() -> None:
    class Broken(FakeMetrics):
        async def value(self, query: str) -> float | None:
            raise RuntimeError("no such thing")

    wake, gate = (
        asyncio.Event(),
        Gate.parse(promql("errors", query="errors{pod=~'$pods'}", max=1, every_s=0.2)),
    )
    watch = GateWatch(gate, Broken(), names=lambda: NAMES, clock=lambda: BEGAN, wake=wake)
    watch.open(at=BEGAN)
    task = asyncio.create_task(watch.run())
    for _ in range(2):
        await asyncio.wait_for(wake.wait(), 20)
        wake.clear()
    task.cancel()

    assert watch.state.finding is Finding.BLIND
    assert watch.state.reading.error == "the gate itself failed: RuntimeError: no such thing"
