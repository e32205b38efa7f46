"""The candidate as a whole and without each pod: nothing gets lost, nobody is counted twice."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.view import WHOLE, grown_from, left_out, scene, spelled
from tests.unit.core.judge.hand_made import EDGES, all_in, buckets


def counts(requests: float, errors: float, slower: float = 1.0) -> Counts:
    return Counts(requests, errors, buckets(requests, slower))


TICK = Tick(
    1005.0, 5.0,
    {"a": counts(10, 1), "b": counts(20, 0, 2.0), "c": counts(30, 2)}, {"s": counts(90, 3), "t": counts(10, 0)},
    EDGES,
)  # fmt: skip
SHAPE = Shape.of(EDGES, buckets(1000.0), JudgeSettings())


def test_the_whole_is_all_pods_and_each_view_leaves_one_out() -> None:
    seen = scene(TICK, began_at=1000.0, known=["a", "b", "c"], shape=SHAPE)

    assert (seen.at, seen.span_s, seen.pods) == (5.0, 5.0, (3, 2))
    assert (seen.whole.requests, seen.whole.errors) == (60, 3)
    assert {view: (arm.requests, arm.errors) for view, arm in seen.views.items() if view != WHOLE} == {
        "a": (50, 2), "b": (40, 3), "c": (30, 1)
    }  # fmt: skip
    assert (seen.stable.requests, seen.stable.errors) == (100, 3)
    assert seen.stable.timed == pytest.approx(100)


def test_the_views_of_latency_add_up_too() -> None:
    seen = scene(TICK, began_at=1000.0, known=["a", "b", "c"], shape=SHAPE)
    assert SHAPE is not None

    rests = [arm for view, arm in seen.views.items() if view != WHOLE]
    assert sum(arm.score for arm in rests) == pytest.approx(2 * seen.whole.score)
    for number, edge in enumerate(SHAPE.looked_at):
        exact = sum(sum(one.slow[edge + 1 :]) for one in TICK.candidate.values())
        assert seen.whole.beyond[number] == pytest.approx(exact)
        assert seen.views["b"].beyond[number] < seen.views["a"].beyond[number]  # b is the slow one
    assert seen.score_variance > 0.5


def test_a_pod_that_is_not_in_this_tick_leaves_the_whole() -> None:
    seen = scene(TICK, began_at=1000.0, known=["a", "b", "c", "gone"], shape=SHAPE)

    assert seen.views["gone"] == seen.whole


def test_without_its_only_pod_a_candidate_did_nothing() -> None:
    alone = Tick(5.0, 5.0, {"a": counts(10, 1)}, {"s": counts(90, 3)}, EDGES)
    seen = scene(alone, began_at=0.0, known=["a"], shape=SHAPE)

    assert (seen.views["a"].requests, seen.views["a"].errors, seen.views["a"].timed) == (0, 0, 0)


def test_without_a_shape_or_buckets_latency_is_unknown() -> None:
    bare = Tick(5.0, 5.0, {"a": Counts(10, 1)}, {"s": Counts(90, 3)}, EDGES)

    for seen in (
        scene(TICK, began_at=0.0, known=["a"], shape=None),
        scene(bare, began_at=0.0, known=["a"], shape=SHAPE),
    ):
        assert (seen.whole.timed, seen.whole.beyond, seen.whole.score, seen.score_variance) == (
            0.0,
            (),
            0.0,
            0.0,
        )
        assert seen.whole.requests > 0


@given(
    bucket=st.integers(0, len(EDGES) - 1), asked=st.tuples(st.integers(1, 60), st.integers(1, 60)),
    usual=st.floats(1.0, 8.0),
)  # fmt: skip
def test_requests_that_are_all_as_fast_have_no_variance_and_never_less(
    bucket: int, asked: tuple[int, int], usual: float
) -> None:
    ours, theirs = (all_in(bucket, each) for each in asked)
    shape = Shape.of(EDGES, buckets(1000.0, usual), JudgeSettings())
    seen = scene(Tick(5.0, 5.0, {"a": ours}, {"s": theirs}, EDGES), began_at=0.0, known=["a"], shape=shape)

    assert 0.0 <= seen.score_variance < 1e-9


def test_a_tick_in_which_nobody_was_asked_is_a_scene_all_the_same() -> None:
    seen = scene(Tick(5.0, 5.0, {}, {}, EDGES), began_at=0.0, known=[], shape=SHAPE)

    assert (seen.whole.requests, seen.stable.requests, seen.pods, seen.score_variance) == (
        0.0,
        0.0,
        (0, 0),
        0.0,
    )


def test_of_four_pods_or_more_any_two_may_share_a_host() -> None:
    assert list(left_out(["a", "b", "c"])) == ["a", "b", "c"]
    assert len(list(left_out("abcd"))) == 4 + 6
    assert len(list(left_out("abcdefgh"))) == 8 + 15  # of the first six alone: their number does not explode


def test_a_view_of_two_leaves_both_out_whether_they_did_anything_or_not() -> None:
    tick = Tick(5.0, 5.0, {**TICK.candidate, "d": counts(40, 4)}, TICK.stable, EDGES)
    seen = scene(tick, began_at=0.0, known=["a", "b", "c", "d", "gone"], shape=SHAPE)

    assert (seen.views["a and d"].requests, seen.views["a and d"].errors) == (50, 2)
    assert seen.views["d and gone"] == seen.views["d"]


def test_a_view_that_comes_later_goes_on_from_what_was_known_of_its_pods() -> None:
    assert grown_from("d", {"a", "b"}) == WHOLE
    assert grown_from("a and d", {WHOLE, "a", "b"}) == "a"


def test_people_are_told_whom_a_view_leaves_out() -> None:
    assert (spelled("a"), spelled("a and b")) == ("pod a", "pods a and b")
