"""Ticks of little traffic wait for each other, lose nothing, and are let go of in time."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.judge import thin
from cd_provider.core.judge.counts import Counts, Tick, bare
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.thin import Thin
from tests.unit.core.judge.hand_made import EDGES, buckets


def tick(at: float, ours: float, theirs: float, *, errors: float = 0.0, span_s: float = 5.0) -> Tick:
    candidate = {"c": Counts(ours, errors, buckets(ours))}
    return Tick(at, span_s, candidate, {"s": Counts(theirs, 0.0, buckets(theirs))}, EDGES)


def given_by(many: list[Tick]) -> list[Tick]:
    one = Thin()
    return [
        found for number, each in enumerate(many, 1) if (found := one.add(each, last=number == len(many)))
    ]


def test_a_tick_with_requests_enough_is_given_as_it_is() -> None:
    busy = tick(5.0, thin.ENOUGH, thin.ENOUGH)

    assert Thin().add(busy) is busy


def test_few_requests_wait_until_both_sides_have_had_some() -> None:
    (found,) = given_by([tick(5.0 * number, 2.0, 3.0, errors=1.0) for number in (1, 2, 3)])

    assert (found.at, found.span_s, found.edges) == (15.0, 15.0, EDGES)
    assert (bare(found.candidate), bare(found.stable)) == (Counts(6.0, 3.0), Counts(9.0, 0.0))
    assert sum(found.candidate["c"].slow) == pytest.approx(6.0)


def test_nobody_waits_longer_than_a_minute() -> None:
    found = given_by([tick(5.0 * number, 0.25, 100.0) for number in range(1, 25)])

    assert [one.span_s for one in found] == [60.0, 60.0]


@pytest.mark.parametrize("sides", [(0.0, 3.0), (0.0, 500.0), (25.0, 0.0)])
def test_a_side_that_is_not_there_is_not_waited_for(sides: tuple[float, float]) -> None:
    alone = tick(5.0, *sides)

    assert Thin().add(alone) is alone


def test_at_the_end_there_is_nothing_to_wait_for() -> None:
    few = tick(1800.0, 1.0, 1.0)

    assert Thin().add(few, last=True) is few


def test_latencies_in_other_buckets_are_left_out_and_their_requests_are_not() -> None:
    other = replace(tick(5.0, 4.0, 4.0), edges=(0.1, 1.0))

    (found,) = given_by([other, tick(10.0, 8.0, 8.0)])

    assert found.candidate["c"].requests == 12.0
    assert sum(found.candidate["c"].slow) == pytest.approx(8.0)


@given(
    st.lists(
        st.tuples(st.integers(0, 15), st.integers(0, 15), st.integers(0, 3)),
        min_size=1,
        max_size=40,
    )
)
def test_nothing_is_lost_and_nothing_counted_twice(rows: list[tuple[int, int, int]]) -> None:
    many = [
        tick(5.0 * number, ours, theirs, errors=min(errors, ours))
        for number, (ours, theirs, errors) in enumerate(rows, 1)
    ]

    found = given_by(many)

    for side in ("candidate", "stable"):
        whole = sum((bare(getattr(one, side)) for one in many), Counts())
        assert sum((bare(getattr(one, side)) for one in found), Counts()) == whole
    assert sum(one.span_s for one in found) == sum(one.span_s for one in many)
    assert all(one.span_s <= thin.LONGEST_S for one in found)


def test_errors_count_that_stable_was_not_asked_beside() -> None:
    """Two pods are asked every ten seconds, stable in the ticks between: each tick alone would compare nothing."""
    judge = Judge(JudgeSettings(max_s=1200.0, latency=False))
    for number in range(1, 241):
        ours = {f"c{pod}": Counts(1.0, float(number % 8 == 2 * pod)) for pod in (0, 1)}
        asked = (
            (ours, {"s": Counts()})
            if number % 2 == 0
            else ({pod: Counts() for pod in ours}, {"s": Counts(4.0)})
        )
        if (found := judge.step(Tick(5.0 * number, 5.0, *asked))) and found.kind == "FAIL":
            break

    assert judge.verdict is not None
    assert judge.verdict.kind == "FAIL"


def test_while_ticks_wait_nothing_passes() -> None:
    """All is well until five seconds before a PASS may come; then one request comes, and no other."""
    judge = Judge(JudgeSettings(latency=False, fresh=True, min_s=300.0))
    for number in range(1, 70):
        ours = 1000.0 if number < 59 else float(number == 59)
        judge.step(tick(5.0 * number, ours, 4000.0))

    assert judge.at > judge.settings.least_s
    assert judge.verdict is None
