"""Few errors: who they are compared with, and how many of them came together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.episodes import Episodes
from cd_provider.core.judge.errors_evidence import KNOWN_ERRORS, LIFTED, ErrorsEvidence, known
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import CLEAR
from cd_provider.core.judge.usual import PAST_WEIGHT
from cd_provider.core.judge.view import scene

USUAL = Past(requests=7000.0, errors=7.0, cluster=1.0, known=True)
MINUTE_S = 60.0


def evidence(
    ours: Sequence[float], theirs: Sequence[float] | None = None, past: Past = USUAL
) -> ErrorsEvidence:
    """Give it after so many minutes of twelve requests on each side; a number is a minute's errors."""
    found = ErrorsEvidence(past, over_s=1800.0)
    for number, (mine, its) in enumerate(zip(ours, theirs or [0.0] * len(ours), strict=True), 1):
        tick = Tick(MINUTE_S * number, MINUTE_S, {"c": Counts(12.0, mine)}, {"s": Counts(12.0, its)})
        seen = scene(tick, began_at=0.0, known=["c"], shape=None)
        found.step(seen, seen.whole, CLEAR, None)
    return found


def test_five_errors_where_one_in_a_thousand_is_usual_are_too_many() -> None:
    assert evidence([0, 1, 0, 1, 1, 0, 1, 0, 1] + [0] * 6).evidence > 20.0


def test_the_same_errors_are_nothing_where_they_are_usual() -> None:
    usual = Past(requests=7000.0, errors=200.0, cluster=1.0, known=True)

    assert evidence([0, 1, 0, 1, 1, 0, 1, 0, 1] + [0] * 6, past=usual).evidence < 10.0


def test_what_hits_both_sides_is_no_evidence_however_unusual_it_is() -> None:
    both = [0, 1, 0, 1, 1, 0, 1, 0, 1.0]

    found = evidence(both, both)

    assert found.usual.evidence > found.evidence
    assert found.evidence < 1.5


def test_the_hour_before_lifts_what_the_same_minutes_say_and_no_further() -> None:
    found = evidence([0, 1, 0, 1, 0, 0], past=replace(USUAL, errors=0.0))

    assert found.usual.evidence > found.ratio.evidence**LIFTED
    assert found.evidence == pytest.approx(found.ratio.evidence**LIFTED)


def test_the_hour_before_weakens_nothing() -> None:
    bad_before = Past(requests=7000.0, errors=700.0, cluster=1.0, known=True)
    found = evidence([0, 1, 0, 1, 0, 0], past=bad_before)

    assert found.evidence == pytest.approx(min(found.ratio.evidence, found.share.evidence))


def test_a_view_goes_on_by_itself() -> None:
    found = evidence([1, 0, 1])
    before = found.evidence
    other = found.copy()
    tick = Tick(240.0, 60.0, {"c": Counts(12.0, 2.0)}, {"s": Counts(12.0, 0.0)})
    seen = scene(tick, began_at=0.0, known=["c"], shape=None)
    other.step(seen, seen.whole, CLEAR, None)

    assert other.evidence > found.evidence == before
    found.step(seen, seen.whole, CLEAR, None)
    assert found.evidence == other.evidence


def test_errors_that_came_alone_are_as_many_witnesses_and_those_of_one_tick_are_not() -> None:
    retried = Past(requests=7000.0, errors=7.0, cluster=2.0)

    assert evidence([1, 0, 1, 0, 1, 0], past=retried).evidence == evidence([1, 0, 1, 0, 1, 0]).evidence
    assert evidence([3, 0, 0, 3, 0, 0], past=retried).evidence < evidence([3, 0, 0, 3, 0, 0]).evidence


@pytest.mark.parametrize(
    ("past", "requests", "errors"),
    [
        (Past(), 2000.0, 1.0),
        (USUAL, 4500.0, 4.0),
        (Past(7000.0, 200.0), 179.1, 4.0),
        (Past(1e7, 3.0), 2e4, 0.008),
    ],
)
def test_the_last_hour_counts_for_few_errors_and_no_more_requests_than_elsewhere(
    past: Past, requests: float, errors: float
) -> None:
    found = known(past)

    assert found.requests == pytest.approx(requests, rel=1e-3)
    assert found.errors == pytest.approx(errors, rel=1e-3)
    assert found.errors <= KNOWN_ERRORS
    assert found.requests <= PAST_WEIGHT


def test_an_episode_ends_after_a_while_without_errors() -> None:
    found = Episodes()
    assert found.size == math.inf

    for at, ours, theirs in [(5, 2, 0), (10, 2, 1), (15, 0, 0), (20, 4, 0)]:
        found.add(float(at), 5.0, ours, theirs)

    assert found.size == pytest.approx(
        9.0 / 3
    )  # 5 and 10 s are one, 20 s is another, and stable's is its own


def test_of_ticks_of_a_second_those_within_five_are_one_episode() -> None:
    found = Episodes()
    for at, errors in [(1.0, 1.0), (3.0, 1.0), (6.0, 1.0), (13.0, 1.0)]:
        found.add(at, 1.0, errors)

    assert found.size == 2.0


def test_an_hour_that_stands_beside_it_already_is_not_dealt_out_again() -> None:
    found = ErrorsEvidence(USUAL, over_s=math.inf)
    tick = Tick(MINUTE_S, MINUTE_S, {"c": Counts(12.0, 3.0)}, {"before": Counts(200.0, 0.2)})
    seen = scene(tick, began_at=0.0, known=["c"], shape=None)
    found.step(seen, seen.whole, CLEAR, None)

    assert found.ratio.evidence > 1.0
    assert found.evidence == min(found.ratio.evidence, found.share.evidence)
