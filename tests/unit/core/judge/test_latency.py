"""Latency buckets: what "ten per cent slower" is in them, against a log-normal whose every share is known."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.judge.latency import EXCEEDED_BY, LEAST, Shape
from cd_provider.core.judge.settings import JudgeSettings
from tests.unit.core.judge.hand_made import EDGES, beyond, buckets

SETTINGS = JudgeSettings()


def shape(edges: tuple[float, ...] = EDGES, slower: float = 1.0) -> Shape:
    found = Shape.of(edges, buckets(10_000.0, slower, edges), SETTINGS)
    assert found is not None
    return found


@pytest.mark.parametrize("times", [1.0, 1.05, 1.1, 1.25, 2.5])
def test_a_shift_of_a_log_normal_is_what_it_is_beyond_every_edge(times: float) -> None:
    found = shape()

    for edge, share, then in zip(found.edges, found.beyond, found.slower(times), strict=True):
        if 1e-4 < share < 1 - 1e-4 and beyond(edge, times) < 1 - 1e-4:
            assert share == pytest.approx(beyond(edge))
            assert then == pytest.approx(beyond(edge, times), rel=0.03)


def test_what_is_tolerated_at_each_edge_is_the_exact_quotient() -> None:
    found = shape()

    for edge, warm, cold in zip(found.looked_at, *found.tolerated, strict=True):
        at = found.edges[edge]
        assert warm == pytest.approx(beyond(at, 1.1) / beyond(at), rel=0.03)
        assert cold == pytest.approx(min(1e3, beyond(at, 2.5) / beyond(at)), rel=0.05)


def test_the_edges_looked_at_are_nearest_to_the_middle_and_three_parts_of_the_tail() -> None:
    found = shape()

    assert [found.edges[edge] for edge in found.looked_at] == [0.05, 0.1, 0.25, 0.5]
    for edge, wanted in zip(found.looked_at, EXCEEDED_BY, strict=True):
        off = [abs(math.log(share / wanted)) for share in found.beyond]
        assert off[edge] == min(off)


def test_the_scores_grow_by_what_a_candidate_that_much_slower_shows() -> None:
    found = shape()
    score = [
        sum(count * score for count, score in zip(buckets(1.0, times), found.scores, strict=True))
        for times in (1.0, SETTINGS.ignore.latency, SETTINGS.unacceptable.latency)
    ]

    assert found.ignored == pytest.approx(score[1] - score[0], rel=0.03)
    assert found.unacceptable == pytest.approx(score[2] - score[0], rel=0.03)
    assert 0.0 < found.ignored < found.unacceptable


@pytest.mark.parametrize(
    "edges", [(), (math.inf,), (0.1, math.inf), (0.1, 0.2, math.inf), (0.1, 0.2)], ids=str
)
def test_fewer_than_three_edges_have_no_shape(edges: tuple[float, ...]) -> None:
    assert Shape.of(edges, [10.0] * len(edges), SETTINGS) is None


def test_no_requests_have_no_shape() -> None:
    assert Shape.of(EDGES, [0.0] * len(EDGES), SETTINGS) is None


@pytest.mark.parametrize("where", [0, len(EDGES) - 1], ids=["in the first", "beyond the last"])
def test_where_all_lie_in_one_bucket_nothing_can_be_told_and_nothing_breaks(where: int) -> None:
    found = Shape.of(EDGES, [1e6 * (place == where) for place in range(len(EDGES))], SETTINGS)

    assert found is not None
    assert set(found.beyond) == ({LEAST} if where == 0 else {1.0 - LEAST})
    assert found.unacceptable == pytest.approx(0.0, abs=1e-6)
    assert all(times == pytest.approx(1.0) for times in found.tolerated[0])


@settings(deadline=None, max_examples=50)
@given(
    st.lists(st.integers(0, 1000), min_size=4, max_size=12).filter(any),
    st.floats(1.0, 3.0), st.floats(1.0, 3.0),
)  # fmt: skip
def test_slower_is_never_less_beyond_an_edge_whatever_the_buckets(
    counts: list[int], times: float, more: float
) -> None:
    edges = (*(0.01 * 2.0**place for place in range(len(counts) - 1)), math.inf)
    found = Shape.of(edges, [float(count) for count in counts], SETTINGS)

    assert found is not None
    for now, then, later in zip(found.beyond, found.slower(times), found.slower(times * more), strict=True):
        assert now <= then + 1e-12
        assert then <= later + 1e-12
    assert all(1.0 <= times <= 1e3 for side in found.tolerated for times in side)


def test_the_last_bucket_needs_no_infinite_edge() -> None:
    assert shape(EDGES[:-1]).beyond == pytest.approx(shape().beyond, abs=1e-5)
