"""The emergency lane: what trips it, what must not, and that it only ever looks at its windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.emergency import EmergencyLane, Trip
from cd_provider.core.judge.past import Past

Side = tuple[float, float]  # requests, errors
FINE: Side = (45.0, 0.0)


def ticks(
    candidate: Sequence[Side], stable: Sequence[Side] | None = None, *, span_s: float = 1.0
) -> list[Tick]:
    """Give one tick after the other, each with what one pod of a side did."""
    others = stable or [FINE] * len(candidate)
    return [
        Tick(span_s * number, span_s, {"c": Counts(*one)}, {"s": Counts(*other)})
        for number, (one, other) in enumerate(zip(candidate, others, strict=True), 1)
    ]


def of_pods(rows: Sequence[Sequence[Side]]) -> list[Tick]:
    """Give ticks in which several pods of the candidate did something."""
    return [
        Tick(
            float(number), 1.0, {f"c{pod}": Counts(*one) for pod, one in enumerate(row)}, {"s": Counts(*FINE)}
        )
        for number, row in enumerate(rows, 1)
    ]


def usual(cluster: float = 1.0, share: float = 0.0) -> Past:
    """Say how often requests fail, and how many errors come together; a share of 0 is no past at all."""
    return Past(requests=20_000.0 if share else 0.0, errors=20_000.0 * share, cluster=cluster, known=True)


def trip(seen: Sequence[Tick], *, cluster: float = 1.0, share: float = 0.0) -> Trip | None:
    """Give the first trip."""
    lane = EmergencyLane(usual(cluster, share))
    return next((found for tick in seen if (found := lane.step(tick))), None)


def test_thirty_per_cent_of_five_requests_a_second_trip_within_seconds() -> None:
    found = trip(ticks([(5, 1), (5, 2), (5, 1), (5, 2)]))

    assert found is not None
    assert found.at <= 3.0
    assert found.chance <= 1e-4


def test_five_per_cent_trip_at_the_third_error() -> None:
    found = trip(ticks([(5, number % 4 == 0) for number in range(1, 61)]))

    assert found is not None
    assert found.at == 12.0
    assert (found.candidate.errors, found.for_s) == (3.0, 12.0)


def test_the_same_errors_are_usual_at_a_service_that_has_them() -> None:
    seen = ticks(
        [(5, number % 20 == 0) for number in range(1, 301)], [(45, number % 3 == 0) for number in range(300)]
    )

    assert trip(seen, share=0.01) is None


def test_one_request_and_its_retries_are_one_witness() -> None:
    burst = ticks([(5, 0), (5, 0), (8, 4), (5, 0), (5, 0)])

    assert trip(burst, cluster=4.0) is None
    assert trip(burst, cluster=1.0) is not None


def test_where_pods_differ_the_same_errors_are_less_surprising() -> None:
    seen = ticks([(50, 3)] * 60, [(450, 9)] * 60)
    alike, apart = (replace(usual(share=0.02), errors_differ=(one,) * 3) for one in (0.0, 0.3))

    def first(past: Past) -> float:
        lane = EmergencyLane(past)
        return next((found.at for tick in seen if (found := lane.step(tick))), float("inf"))

    assert first(alike) < 30.0 < first(apart)


def test_what_hits_both_sides_trips_nothing() -> None:
    assert trip(ticks([(5, 2)] * 30, [(45, 18)] * 30)) is None


@pytest.mark.parametrize("pods", [2, 3, 6])
def test_one_bad_pod_trips_nothing_and_all_bad_pods_do(pods: int) -> None:
    one = [[(5.0, 4.0)] + [(5.0, 0.0)] * (pods - 1)] * 20
    every = [[(5.0, 2.0)] * pods] * 20

    assert trip(of_pods(one)) is None
    assert trip(of_pods(every)) is not None


def test_one_error_at_a_second_pod_is_enough_where_it_fails_as_often_and_not_beside_a_broken_one() -> None:
    def found(at_the_first: float) -> Trip | None:
        fine: list[Side] = [(10.0, 0.0), (10.0, 0.0)]
        bad: list[Side] = [(10.0, at_the_first), (10.0, 0.0)]
        return trip(of_pods([*[fine] * 8, bad, bad, [(10.0, 0.0), (10.0, 1.0)]]), share=0.0005)

    few = found(2.0)

    assert few is not None
    assert few.at == 11.0
    assert found(8.0) is None


def test_two_bad_pods_of_four_may_be_one_bad_host_and_three_are_not() -> None:
    two, three = ([[(5.0, 4.0)] * bad + [(5.0, 0.0)] * (4 - bad)] * 20 for bad in (2, 3))

    assert trip(of_pods(two)) is None
    assert trip(of_pods(three)) is not None


def test_a_share_that_few_users_meet_is_left_to_the_other_lanes() -> None:
    assert trip(ticks([(1000, 20)] * 30, [(9000, 0)] * 30)) is None


def test_nothing_is_decided_without_a_new_error() -> None:
    lane = EmergencyLane(usual())
    first = [lane.step(tick) for tick in ticks([(5, 2), (5, 2), (5, 2)])]
    assert any(first)

    assert lane.step(Tick(4.0, 1.0, {"c": Counts(5, 0)}, {"s": Counts(*FINE)})) is None


def test_what_is_older_than_the_longest_window_does_not_count() -> None:
    far_apart = [(5, number % 31 == 0) for number in range(1, 400)]

    assert trip(ticks(far_apart)) is None


def test_after_a_reset_it_begins_anew() -> None:
    lane = EmergencyLane(usual())
    for tick in ticks([(5, 1), (5, 1)]):
        lane.step(tick)
    lane.reset()

    assert lane.step(Tick(3.0, 1.0, {"c": Counts(5, 1)}, {"s": Counts(*FINE)})) is None


@pytest.mark.parametrize(("later_s", "trips"), [(60.0, True), (600.0, False)])
def test_a_second_trip_takes_more_the_later_it_comes(later_s: float, trips: bool) -> None:
    """Three errors within seconds: soon after its return they convict; ten minutes later it takes more."""
    lane = EmergencyLane(usual(share=0.001))
    for tick in ticks([(5, 2), (5, 2)]):
        lane.step(tick)
    lane.reset()
    later = [
        replace(one, at=one.at + later_s)
        for one in ticks([(5, 1), *[(5, 0)] * 2, (5, 1), *[(5, 0)] * 3, (5, 1)])
    ]

    assert any(lane.step(tick) for tick in later) is trips


@given(st.lists(st.tuples(st.integers(1, 50), st.integers(0, 5)), min_size=3, max_size=30))
def test_more_errors_never_make_it_later(rows: list[tuple[int, int]]) -> None:
    def at(extra: int) -> float:
        found = trip(ticks([(float(m + 10), float(min(m + 10, a + extra))) for m, a in rows]))
        return found.at if found else float("inf")

    assert at(2) <= at(0)
