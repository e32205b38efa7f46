from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from benchmarks.canary_bench.measures import detected, ever_detected, failed, seconds_to_fail, seconds_to_off
from benchmarks.canary_bench.outcome import Cost, Scrapes, follow
from benchmarks.canary_bench.samples import Samples, Verdict
from tests.unit.benchmarks.canary_bench.made import Script, counters, outcome, scrapes

SEEN = scrapes(candidate=[(10.0, 1.0, 0.0)] * 30, stable=[(10.0, 0.0, 0.0)] * 30)


@pytest.mark.parametrize(
    ("words", "first", "fail_s", "pass_s"),
    [
        pytest.param({"at_300": "FAIL", "at_600": "PASS"}, "FAIL", 300, None, id="a fail ends it"),
        pytest.param({"at_300": "PASS", "at_600": "FAIL"}, "PASS", 600, 300, id="a fail after a pass is told"),
        pytest.param({"at_300": "PASS", "at_600": "PASS"}, "PASS", None, 300, id="the first pass"),
        pytest.param({"at_300": "INCONCLUSIVE", "at_600": "PASS"}, "INCONCLUSIVE", None, None, id="unclear ends it"),
        pytest.param({"at_300": "PASS", "at_600": "INCONCLUSIVE"}, "PASS", None, 300, id="unclear after a pass"),
        pytest.param(
            {"at_300": "PASS", "at_600": "INCONCLUSIVE", "at_900": "FAIL"}, "PASS", 900, 300, id="and a fail after that"
        ),
        pytest.param({}, "INCONCLUSIVE", None, None, id="nothing said is not a pass"),
        pytest.param({"at_300": "TRIP", "at_900": "PASS"}, "PASS", None, 900, id="one trip does not end it"),
        pytest.param({"at_300": "TRIP", "at_600": "TRIP"}, "FAIL", 600, None, id="two trips are a fail"),
    ],
)  # fmt: skip
def test_the_first_verdict_is_what_counts(
    words: dict[str, Verdict], first: str, fail_s: float | None, pass_s: float | None
) -> None:
    found = follow(Script(**words), Scrapes(SEEN))

    assert (found.first, found.fail_s, found.pass_s) == (first, fail_s, pass_s)
    assert found.unclear_s == (None if first != "INCONCLUSIVE" else 300 if words else 1800)


def test_only_the_judges_own_time_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr(time, "process_time", lambda: clock[0])

    class Slow(Script):
        def step(self, samples: Samples) -> Verdict | None:
            clock[0] += 0.25
            return super().step(samples)

    def made() -> Iterator[Samples]:
        for samples in SEEN:
            clock[0] += 5.0
            yield samples

    found = follow(Slow(), Scrapes(made()), begin_s=2.0)

    assert found.cost == Cost(begin_s=2.0, looks=31, cpu_s=31 * 0.25)


def test_a_candidate_that_tripped_stands_still_and_what_it_missed_never_happened() -> None:
    candidate = [(10.0, 0.0, 0.0)] * 4 + [(10.0, 10.0, 0.0)] * 3 + [(10.0, 0.0, 0.0)] * 23
    seen = scrapes(candidate=candidate, stable=[(10.0, 0.0, 0.0)] * 30, every_s=10.0)
    judge = Script(at_50="TRIP")

    follow(judge, Scrapes(seen))

    shown = [(it.at, it.candidate["c"].requests, it.candidate["c"].errors) for it in judge.seen[5:11]]
    assert shown == [(50, 50, 10), (60, 50, 10), (70, 50, 10), (80, 50, 10), (90, 60, 10), (100, 70, 10)]
    assert [it.stable["s"].requests for it in judge.seen[5:8]] == [50, 60, 70]


def test_a_pod_that_restarts_while_off_traffic_returns_with_a_young_counter() -> None:
    totals = {0: 0.0, 10: 100.0, 20: 200.0, 30: 5.0, 40: 15.0, 50: 25.0, 60: 35.0, 70: 4.0}
    seen = [Samples(float(at), {"c": counters(total)}, {}) for at, total in totals.items()]
    judge = Script(at_10="TRIP")

    follow(judge, Scrapes(seen))

    assert [it.candidate["c"].requests for it in judge.seen] == [0, 100, 100, 0, 0, 10, 20, 4]


@pytest.mark.parametrize(
    ("fail_s", "pass_s", "expected"),
    [
        pytest.param(900, None, 300, id="since it began"),
        pytest.param(500, None, None, id="before there was anything to detect"),
        pytest.param(900, 700, None, id="after it had been passed"),
        pytest.param(None, 700, None, id="never"),
    ],
)
def test_a_detection_is_a_fail_of_what_is_bad_by_then_and_was_not_passed(
    fail_s: float | None, pass_s: float | None, expected: float | None
) -> None:
    one = outcome(fail_s=fail_s, pass_s=pass_s)

    assert seconds_to_fail(one, "late_errors_x10") == expected
    assert detected("late_errors_x10")(one) is (expected is not None)
    assert ever_detected("late_errors_x10")(one) is (fail_s == 900)
    assert failed(one) is (fail_s is not None)


def test_a_trip_takes_traffic_off_before_the_fail() -> None:
    assert seconds_to_off(outcome(fail_s=60, trip_s=4, trips=2), "crash_loop") == 4
    assert seconds_to_off(outcome(fail_s=60), "crash_loop") == 60
    assert seconds_to_off(outcome(pass_s=60, trip_s=90, trips=1), "crash_loop") is None
