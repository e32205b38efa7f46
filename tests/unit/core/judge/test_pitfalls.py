"""What has misled judges before, each case with the verdict that it must get."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import pytest

from cd_provider.core.judge.settings import JudgeSettings
from tests.unit.core.judge.hand_made import Pod, canary, kinds, pods, usual, verdicts
from tests.unit.core.judge.pitfalls import SPAN_S, TRIPS, USUAL, ends, incident, stable


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
