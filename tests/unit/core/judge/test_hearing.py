"""Silence of users and silence of counters: told apart by what the other side had meanwhile."""

from __future__ import annotations

import pytest

from cd_provider.core.judge.hearing import Hearing, lost
from cd_provider.core.judge.series import Series, Side
from cd_provider.core.judge.sides import Reading

MUTE, FROZEN = "the candidate's counters stand still while stable's go on", "nobody's counters move any more"


def hearing() -> Hearing:
    """Give one of a candidate that had 100 requests beside stable's 900 in a hundred seconds."""
    found = Hearing()
    found.hear(100.0, beside=900.0)
    return found


@pytest.mark.parametrize(
    ("now_s", "stable", "expected"),
    [
        pytest.param(110.0, 5000.0, "", id="it was heard a moment ago"),
        pytest.param(111.0, 1079.0, "", id="19 were to be expected"),
        pytest.param(111.0, 1080.0, MUTE, id="20 were"),
        pytest.param(160.0, 900.0, "", id="nobody asks anybody, for a minute"),
        pytest.param(161.0, 900.0, "", id="and a little longer"),
        pytest.param(201.0, 900.0, FROZEN, id="where a thousand were to be expected"),
        pytest.param(201.0, 901.0, "", id="one request says that it is the night"),
    ],
)
def test_who_is_quiet_is_said_and_why(now_s: float, stable: float, expected: str) -> None:
    assert hearing().quiet(now_s, candidate=100.0, stable=stable) == expected


def test_who_never_had_a_request_is_not_quiet_but_thin() -> None:
    assert Hearing().quiet(500.0, candidate=0.0, stable=5000.0) == ""


def test_a_way_back_to_traffic_begins_anew() -> None:
    found = hearing()
    found.hear(200.0, beside=1800.0)

    assert found.quiet(205.0, candidate=100.0, stable=1845.0) == ""
    assert found.quiet(240.0, candidate=100.0, stable=2160.0) == MUTE


@pytest.mark.parametrize(
    ("there", "expected"),
    [(("candidate", "stable"), False), (("stable",), True), (("candidate",), True), ((), True)],
)
def test_a_side_that_had_requests_and_has_no_counter_is_lost(there: tuple[Side, ...], expected: bool) -> None:
    reading = Reading(tuple(Series(side, side, "p", ()) for side in there))

    assert lost(reading, candidate=1.0, stable=1.0) is expected
    assert not lost(Reading(), candidate=0.0, stable=0.0)


def test_buckets_and_errors_alone_are_no_counter_of_requests() -> None:
    errors = Series("errors", "candidate", "p", (), bad=True, counted=True)
    bucket = Series("bucket", "candidate", "p", (), edge=0.1)

    assert lost(Reading((errors, bucket)), candidate=1.0, stable=0.0)
