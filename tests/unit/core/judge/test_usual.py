"""What stable does of itself: from the hour before, and learned beside the candidate."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.usual import ASSUMED, HALF_LIFE_S, PAST_WEIGHT, Usual


def fed(past: Past, rows: Sequence[Sequence[float]], *, requests: float = 15.0, span_s: float = 1.0) -> Usual:
    """Show it ticks in which stable's pods had so many errors each."""
    found = Usual(past)
    for number, row in enumerate(rows, 1):
        pods = {f"s{pod}": Counts(requests, errors) for pod, errors in enumerate(row)}
        found.add(Tick(number * span_s, span_s, {}, pods))
    return found


def test_of_a_service_nothing_is_known_of_one_error_in_two_thousand_that_comes_alone_is_assumed() -> None:
    assert Usual(Past()).share == ASSUMED.error_share == 1 / 2000
    assert Usual(Past()).cluster == 1.0


def test_the_hour_before_counts_no_more_than_its_weight() -> None:
    """So that what happens now is seen however large the service is."""
    large, enough = (Usual(Past(requests=n, errors=n * 0.01)).share for n in (1e9, PAST_WEIGHT))

    assert large == pytest.approx(enough)
    assert large == pytest.approx(0.01, rel=0.1)


def test_a_share_is_learned_beside_the_candidate() -> None:
    found = fed(Past(), [(1, 0, 0), *[(0, 0, 0)] * 3, (0, 1, 0), *[(0, 0, 0)] * 3] * 30)

    assert found.share == pytest.approx(1 / (4 * 45), rel=0.25)


@pytest.mark.parametrize("pods", [1, 3])
def test_errors_that_come_together_are_learned_as_such(pods: int) -> None:
    """Four at one moment, every twenty seconds: one request and its retries."""
    rows = [tuple(4.0 * (n % 20 == 0 and pod == n // 20 % pods) for pod in range(pods)) for n in range(300)]
    alone = [tuple(1.0 * (n % 5 == 0 and pod == n // 5 % pods) for pod in range(pods)) for n in range(300)]

    assert fed(Past(), rows).cluster > 2.0
    assert fed(Past(), alone).cluster == 1.0


def test_where_it_is_about_a_verdict_errors_come_in_pairs_until_many_have_come_alone() -> None:
    alone = [(1.0 * (n % 5 == 0), 0.0, 0.0) for n in range(600)]
    few, more = (fed(Past(), alone[:count]).together for count in (25, 600))

    assert Usual(Past()).together == 2.0
    assert 1.5 < few < 2.0
    assert 1.0 <= more < 1.2


def test_where_it_is_about_a_verdict_an_incident_teaches_nothing() -> None:
    """Pods that are all out fail alike, which is no sign that errors come alone."""
    assert fed(Past(), [(15.0, 15.0, 15.0)] * 30).together == 2.0
    assert fed(Past(), [(4.0, 3.0, 5.0)] * 30).together == 2.0


def test_what_the_last_hour_has_counted_is_not_learned_anew() -> None:
    known = fed(Past(requests=1e5, errors=100.0, cluster=1.5, known=True), [(4.0, 0.0, 0.0)] * 100)

    assert known.cluster == known.together == 1.5


def test_an_outage_of_stable_is_forgotten() -> None:
    outage = [(15.0, 15.0, 15.0)] * 30
    quiet = [(0.0, 0.0, 0.0)] * round(10 * HALF_LIFE_S)

    assert fed(Past(), outage).share > 0.3
    assert fed(Past(), outage + quiet).share < 1e-3


def test_ticks_of_one_second_and_of_five_say_the_same() -> None:
    fine = [(1.0 * (n % 7 == 0), 0.0, 2.0 * (n % 31 == 0)) for n in range(300)]
    coarse = [tuple(sum(row[pod] for row in fine[n : n + 5]) for pod in range(3)) for n in range(0, 300, 5)]

    one, five = fed(Past(), fine), fed(Past(), coarse, requests=75.0, span_s=5.0)

    assert one.cluster == five.cluster
    assert one.share == pytest.approx(five.share, rel=0.01)
