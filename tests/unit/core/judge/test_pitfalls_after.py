"""After a trip, and what a gate may say of too little to compare."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cd_provider.core.judge.settings import JudgeSettings
from tests.unit.core.judge.hand_made import Pod, canary, kinds, pods, verdicts
from tests.unit.core.judge.pitfalls import SPAN_S, USUAL, ends, stable


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
