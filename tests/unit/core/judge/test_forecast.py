"""How many requests it takes, and how many will come."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cd_provider.core.judge.forecast import Forecast, forecast, needed
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.traffic import Step
from tests.unit.core.judge.hand_made import EDGES, buckets, canary, kinds, pods

HOW = JudgeSettings()
PAST = Past(requests=36_000.0, errors=36.0, buckets=buckets(36_000.0), edges=EDGES, cluster=1.0, known=True)
STEPS = (Step(10, 60.0), Step(50, 240.0))


def test_what_comes_is_counted_from_when_it_counts_to_the_end() -> None:
    found = forecast(PAST, 3600.0, STEPS, HOW, max_s=600.0)

    assert found is not None
    assert found.per_second == 10.0
    assert found.expected == pytest.approx(10.0 * 0.5 * (600.0 - 180.0))
    early = forecast(PAST, 3600.0, (Step(10, 240.0), Step(50, 60.0)), HOW, max_s=600.0)
    assert early is not None
    assert early.expected == pytest.approx(10.0 * (0.1 * 60.0 + 0.5 * 360.0))


@pytest.mark.parametrize(("past", "past_s"), [(PAST, 100.0), (Past(), 3600.0)])
def test_of_too_short_a_past_nothing_is_told(past: Past, past_s: float) -> None:
    assert forecast(past, past_s, STEPS, HOW, max_s=600.0) is None


def test_errors_of_one_in_a_thousand_take_about_nine_hundred_requests() -> None:
    assert needed(PAST, 0.1, replace(HOW, latency=False)) == pytest.approx(845.0, abs=1.0)


def test_errors_that_come_in_pairs_take_twice_as_many() -> None:
    errors = replace(HOW, latency=False)

    assert needed(replace(PAST, cluster=2.0), 0.1, errors) == 2.0 * needed(PAST, 0.1, errors)


def test_a_service_with_many_errors_goes_by_the_quotient() -> None:
    many = replace(PAST, errors=720.0)

    assert 100.0 < needed(many, 0.5, replace(HOW, latency=False)) < 1000.0


def test_a_metric_that_does_not_decide_takes_none() -> None:
    slow = replace(HOW, errors=False)

    assert 0.0 < needed(PAST, 0.1, slow) < needed(PAST, 0.1, HOW)
    assert needed(replace(PAST, buckets=(), edges=()), 0.1, slow) == 0.0


@pytest.mark.parametrize("per_second", [0.2, 0.4, 0.8, 1.6, 3.2])
def test_a_canary_that_is_told_to_have_too_few_requests_does_not_pass(per_second: float) -> None:
    """What is refused beforehand would have ended without a PASS; the other way round nothing is promised."""
    steps = (Step(20, 60.0),)
    past = replace(PAST, requests=per_second * 3600.0, errors=0.0)
    ahead = forecast(past, 3600.0, steps, HOW, max_s=1800.0)
    ours, theirs = pods(2, 0.1 * per_second), pods(3, 0.8 * per_second / 3)

    found = kinds(canary(ours, theirs, span_s=15.0), HOW, past)

    assert ahead is not None
    assert ahead.enough or found == ["INCONCLUSIVE too few requests"]


def test_as_many_as_it_takes_are_enough() -> None:
    assert Forecast(100.0, 100.0, 1.0).enough
    assert not Forecast(100.0, 99.0, 1.0).enough
