"""A share of errors that no version may have: when it convicts, and when it says nothing of the version."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.never import LimitEvidence
from cd_provider.core.judge.settings import JudgeSettings, Tolerance
from cd_provider.core.judge.view import Arm
from tests.unit.core.judge.hand_made import At, canary, kinds, pods, usual, verdicts

LIMIT = JudgeSettings().never_above
FREE = replace(  # of every other lane, so that this one is seen alone
    JudgeSettings(latency=False),
    alpha=1e-12,
    ignore=Tolerance(errors=1.25, latency=50.0),
    clear_at=Tolerance(errors=50.0, latency=50.0),
    unacceptable=Tolerance(errors=99.0, latency=99.0, share=0.5),
    emergency=replace(JudgeSettings().emergency, share=1.1),
)
SPAN_S = 15.0


def ends(ours: At, theirs: At, settings: JudgeSettings = FREE, *, number: int = 3) -> list[str]:
    ticks = canary(pods(number, 5.0, ours), pods(3, 10.0, theirs), span_s=SPAN_S)
    return kinds(ticks, settings, usual())


def evidence(errors: float, requests: float, *, limit: float = LIMIT) -> float:
    seen = LimitEvidence(limit, 1.0)
    seen.step(1.0, Arm(requests, errors))
    return seen.evidence


@given(st.floats(0.001, 0.6), st.integers(1, 60), st.floats(0.0, 1.0))
def test_it_is_no_winning_bet_up_to_the_limit(limit: float, requests: int, part: float) -> None:
    """Exact: the mean of the evidence over every number of requests that can fail."""
    share = limit * part

    def mean() -> float:
        chances = (
            math.comb(requests, k) * share**k * (1.0 - share) ** (requests - k) for k in range(requests + 1)
        )
        return sum(
            chance * evidence(float(k), float(requests), limit=limit) for k, chance in enumerate(chances)
        )

    assert mean() <= 1.0 + 1e-9


@given(st.integers(1, 300), st.integers(1, 300), st.floats(0.001, 0.9))
def test_another_error_never_weakens_the_evidence(errors: int, more: int, limit: float) -> None:
    requests = float(errors + more)

    assert evidence(float(errors), requests, limit=limit) >= evidence(errors - 1.0, requests, limit=limit)


def test_candidates_at_the_limit_are_convicted_no_more_often_than_promised() -> None:
    """A thousand canaries exactly at the limit, looked at with each of six hundred requests, evidence of 20 to 1."""
    dice, wrong = random.Random(11), 0
    for _ in range(1000):
        seen = LimitEvidence(LIMIT, 1.0)
        for number in range(600):
            seen.step(0.5 * number, Arm(1.0, float(dice.random() < LIMIT)))
            if seen.evidence >= 20.0:
                wrong += 1
                break

    assert wrong / 1000 <= 0.05


def test_a_candidate_above_the_limit_fails_however_much_worse_it_may_be_than_stable() -> None:
    (found,) = verdicts(canary(pods(3, 5.0, 0.05), pods(3, 10.0, 0.01), span_s=SPAN_S), FREE, usual())

    assert (found.kind, found.lane) == ("FAIL", "never above")
    assert 60.0 < found.at <= 300.0
    assert ":1 that more than 2 % of the requests fail, which never passes, " in found.line
    assert ":1 without pod c" in found.line


def test_one_just_below_the_limit_is_judged_by_the_difference_alone() -> None:
    assert ends(0.018, 0.018) == ["PASS"]


@pytest.mark.parametrize(("ours", "theirs"), [(0.05, 0.05), (0.06, 0.04), (0.04, 0.3)])
def test_where_stable_is_above_it_too_nobody_is_convicted_and_nothing_passes(
    ours: float, theirs: float
) -> None:
    assert ends(ours, theirs) == ["INCONCLUSIVE baseline unhealthy"]


def test_where_what_is_ignored_leads_beyond_it_the_limit_convicts_nobody() -> None:
    """A candidate with 1.25 times stable's errors is to be ignored, on whatever side of the limit both are."""
    assert "FAIL never above" not in ends(0.0238, 0.019)
    assert ends(0.05, 0.015) == ["FAIL never above"]


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_five_minutes_in_which_both_fail_convict_nobody(share: float) -> None:
    def errors(at: float) -> float:
        return share if 300.0 < at <= 600.0 else 0.001

    assert "FAIL never above" not in ends(errors, errors)


def test_one_bad_pod_does_not_convict_a_version() -> None:
    ours = [*pods(2, 5.0, 0.001), *pods(1, 5.0, 0.4)]

    assert "FAIL never above" not in kinds(canary(ours, pods(3, 10.0), span_s=SPAN_S), FREE, usual())


def test_a_candidate_of_a_single_pod_is_convicted_and_it_is_said_that_it_may_be_the_host() -> None:
    (found,) = verdicts(canary(pods(1, 15.0, 0.1), pods(3, 10.0, 0.01), span_s=SPAN_S), FREE, usual())

    assert found.lane == "never above"
    assert found.line.endswith("by one pod: it may be the version or its host")


def test_a_late_one_is_found_beside_a_good_start() -> None:
    found = ends(lambda at: 0.06 if at > 1200.0 else 0.002, 0.002)

    assert found[-1] == "FAIL never above"


def test_a_limit_of_one_is_none() -> None:
    off = replace(FREE, never_above=1.0)

    assert "never above" not in " ".join(ends(1.0, 0.01, off))
    assert evidence(60.0, 60.0, limit=1.0) == 1.0


def test_while_it_leans_no_step_ends_and_nothing_passes() -> None:
    """Three in a hundred: too close to the limit to convict within some minutes, and too many to go on."""
    ours, theirs = pods(1, 0.5, 0.04), pods(3, 10.0, 0.015)
    judge = Judge(FREE, past=usual())
    found = [judge.step(tick) for tick in canary(ours, theirs, upto_s=600.0, span_s=SPAN_S)]

    assert not any(found)
    assert judge.never.leans
    assert not judge.calm(judge.at)
