"""The judge as a whole: what holds of its verdicts whatever the ticks are."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.limits import EmergencyLimits
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge_gate import JudgeGate, judge
from tests.unit.core.judge.hand_made import EDGES, buckets, canary, pods, usual, verdicts

SPAN_S = 30.0
SHORT = JudgeSettings(fresh=True, max_s=600.0)
KNOWN = Past(
    requests=1e5, errors=100.0, buckets=buckets(1e5), edges=EDGES, cluster=1.0, known=True,
    errors_differ=(0.01, 0.005, 0.002), scores_differ=(1e-4,) * 3,
)  # fmt: skip

Errors = Sequence[tuple[int, int, int, int]]  # of two candidate and two stable pods, tick by tick
errors = st.tuples(*[st.integers(0, 4) | st.integers(0, 40)] * 4)
runs = st.lists(errors, min_size=20, max_size=20)


def ticks(rows: Errors, *, requests: float = 60.0) -> list[Tick]:
    """Give ten minutes in which every pod has as many requests in each tick."""
    slow = buckets(requests)
    return [
        Tick(
            number * SPAN_S, SPAN_S,
            {f"c{pod}": Counts(requests, float(row[pod]), slow) for pod in range(2)},
            {f"s{pod}": Counts(requests, float(row[2 + pod]), slow) for pod in range(2)}, EDGES,
        )
        for number, row in enumerate(rows, 1)
    ]  # fmt: skip


def states(seen: Sequence[Tick], how: JudgeSettings = SHORT) -> list[str]:
    """Give the verdict that stands after each tick."""
    judge, found = Judge(how, past=KNOWN), list[str]()
    for tick in seen:
        judge.step(tick)
        found.append(judge.verdict.kind if judge.verdict else "")
    return found


def failed_at(seen: Sequence[Tick], how: JudgeSettings = SHORT) -> float:
    """Give the tick that convicts or trips; infinity: none does."""
    found = states(seen, how)
    return next((float(n) for n, kind in enumerate(found) if kind in ("FAIL", "TRIP")), float("inf"))


@settings(max_examples=12, deadline=None)
@given(runs, st.lists(st.tuples(st.integers(0, 19), st.integers(0, 1), st.integers(1, 30)), max_size=20))
def test_more_errors_of_the_candidate_never_make_a_pass_of_a_fail(
    rows: Errors, more: Sequence[tuple[int, int, int]]
) -> None:
    worse = [list(row) for row in rows]
    for at, pod, amount in more:
        worse[at][pod] = min(60, worse[at][pod] + amount)

    pairs = zip(states(ticks(rows)), states(ticks([(a, b, c, d) for a, b, c, d in worse])), strict=True)

    assert ("FAIL", "PASS") not in set(pairs)


@settings(max_examples=12, deadline=None)
@given(runs)
def test_the_order_of_the_pods_changes_nothing(rows: Errors) -> None:
    def backwards(side: Mapping[str, Counts]) -> dict[str, Counts]:
        return {pod: side[pod] for pod in sorted(side, reverse=True)}

    def turned(tick: Tick) -> Tick:
        return replace(tick, candidate=backwards(tick.candidate), stable=backwards(tick.stable))

    seen = ticks(rows)
    plain = verdicts(seen, SHORT, KNOWN)

    assert [(one.kind, one.at, one.lane, one.need) for one in plain] == [
        (one.kind, one.at, one.lane, one.need) for one in verdicts(map(turned, seen), SHORT, KNOWN)
    ]


@settings(max_examples=4, deadline=None)
@given(runs)
def test_the_same_ticks_give_the_same_verdicts_word_for_word(rows: Errors) -> None:
    assert verdicts(ticks(rows), SHORT, KNOWN) == verdicts(ticks(rows), SHORT, KNOWN)


shares = st.sampled_from([0.0, 0.001, 0.004, 0.02, 0.1, 0.3, 0.9])
slower = st.sampled_from([1.0, 1.1, 1.3, 2.0])


def steady(share: tuple[float, float], times: tuple[float, float], *, requests: float = 60.0) -> list[Tick]:
    """Give ten minutes without any chance in them: errors in fractions, alike in every pod and tick."""

    def side(name: str, which: int) -> dict[str, Counts]:
        one = Counts(requests, requests * share[which], buckets(requests, times[which]))
        return {f"{name}{pod}": one for pod in range(2)}

    return [Tick(number * SPAN_S, SPAN_S, side("c", 0), side("s", 1), EDGES) for number in range(1, 21)]


@settings(max_examples=10, deadline=None)
@given(st.tuples(shares, shares), st.tuples(slower, slower))
def test_a_version_that_fails_beside_another_convicts_it_not_when_they_change_places(
    share: tuple[float, float], times: tuple[float, float]
) -> None:
    # Errors and latency are two questions: a side may be worse in the one and the other in the other.
    for one, other in ((share, (1.0, 1.0)), ((0.001, 0.001), times)):
        forth = failed_at(steady(one, other))
        back = failed_at(steady((one[1], one[0]), (other[1], other[0])))
        assert float("inf") in (forth, back)


@settings(max_examples=10, deadline=None)
@given(st.tuples(shares, shares), st.sampled_from([20.0, 60.0, 300.0]))
def test_ten_times_the_traffic_never_finds_steady_errors_later(
    share: tuple[float, float], requests: float
) -> None:
    """
    Exact where nothing is random and all pods are alike; the prior of what is found at any time grows with it.

    Not exact for latency: there the mean over edges may fall when one of them is capped and the others say no.
    """
    little = steady(share, (1.0, 1.0), requests=requests)
    much = steady(share, (1.0, 1.0), requests=10.0 * requests)

    assert failed_at(much) <= failed_at(little)


@pytest.mark.parametrize("times", [1.15, 1.3, 1.5, 2.0, 4.0])
def test_ten_times_the_traffic_finds_a_shift_of_all_latencies_no_later(times: float) -> None:
    little, much = (steady((0.001, 0.001), (times, 1.0), requests=count) for count in (60.0, 600.0))

    assert failed_at(much) <= failed_at(little)


def test_after_a_fail_there_is_nothing_more_to_say() -> None:
    judge = Judge(SHORT, past=KNOWN)
    found = [judge.step(tick) for tick in ticks([(20, 20, 0, 0)] * 30)]

    (trip, fail) = [one for one in found if one]
    assert (trip.kind, fail.kind) == ("TRIP", "FAIL")
    assert judge.verdict is fail


@pytest.mark.parametrize(
    ("min_s", "fresh", "earliest"), [(None, True, 120.0), (None, False, 210.0), (390.0, True, 390.0)]
)
def test_nothing_passes_before_its_time(min_s: float | None, fresh: bool, earliest: float) -> None:
    how = JudgeSettings(fresh=fresh, min_s=min_s, max_s=600.0)
    (found,) = verdicts(steady((0.0, 0.0), (1.0, 1.0), requests=20_000.0), how, KNOWN)

    assert (found.kind, found.at) == ("PASS", earliest)


@pytest.mark.parametrize(("requests", "expected"), [(0.0, "NO_DATA"), (1.0, "INCONCLUSIVE"), (60.0, "PASS")])
def test_at_the_end_there_is_always_a_verdict(requests: float, expected: str) -> None:
    found = verdicts(ticks([(0, 0, 0, 0)] * 20, requests=requests), SHORT, KNOWN)

    assert [one.kind for one in found] == [expected]
    assert found[0].at <= 600.0


ASKS = replace(SHORT, asks=True)


@pytest.mark.parametrize(
    ("after", "then"),
    [
        pytest.param(ticks([(0, 0, 0, 0)] * 60, requests=600.0), ["PASS"], id="enough comes later"),
        pytest.param(ticks([(0, 0, 0, 0)] * 10, requests=1.0), [], id="nothing new"),
        pytest.param(
            ticks([(30, 30, 0, 0)] * 2), ["TRIP", "INCONCLUSIVE"], id="many errors, and asked again"
        ),
        pytest.param(ticks([(1, 1, 0, 0)] * 40), ["FAIL"], id="worse, for long"),
    ],
)
def test_a_question_is_put_once_and_the_judging_goes_on(after: list[Tick], then: list[str]) -> None:
    before = ticks([(0, 0, 0, 0)] * 20, requests=1.0)
    last = before[-1].at
    seen = [*before, *(replace(one, at=one.at + last) for one in after)]

    kinds = [one.kind for one in verdicts(seen, ASKS, KNOWN)]

    assert kinds == ["INCONCLUSIVE", *then]
    assert [one.kind for one in verdicts(seen, SHORT, KNOWN)] == ["INCONCLUSIVE"]


def test_where_pods_of_one_version_differ_by_too_much_no_number_of_requests_is_named() -> None:
    apart = replace(KNOWN, scores_differ=(1.0,) * 3)

    (found,) = verdicts(ticks([(0, 0, 0, 0)] * 20), SHORT, apart)

    assert (found.kind, found.reason) == ("INCONCLUSIVE", "too few requests")
    assert found.need == "more pods: those of one version differ here by as much"


def test_what_is_usual_here_is_asked_for_only_what_it_knows() -> None:
    """The same errors trip a service that never has any, and not one that always has."""
    rows = ticks([(6, 6, 0, 0) if number % 6 == 0 else (0, 0, 1, 1) for number in range(30)])
    no_clear = replace(SHORT, clear=1e9)

    never, always = replace(KNOWN, errors=1.0), replace(KNOWN, errors=1500.0, cluster=4.0)

    assert verdicts(rows, no_clear, never)[0].kind == "TRIP"
    assert "TRIP" not in [one.kind for one in verdicts(rows, no_clear, always)]


def test_the_limits_of_an_emergency_are_those_of_the_settings() -> None:
    how = replace(SHORT, emergency=EmergencyLimits(share=0.9))

    assert "TRIP" not in [one.kind for one in verdicts(ticks([(30, 30, 0, 0)] * 30), how, KNOWN)]


def told(candidate: float, stable: float, times: float = 1.0, pods_of_it: int = 3) -> list[Judged]:
    seen = canary(pods(pods_of_it, 5.0, candidate, times), pods(3, 10.0, stable), span_s=15.0)
    return verdicts(seen, None, usual())


# --- the sentences --------------------------------------------------------------------------------------------


def test_a_pass_says_what_it_excludes() -> None:
    (found,) = told(0.001, 0.001)

    assert found.line.startswith("PASS 00:0")
    assert "errors 0.097 % vs 0.097 % (1x, ignored up to 1.25x), p99 388 vs 388 ms, " in found.line
    assert found.line.endswith(" stable requests: errors of 0.5 % and +25 % latency excluded")


def test_a_pass_of_many_errors_says_that_it_is_by_the_quotient() -> None:
    (found,) = told(0.02, 0.02)

    assert found.line.endswith(": 2x the errors and +25 % latency excluded")


def test_a_fail_says_how_sure_it_is_and_that_it_holds_without_any_one_pod() -> None:
    found = told(0.01, 0.001)[-1]

    assert (found.kind, found.lane) == ("FAIL", "clear errors")
    assert ":1 that errors are beyond what is tolerated, " in found.line
    assert ":1 without pod c" in found.line


def test_a_fail_by_one_pod_says_that_it_may_be_the_host() -> None:
    found = told(0.01, 0.001, pods_of_it=1)[-1]

    assert found.line.endswith("by one pod: it may be the version or its host")


def test_a_subtle_fail_says_how_far() -> None:
    found = told(0.001, 0.001, 1.12)[-1]

    assert (found.kind, found.lane) == ("FAIL", "subtle latency")
    assert found.line.endswith(" standard deviations beyond what is ignored")
    assert "latency is " in found.line


def test_where_pods_of_one_version_differ_by_as_much_no_number_of_requests_is_named() -> None:
    unlike = replace(usual(0.01), errors_differ=(1.0,) * 3, scores_differ=(1.0,) * 3)

    last = verdicts(canary(pods(2, 1.0, 0.01), pods(3, 1.0, 0.01)), past=unlike)[-1]

    assert (last.kind, last.reason) == ("INCONCLUSIVE", "too few requests")
    assert last.need == "more pods: those of one version differ here by as much"


# --- what clients are told that they did wrong ------------------------------------------------------------------

CLIENTS = JudgeGate.parse(judge("routes", preset="demo", ratio="client_errors")).settings(max_s=1800.0)


def of_clients(candidate: float, stable: float) -> list[Judged]:
    return verdicts(canary(pods(3, 5.0, candidate), pods(3, 10.0, stable)), CLIENTS, usual(stable))


def test_a_version_that_has_lost_its_routes_is_off_traffic_within_seconds() -> None:
    trip, fail = of_clients(0.6, 0.001)

    assert (trip.kind, fail.kind) == ("TRIP", "FAIL")
    assert trip.at <= 10.0
    assert trip.line.startswith("TRIP 00:00:")
    assert "client errors 60 % vs 0 % within" in trip.line


def test_three_times_the_client_errors_of_many_are_found() -> None:
    assert [one.kind for one in of_clients(0.30, 0.10)][-1] == "FAIL"


def test_hardly_a_burst_of_a_share_that_nobody_minds_takes_a_candidate_off() -> None:
    """For half an hour 1.9 % beside 0.1 %, with chance in it: some windows of seconds show twice as many."""

    def run(seed: int) -> set[str]:
        dice = random.Random(seed)

        def pods_of(side: str, number: int, share: float) -> dict[str, Counts]:
            return {
                f"{side}{pod}": Counts(50.0, float(sum(dice.random() < share for _ in range(50))))
                for pod in range(number)
            }

        seen = [Tick(5.0 * at, 5.0, pods_of("c", 2, 0.019), pods_of("s", 4, 0.001)) for at in range(1, 361)]
        return {one.kind for one in verdicts(seen, CLIENTS, usual(0.001))}

    found = [run(seed) for seed in range(8)]

    assert sum("FAIL" in kinds for kinds in found) == 0
    assert sum("TRIP" in kinds for kinds in found) <= 1


@pytest.mark.parametrize(("candidate", "stable"), [(1.0, 0.5), (0.6, 0.5)])
def test_where_most_clients_err_anyway_nothing_is_so_many_times_worse(
    candidate: float, stable: float
) -> None:
    (found,) = of_clients(candidate, stable)

    assert (found.kind, found.reason) == ("INCONCLUSIVE", "baseline unhealthy")
    assert "needed: error shares of 33 % or less" in found.line


@pytest.mark.parametrize(("candidate", "stable"), [(0.015, 0.001), (0.10, 0.10), (0.13, 0.10)])
def test_few_of_them_or_hardly_more_are_any_days(candidate: float, stable: float) -> None:
    (found,) = of_clients(candidate, stable)

    assert found.kind == "PASS"
    assert "client errors" in found.line
