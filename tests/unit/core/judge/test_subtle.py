"""The subtle lane: a sum, its variance that bursts pay for, and two boundaries."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.drift import BLOCKS_S, Blocks, Drift, over
from cd_provider.core.judge.likelihood import share_of
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.ranks import Contrast, contrast
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.subtle import SubtleLane
from cd_provider.core.judge.view import WHOLE, Arm, Scene, scene

SAME = (0.0, 0.0, 0.0)


def seen(at: float, span_s: float = 5.0, pods: tuple[int, int] = (2, 2)) -> Scene:
    nothing = Arm(0, 0)
    return Scene(at, span_s, nothing, {WHOLE: nothing}, nothing, pods, Contrast(), 0.0)


def add(
    to: Drift, tick: Scene, amounts: dict[str, float], *, chance: float = 0.0, scale: float = 0.0
) -> None:
    to.add(tick, amounts, over(tick), chance=chance, scale=scale)


def drift(
    amounts: list[float], *, differs: tuple[float, ...] = SAME, chance: float = 0.0, scale: float = 0.0
) -> Drift:
    found = Drift(differs)
    for number, amount in enumerate(amounts, 1):
        add(found, seen(5.0 * number), {WHOLE: amount}, chance=chance, scale=scale)
    return found


@settings(deadline=None, max_examples=25)
@given(st.floats(1.0, 1e6), st.integers(0, 5), st.integers(1, 30))
def test_a_burst_of_any_size_is_one_deviation_at_most(size: float, before: int, ticks: int) -> None:
    """In one tick or spread over up to two and a half minutes, within one block; across its end it may be √2."""
    amounts = [0.0] * (30 * before) + [size / ticks] * ticks
    length = next(block for block in BLOCKS_S if block >= 5.0 * ticks)

    assert length <= BLOCKS_S[-1]
    assert drift(amounts).deviations()[0] <= 1.0 + 1e-9


@pytest.mark.parametrize("agree", [4, 9, 16])
def test_it_takes_as_many_blocks_that_agree_as_the_square_of_the_deviations(agree: int) -> None:
    long = round(BLOCKS_S[-1] / 5.0)

    assert drift([1.0] * (agree * long)).deviations()[0] == pytest.approx(math.sqrt(agree))


def test_blocks_end_on_the_clock_and_the_open_one_counts() -> None:
    blocks, ten = Blocks(), BLOCKS_S.index(10.0)
    for number in range(1, 6):  # 5, 10 | 15, 20 | 25
        blocks.add(1.0, over(seen(5.0 * number)))

    assert (blocks.closed[ten], blocks.open[ten], blocks.squares[ten]) == (8.0, 1.0, 9.0)


@pytest.mark.parametrize("span_s", [1.0, 5.0])
def test_the_same_seconds_in_other_ticks_give_the_same_long_blocks(span_s: float) -> None:
    blocks = Blocks()
    for number in range(1, round(600 / span_s) + 1):
        blocks.add(span_s, over(seen(number * span_s, span_s)))

    assert blocks.squares[BLOCKS_S.index(150.0)] == pytest.approx(4 * 150.0**2)


def test_what_pods_differ_by_here_is_no_evidence_however_long_it_lasts() -> None:
    """A candidate worse by one standard deviation of a pod's usual differences."""
    differs = (0.04, 0.04, 0.04)

    for ticks in (60, 360):
        found = drift([0.2] * ticks, differs=differs, scale=1.0)
        assert found.deviations()[0] <= 1.0 + 1e-9


def test_more_pods_make_the_same_difference_weigh_more() -> None:
    few, many = Drift((0.04,) * 3), Drift((0.04,) * 3)
    for number in range(1, 361):
        add(few, seen(5.0 * number, pods=(1, 1)), {WHOLE: 1.0}, scale=4.0)
        add(many, seen(5.0 * number, pods=(4, 4)), {WHOLE: 1.0}, scale=4.0)

    assert many.deviations()[0] == pytest.approx(2.0 * few.deviations()[0])


def test_the_strongest_pod_is_named_and_a_lone_one_is_not_left_out() -> None:
    pair, alone = Drift(SAME), Drift(SAME)
    add(pair, seen(5.0), {WHOLE: 5.0, "a": 4.0, "b": 1.0}, chance=1.0)
    add(alone, seen(5.0), {WHOLE: 5.0, "a": 0.0}, chance=1.0)

    assert (pair.strongest, pair.deviations()) == ("b", (1.0, 0.2))
    assert (alone.strongest, alone.deviations()) == ("", (1.0, 1.0))


def test_a_side_without_requests_says_nothing() -> None:
    assert share_of(1.25, 0, 10) == share_of(1.25, 10, 0) == 0.0
    assert contrast(Arm(5, 0).scored, Arm(5, 0, timed=5.0).scored) == (0.0, 0.0)


def test_the_expected_share_is_that_of_so_many_times_the_errors() -> None:
    assert share_of(1.25, 40, 50) == pytest.approx(0.5)


def run(times: float, how: JudgeSettings, *, upto_s: float = 1800.0, seed: int = 0) -> SubtleLane:
    """Judge errors that come as chance has them, one in a hundred at stable."""
    dice, found = random.Random(seed), SubtleLane(how, Past(cluster=1.0, errors_differ=SAME))
    for number in range(1, round(upto_s / 5.0) + 1):
        ours = {
            f"c{pod}": Counts(100.0, float(sum(dice.random() < 0.01 * times for _ in range(100))))
            for pod in "ab"
        }
        theirs = {
            f"s{pod}": Counts(100.0, float(sum(dice.random() < 0.01 for _ in range(100)))) for pod in "ab"
        }
        found.step(
            scene(Tick(5.0 * number, 5.0, ours, theirs), began_at=0.0, known=list(ours), shape=None), None
        )
    return found


def test_half_as_many_errors_again_are_found_and_none_more_are_not() -> None:
    how = JudgeSettings(fresh=True)

    worse, same = (run(times, how).look(1800.0) for times in (1.8, 1.0))

    assert worse is not None
    assert same is not None
    assert worse[0].convicts
    assert not same[0].convicts
    assert same[0].deviations < 0.0


def test_while_it_is_too_early_it_says_nothing() -> None:
    assert run(3.0, JudgeSettings(fresh=True), upto_s=115.0).look(115.0) is None
    assert run(3.0, JudgeSettings(), upto_s=180.0).look(180.0) is None


def test_the_second_boundary_never_rises_and_ends_at_its_own_level() -> None:
    how = JudgeSettings(fresh=True)
    lane, keen = SubtleLane(how, Past()), SubtleLane(replace(how, alpha=0.20), Past())
    heights = [lane._height(at) for at in range(60, 3600, 10)]

    assert heights == sorted(heights, reverse=True)
    assert lane._height(how.max_s) == pytest.approx(2.5589, abs=1e-3)  # of 0.525 %
    assert lane._height(1e5) == lane._height(how.max_s)
    assert lane._height(600.0) > keen._height(600.0)


def test_where_it_stands_is_asked_anew_after_every_tick_and_for_every_second() -> None:
    lane = run(1.3, JudgeSettings(fresh=True), upto_s=600.0)
    before = lane.look(600.0)

    assert before is not None
    assert lane.look(600.0) is before
    worse = Tick(605.0, 5.0, {"c": Counts(200.0, 50.0)}, {"s": Counts(200.0, 0.0)})
    lane.step(scene(worse, began_at=0.0, known=["c"], shape=None), None)
    after = lane.look(605.0)
    assert after is not None
    assert after[0].deviations > before[0].deviations
