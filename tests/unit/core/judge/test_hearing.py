"""Silence of users and silence of counters: told apart by what the other side had meanwhile."""

from __future__ import annotations

import pytest

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.hearing import Hearing
from cd_provider.core.judge.series import Series, Side
from cd_provider.core.judge.sides import Reading

MUTE, FROZEN = "the candidate's counters stand still while stable's go on", "nobody's counters move any more"


def tick(candidate: float, stable: float) -> Tick:
    return Tick(0.0, 5.0, {"c1": Counts(candidate / 2), "c2": Counts(candidate / 2)}, {"s": Counts(stable)})


def hearing() -> Hearing:
    """Give one of a candidate that had 100 requests beside stable's 900 in a hundred seconds."""
    found = Hearing()
    for second in range(5, 105, 5):
        found.add(float(second), tick(5.0, 45.0))
    return found


@pytest.mark.parametrize(
    ("now_s", "stable", "expected"),
    [
        pytest.param(110.0, 5000.0, "", id="it was heard a moment ago"),
        pytest.param(111.0, 179.0, "", id="19 were to be expected"),
        pytest.param(111.0, 180.0, MUTE, id="20 were"),
        pytest.param(160.0, 0.0, "", id="nobody asks anybody, for a minute"),
        pytest.param(161.0, 0.0, "", id="and a little longer"),
        pytest.param(201.0, 0.0, FROZEN, id="where a thousand were to be expected"),
        pytest.param(201.0, 1.0, "", id="one request says that it is the night"),
    ],
)
def test_who_is_quiet_is_said_and_why(now_s: float, stable: float, expected: str) -> None:
    found = hearing()
    found.add(now_s, tick(0.0, stable))

    assert found.quiet == expected


def test_who_never_had_a_request_is_not_quiet_but_thin() -> None:
    found = Hearing()
    found.add(500.0, tick(0.0, 5000.0))

    assert found.quiet == ""


def test_a_way_back_to_traffic_begins_anew() -> None:
    found = hearing()
    found.add(140.0, tick(0.0, 360.0))
    assert found.quiet == MUTE

    found.back(140.0)
    found.add(150.0, tick(0.0, 90.0))
    assert found.quiet == ""

    found.add(170.0, tick(0.0, 180.0))
    assert found.quiet == MUTE


@pytest.mark.parametrize(
    ("there", "expected"),
    [(("candidate", "stable"), False), (("stable",), True), (("candidate",), True), ((), True)],
)
def test_a_side_that_had_requests_and_has_no_counter_is_lost(there: tuple[Side, ...], expected: bool) -> None:
    reading = Reading(tuple(Series(side, side, "p", ()) for side in there))

    assert hearing().lost(reading) is expected
    assert not Hearing().lost(Reading())


def test_buckets_and_errors_alone_are_no_counter_of_requests() -> None:
    errors = Series("errors", "candidate", "p", (), bad=True, counted=True)
    bucket = Series("bucket", "candidate", "p", (), edge=0.1)

    assert hearing().lost(Reading((errors, bucket)))
