"""What has misled judges before, each case with the verdict that it must get."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import accumulate

import pytest

from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.series import Series, Side
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.verdict import Judged
from cd_provider.exceptions import ArgumentError
from tests.unit.core.judge.hand_made import EDGES, Pod, buckets, canary, kinds, pods, usual, verdicts

SPAN_S = 15.0
USUAL = usual()
TRIPS = ["TRIP emergency", "FAIL emergency"]


def stable(share: float = 0.001) -> list[Pod]:
    return pods(3, 10.0, share)


def ends(candidate: Sequence[Pod], beside: Sequence[Pod], settings: JudgeSettings | None = None) -> list[str]:
    """Give all verdicts of half an hour, read every quarter of a minute."""
    return kinds(canary(candidate, beside, span_s=SPAN_S), settings, USUAL)


def incident(share: float, *, begin_s: float = 600.0, for_s: float = 60.0) -> Callable[[float], float]:
    """Give a share of errors that is usual but for a while."""
    return lambda at: share if begin_s < at <= begin_s + for_s else 0.001


def test_a_candidate_like_stable_passes() -> None:
    assert ends(pods(3, 5.0, 0.001), stable()) == ["PASS"]


@pytest.mark.parametrize("share", [0.0, 0.02], ids=["healthy", "failing at times"])
def test_without_a_baseline_nothing_is_said_about_the_version(share: float) -> None:
    assert ends(pods(3, 5.0, share), []) == ["INCONCLUSIVE no baseline"]
    assert ends(pods(3, 5.0, share), pods(3, 0.0)) == ["INCONCLUSIVE no baseline"]


def test_without_a_baseline_what_never_passes_fails_all_the_same() -> None:
    assert ends(pods(3, 5.0, 0.3), []) == ["FAIL never above"]
    assert ends(pods(3, 5.0, 0.3), pods(3, 0.0)) == ["FAIL never above"]


def test_without_a_baseline_nothing_passes_where_latency_is_not_judged_either() -> None:
    assert ends(pods(3, 5.0), [], JudgeSettings(latency=False)) == ["INCONCLUSIVE no baseline"]


def test_no_traffic_is_no_data_and_never_a_pass() -> None:
    (found,) = verdicts(canary(pods(3, 0.0), stable(), span_s=SPAN_S), None, USUAL)

    assert (found.kind, found.reason, found.at) == ("NO_DATA", "no traffic", 1800.0)
    assert "the candidate had no requests" in found.line


def test_not_even_a_pod_is_no_data() -> None:
    assert ends([], stable()) == ["NO_DATA no traffic"]


def test_ten_requests_in_half_an_hour_are_too_few_and_it_says_how_many_it_takes() -> None:
    (found,) = verdicts(canary(pods(1, 10 / 1800), pods(1, 90 / 1800), span_s=SPAN_S))

    assert (found.kind, found.reason) == ("INCONCLUSIVE", "too few requests")
    assert found.need == "about 1,100 candidate requests, 2 days at this rate"
    assert "10 candidate / 90 stable requests" in found.line


def test_a_candidate_that_is_better_passes() -> None:
    assert ends(pods(3, 5.0, 0.001), stable(0.02)) == ["PASS"]
    assert ends(pods(3, 5.0, 0.001, 0.5), stable()) == ["PASS"]


def test_where_everything_fails_on_both_sides_stable_is_no_measure() -> None:
    assert ends(pods(3, 5.0, 1.0), stable(1.0)) == ["INCONCLUSIVE baseline unhealthy"]


@pytest.mark.parametrize("share", [0.03, 0.49])
def test_where_both_are_above_what_may_ever_pass_stable_is_no_measure(share: float) -> None:
    assert ends(pods(3, 5.0, share), stable(share)) == ["INCONCLUSIVE baseline unhealthy"]


def test_a_service_that_always_has_many_errors_passes_once_it_says_so() -> None:
    assert ends(pods(3, 5.0, 0.03), stable(0.03), JudgeSettings(never_above=0.1)) == ["PASS"]


def test_stable_may_be_unhealthy_while_the_candidate_mends_it() -> None:
    assert ends(pods(3, 5.0, 0.001), stable(0.9)) == ["PASS"]


def test_where_both_are_bad_the_worse_candidate_fails() -> None:
    assert ends(pods(3, 5.0, 0.3), stable(0.1)) == TRIPS


@pytest.mark.parametrize("share", [0.02, 0.4, 1.0], ids=["twenty times as many", "40 %", "all"])
def test_an_incident_that_hits_both_sides_says_nothing(share: float) -> None:
    early, late = incident(share, begin_s=200.0), incident(share, begin_s=1200.0)

    assert ends(pods(3, 5.0, early), pods(3, 10.0, early)) == ["PASS"]
    assert ends(pods(3, 5.0, late), pods(3, 10.0, late)) == ["PASS"]


@pytest.mark.parametrize("share", [0.05, 0.8], ids=["5 %", "80 %"])
def test_one_bad_pod_does_not_fail_a_version_and_does_not_pass(share: float) -> None:
    (found,) = verdicts(canary([*pods(2, 5.0, 0.001), Pod(5.0, share)], stable(), span_s=SPAN_S), None, USUAL)

    assert (found.kind, found.reason) == ("INCONCLUSIVE", "one pod")
    assert "c2" in found.need


def test_one_slow_pod_does_not_fail_a_version_and_does_not_pass() -> None:
    assert ends([*pods(2, 5.0, 0.001), Pod(5.0, 0.001, 3.0)], stable()) == ["INCONCLUSIVE one pod"]


def test_all_pods_bad_do_fail() -> None:
    assert ends(pods(3, 5.0, 0.05), stable())[-1].startswith("FAIL")


def test_a_cold_start_beside_a_fresh_baseline_cancels() -> None:
    def errors(at: float) -> float:
        return 0.001 + 0.02 * math.exp2(-at / 20.0)

    def slower(at: float) -> float:
        return 1.0 + 2.0 * math.exp2(-at / 20.0)

    cold = pods(3, 5.0, errors, slower), pods(3, 5.0, errors, slower)

    assert ends(*cold, JudgeSettings(fresh=True)) == ["PASS"]


@pytest.mark.parametrize("seconds", [60.0, 120.0, 180.0])
def test_a_cold_start_beside_a_warm_baseline_is_tolerated(seconds: float) -> None:
    def errors(at: float) -> float:
        return 0.005 if at <= seconds else 0.001

    def slower(at: float) -> float:
        return 1.5 if at <= seconds else 1.0

    assert ends(pods(3, 5.0, errors, slower), stable()) == ["PASS"]


def test_a_cold_start_is_no_excuse_for_what_is_broken() -> None:
    assert ends(pods(3, 5.0, 0.2), stable()) == TRIPS


def late(at: float) -> float:
    return 0.01 if at > 600.0 else 0.001


def test_a_late_regression_is_found_after_an_early_pass_since_the_state_is_kept() -> None:
    assert ends(pods(3, 5.0, late), stable()) == ["PASS", "FAIL clear errors"]


def test_a_late_regression_does_not_pass_where_the_canary_has_to_last() -> None:
    assert ends(pods(3, 5.0, late), stable(), JudgeSettings(min_s=900.0)) == ["FAIL clear errors"]


def test_a_slow_leak_is_found_before_the_end() -> None:
    settings = JudgeSettings(min_s=900.0)

    assert ends(pods(3, 5.0, 0.001, lambda at: 1.0 + at / 1800.0), stable(), settings) == [
        "FAIL clear latency"
    ]


@pytest.mark.parametrize(
    ("share", "expected"), [(0.001, ["PASS"]), (0.02, ["FAIL clear errors"])], ids=["healthy", "failing"]
)
def test_a_ramp_of_traffic_is_one_test(share: float, expected: list[str]) -> None:
    def weight(at: float) -> float:
        return 0.01 if at <= 300.0 else 0.05 if at <= 600.0 else 0.25

    candidate = pods(3, lambda at: 200.0 * weight(at) / 3, share)
    beside = pods(3, lambda at: 200.0 * (1.0 - weight(at)) / 3, 0.001)

    assert ends(candidate, beside) == expected


@pytest.mark.parametrize(
    ("share", "expected"), [(0.001, ["PASS"]), (0.02, ["FAIL clear errors"])], ids=["healthy", "failing"]
)
def test_pods_that_come_and_go_change_nothing(share: float, expected: list[str]) -> None:
    """Two pods, four from the third minute on, then two others than at first."""

    def there(pod: int, at: float) -> bool:
        return pod < 2 if at <= 120.0 else True if at <= 240.0 else pod >= 2

    ticks = [
        replace(
            tick,
            candidate={name: one for name, one in tick.candidate.items() if there(int(name[1:]), tick.at)},
        )
        for tick in canary(pods(4, 5.0, share), stable(), span_s=SPAN_S)
    ]

    assert kinds(ticks, None, USUAL) == expected


def test_the_evidence_of_a_first_pod_stays_its_own_when_a_second_one_comes() -> None:
    """The second is fine: without the first there is no case, though the first was alone when it failed."""
    ticks = [
        replace(tick, candidate={n: c for n, c in tick.candidate.items() if n == "c0" or tick.at > 60.0})
        for tick in canary([Pod(10.0, 0.02), Pod(10.0, 0.001)], stable(), span_s=SPAN_S)
    ]

    assert kinds(ticks, None, USUAL) == ["INCONCLUSIVE one pod"]


def bursts(every_s: float, first_s: float) -> Callable[[float], float]:
    """Give a pod's share of errors: one request and its retries, four errors, now and then."""
    return lambda at: 4.0 / 75.0 if (at - first_s) % every_s == 0.0 else 0.0


def retried(number: int, every_s: float) -> list[Pod]:
    return [Pod(5.0, bursts(every_s, SPAN_S * (3 * count + 1))) for count in range(number)]


def test_retries_that_are_counted_as_errors_raise_no_alarm_where_that_is_usual() -> None:
    past = replace(USUAL, errors=400.0, cluster=4.0)
    ticks = canary(retried(3, 150.0), retried(3, 135.0), span_s=SPAN_S)

    assert kinds(ticks, None, past) == ["PASS"]


def test_no_errors_at_all_pass_once_there_were_enough_requests() -> None:
    (found,) = verdicts(canary(pods(3, 5.0), stable(0.0), span_s=SPAN_S), None, usual(0.0))

    assert found.kind == "PASS"
    assert found.at > 180.0
    assert "errors of 0.5 % and +25 % latency excluded" in found.line


def no_buckets(ticks: Sequence[Tick]) -> list[Tick]:
    def bare(side: dict[str, Counts]) -> dict[str, Counts]:
        return {pod: Counts(one.requests, one.errors) for pod, one in side.items()}

    return [
        replace(t, candidate=bare(dict(t.candidate)), stable=bare(dict(t.stable)), edges=()) for t in ticks
    ]


def test_without_latency_buckets_nothing_passes_unless_nobody_asked_for_latency() -> None:
    ticks = no_buckets(canary(pods(3, 5.0, 0.001), stable(), span_s=SPAN_S))

    assert kinds(ticks, None, USUAL) == ["INCONCLUSIVE no latency"]
    assert kinds(ticks, JudgeSettings(latency=False), USUAL) == ["PASS"]


def test_without_latency_buckets_errors_are_judged_all_the_same() -> None:
    ticks = no_buckets(canary(pods(3, 5.0, 0.02), stable(), span_s=SPAN_S))

    assert kinds(ticks, None, USUAL) == ["FAIL clear errors"]


@pytest.mark.parametrize("edges", [(10.0, math.inf), (0.05, 0.1, math.inf)], ids=["one", "two"])
def test_fewer_than_three_edges_do_not_tell_latency(edges: tuple[float, ...]) -> None:
    def few(per_second: float) -> list[Pod]:
        return pods(3, per_second, 0.001, edges=edges)

    ticks = canary(few(5.0), few(10.0), span_s=SPAN_S, edges=edges)

    assert kinds(ticks, None, USUAL) == ["INCONCLUSIVE no latency"]


def in_one_bucket(ours: float, theirs: float) -> list[Judged]:
    """Judge a candidate and a stable whose latencies are these times the usual."""
    return verdicts(
        canary(pods(3, 5.0, 0.001, ours), pods(3, 10.0, 0.001, theirs), span_s=SPAN_S),
        None,
        Past(requests=1e5, errors=100.0, cluster=1.0, errors_differ=(0.0,) * 3, scores_differ=(0.0,) * 3),
    )


def test_latencies_that_all_lie_beyond_the_last_edge_tell_nothing() -> None:
    (found,) = in_one_bucket(1e5, 1e5)

    assert found.reason == "no latency"
    assert "p99 over 10,000 vs over 10,000 ms" in found.line


def test_latencies_that_all_lie_in_the_first_bucket_are_fast_enough() -> None:
    (found,) = in_one_bucket(1e-4, 1e-4)

    assert found.kind == "PASS"
    assert "p99 under 5 vs under 5 ms" in found.line
    assert found.line.endswith("and a p99 beyond the first bucket excluded")


def test_who_leaves_the_first_bucket_alone_does_not_pass() -> None:
    assert "PASS" not in {one.kind for one in in_one_bucket(1.0, 1e-4)}


def test_buckets_of_the_past_that_are_others_than_today_are_not_mistaken_for_them() -> None:
    """The old version had finer buckets: by number, what was usual would lie far up in today's."""
    today = (0.05, 0.1, 0.25, 0.5, 1.0, math.inf)

    def few(per_second: float, slower: float = 1.0) -> list[Pod]:
        return pods(3, per_second, 0.001, slower, edges=today)

    healthy = canary(few(5.0), few(10.0), span_s=SPAN_S, edges=today)
    slow = canary(few(5.0, 1.5), few(10.0), span_s=SPAN_S, edges=today)

    assert len(USUAL.buckets) != len(today)
    assert kinds(healthy, None, USUAL) == ["PASS"]
    assert kinds(slow, None, USUAL) == ["FAIL clear latency"]


# --- through the record's clock: counters that begin anew, are read at odd times, or all at once --------------


def series(ticks: Sequence[Tick], *, reset_at: float = math.inf, stable_every: int = 1) -> list[Series]:
    """Give the counters that would have been read; at ``reset_at`` the candidate's began anew."""
    found = []
    for pod in ticks[0].candidate:
        rows = [(tick.at, tick.candidate[pod]) for tick in ticks]
        found += counters("candidate", pod, rows, reset_at, every=1)
    for pod in ticks[0].stable:
        rows = [(tick.at, tick.stable[pod]) for tick in ticks]
        found += counters("stable", pod, rows, math.inf, every=stable_every)
    return found


def counters(
    side: Side, pod: str, rows: Sequence[tuple[float, Counts]], reset_at: float, *, every: int
) -> list[Series]:
    names = ["good", "bad", *(f"le {edge}" for edge in EDGES)]
    totals, samples = [0.0] * len(names), [[(0.0, 0.0)] for _ in names]
    for number, (at, done) in enumerate(rows, 1):
        now = (done.requests - done.errors, done.errors, *accumulate(done.slow))
        for which, amount in enumerate(now):
            totals[which] = amount + (0.0 if at == reset_at else totals[which])
            if number % every == 0:
                samples[which].append((at, totals[which]))
    edges = (None, None, *EDGES)
    return [
        Series(f"{pod} {name}", side, pod, read, name == "bad", edge)
        for name, read, edge in zip(names, samples, edges, strict=True)
    ]


def judged(every: Sequence[Series], *, answers: Sequence[float], interval_s: float = SPAN_S) -> list[str]:
    """Judge what a metrics server answers when it is asked at these times, each time for all it has."""
    aligner, judge = Aligner(started_at=0.0, interval_s=interval_s), Judge(JudgeSettings(), past=USUAL)
    found = []
    for asked in answers:
        answer = [replace(one, samples=[s for s in one.samples if s[0] <= asked]) for one in every]
        found += [judge.step(tick) for tick in aligner.feed(answer)]
    return [f"{one.kind} {one.lane or one.reason} {one.at:g}" for one in found if one]


FAILING, HEALTHY = (
    canary(pods(2, 5.0, share), pods(2, 10.0, 0.001), span_s=SPAN_S) for share in (0.02, 0.001)
)


def test_ten_minutes_without_a_look_change_neither_the_verdict_nor_its_time() -> None:
    every = series(FAILING[:40])
    whenever = judged(every, answers=[15.0 * number for number in range(1, 41)])

    assert len(whenever) == 1
    assert whenever[0].startswith("FAIL clear errors")
    assert judged(every, answers=[15.0, 30.0, 600.0]) == whenever
    assert judged(every, answers=[600.0]) == whenever


def test_a_counter_that_begins_anew_is_no_alarm_and_hides_none() -> None:
    plain = judged(series(HEALTHY), answers=[1800.0])

    assert plain[0].startswith("PASS")
    assert judged(series(HEALTHY, reset_at=150.0), answers=[1800.0]) == plain
    fails = judged(series(FAILING), answers=[1800.0])
    assert judged(series(FAILING, reset_at=90.0), answers=[1800.0]) == fails


@pytest.mark.parametrize(
    ("ticks", "word"), [(FAILING, "FAIL"), (HEALTHY, "PASS")], ids=["failing", "healthy"]
)
def test_sides_that_are_read_at_different_intervals_are_judged_at_the_longer_one(
    ticks: list[Tick], word: str
) -> None:
    found = judged(series(ticks, stable_every=2), answers=[1800.0], interval_s=2 * SPAN_S)

    assert [one.split()[0] for one in found] == [word]


def test_what_no_counter_can_do_is_an_error_that_names_the_pod_and_never_a_verdict() -> None:
    for wrong in (Counts(math.nan), Counts(-1.0), Counts(5.0, -2.0), Counts(5.0, math.inf)):
        both = {"web-6": Counts(5.0), "web-7": wrong}
        for side, tick in (("candidate", Tick(5.0, 5.0, both)), ("stable", Tick(5.0, 5.0, {}, both))):
            judge = Judge(JudgeSettings())
            with pytest.raises(ArgumentError, match=f"{side} pod web-7 at 5: saw"):
                judge.step(tick)
            assert judge.verdict is None


def test_a_bucket_below_nothing_is_an_error_too() -> None:
    with pytest.raises(ArgumentError, match="requests in a latency bucket"):
        Judge(JudgeSettings()).step(Tick(5.0, 5.0, {"c": Counts(5.0, 0.0, (6.0, -1.0))}, {}, (0.1, math.inf)))


# --- after a trip ---------------------------------------------------------------------------------------------


def off_traffic(at: float, *, from_s: float, upto_s: float) -> float:
    return 0.0 if from_s < at <= upto_s else 5.0


def test_what_still_comes_back_while_the_candidate_is_taken_off_is_no_second_trip() -> None:
    """It trips in its third second; requests that were on their way fail for five more."""

    def share(at: float) -> float:
        return 0.5 if at <= 8.0 else 0.001

    ticks = canary(
        pods(2, lambda at: off_traffic(at, from_s=8.0, upto_s=38.0), share),
        pods(2, 20.0, 0.001), upto_s=200.0, span_s=1.0,
    )  # fmt: skip

    assert kinds(ticks, None, USUAL) == ["TRIP emergency"]


def test_who_trips_again_after_the_return_has_failed() -> None:
    ticks = canary(
        pods(2, lambda at: off_traffic(at, from_s=4.0, upto_s=40.0), 0.5), pods(2, 20.0, 0.001),
        upto_s=60.0, span_s=1.0,
    )  # fmt: skip
    found = verdicts(ticks, None, USUAL)

    assert [one.kind for one in found] == ["TRIP", "FAIL"]
    assert found[1].at > 40.0
    assert found[1].line.endswith("the second trip")


def test_buckets_are_those_of_the_distribution_that_they_stand_for() -> None:
    assert sum(buckets(100.0)) == pytest.approx(100.0)
    assert sum(buckets(100.0)[:5]) > 60.0


# --- what a gate may say of too little to compare ---------------------------------------------------------------


FIRST = JudgeSettings(alone=True)
FEW = JudgeSettings(pods_only=True)


def test_a_first_release_passes_by_its_own_errors_where_that_was_asked_for() -> None:
    (found,) = verdicts(canary(pods(3, 5.0, 0.001), [], span_s=SPAN_S), FIRST)

    assert found.kind == "PASS"
    assert found.line.endswith(
        ": errors of 0.5 % excluded; stable had no requests, so that nothing was compared"
    )


@pytest.mark.parametrize(("share", "expected"), [(0.006, "INCONCLUSIVE leaning"), (0.1, "FAIL never above")])
def test_a_first_release_with_errors_passes_no_floor(share: float, expected: str) -> None:
    assert ends(pods(3, 5.0, share), [], FIRST) == [expected]


def test_a_first_release_with_few_requests_is_told_how_many_it_takes() -> None:
    (found,) = verdicts(canary(pods(1, 0.05), [], span_s=SPAN_S), FIRST)

    assert (found.kind, found.reason) == ("INCONCLUSIVE", "too few requests")
    assert "to exclude errors of 0.5 %; needed: about " in found.line


def test_with_a_baseline_the_policy_for_none_changes_nothing() -> None:
    for ours in (pods(3, 5.0, 0.001), pods(3, 5.0, 0.001, 1.5), pods(3, 5.0, 0.02)):
        seen = canary(ours, stable(), span_s=SPAN_S)
        assert verdicts(seen, FIRST, USUAL) == verdicts(seen, None, USUAL)


def test_few_requests_pass_by_the_pods_alone_at_the_end_where_that_was_asked_for() -> None:
    seen = canary(pods(1, 10 / 1800), pods(1, 90 / 1800), span_s=SPAN_S)
    (found,) = verdicts(seen, FEW)

    assert (found.kind, found.at) == ("PASS", 1800.0)
    assert found.line.endswith(
        "too few requests to exclude 2x the errors and +25 % latency, passed by its pods alone"
    )


@pytest.mark.parametrize(
    ("ours", "beside", "expected"),
    [
        (pods(1, 0.0), stable(), "NO_DATA no traffic"),
        (pods(3, 0.1, 0.001), [], "INCONCLUSIVE no baseline"),
        (pods(3, 0.1, 0.3), pods(3, 0.2, 0.001), "FAIL"),
        (pods(3, 5.0, 0.001), stable(), "PASS"),
    ],
    ids=["no traffic", "no baseline", "many errors", "enough"],
)
def test_the_policy_for_few_requests_excuses_nothing_else(
    ours: Sequence[Pod], beside: Sequence[Pod], expected: str
) -> None:
    assert ends(ours, beside, FEW)[-1].startswith(expected)
