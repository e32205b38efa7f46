"""Raw samples: every difference once, whatever arrives twice, late, anew or as nonsense."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.judge.series import Follower, Notes, Series, Step
from cd_provider.exceptions import ArgumentError

Samples = list[tuple[float, float]]


def follow(*answers: Samples, from_zero: bool = False) -> tuple[list[Step], Notes]:
    """Give the steps of one series, and the notes, after these answers of the server."""
    follower, notes = Follower(from_zero=from_zero), Notes()
    steps = [
        step for answer in answers for step in follower.steps(Series("s", "candidate", "p", answer), notes)
    ]
    return steps, notes


def test_differences_are_taken_between_samples() -> None:
    steps, notes = follow([(10, 100), (15, 107), (20, 107)])

    assert steps == [Step(15, 7), Step(20, 0)]
    assert notes.line == ""


def test_a_series_born_while_we_look_counts_from_nothing() -> None:
    assert follow([(10, 5), (15, 6)], from_zero=True)[0] == [Step(10, 5), Step(15, 1)]


def test_answers_that_overlap_count_nothing_twice() -> None:
    steps, notes = follow([(10, 100), (15, 107)], [(10, 100), (15, 107), (20, 110)], [(20, 110)])

    assert steps == [Step(15, 7), Step(20, 3)]
    assert notes.line == ""


def test_a_counter_that_began_anew_gives_what_it_has_since() -> None:
    steps, notes = follow([(10, 100), (15, 4), (20, 9)])

    assert steps == [Step(15, 4, reset=True), Step(20, 5)]
    assert notes.line == "1 counter reset(s)"


def test_a_new_beginning_that_the_values_hide_counts_less_and_never_more() -> None:
    """It stood at 100, began anew, and had 130 by the next sample: nobody can see more than 30 of them."""
    steps, notes = follow([(10, 100), (15, 130)])

    assert steps == [Step(15, 30)]
    assert notes.resets == 0


def test_what_arrives_late_is_in_the_next_difference_already() -> None:
    steps, notes = follow([(10, 100), (20, 110)], [(15, 107), (25, 111)])

    assert steps == [Step(20, 10), Step(25, 1)]
    assert notes.line == "1 late sample(s)"


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_passed_over(value: float) -> None:
    steps, notes = follow([(10, 100), (15, value), (20, 103)])

    assert steps == [Step(20, 3)]
    assert notes.line == "1 sample(s) without a value"


def test_what_falls_below_nothing_is_no_counter() -> None:
    with pytest.raises(ArgumentError, match="no counter: saw -1"):
        follow([(10, 5), (15, -1)])


@pytest.mark.parametrize(
    "values",
    [[50, 57, 43] * 6, [1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 1, 5, 9, 13, 2]],
    ids=["a gauge", "a process that ends every twenty seconds"],
)
def test_what_falls_again_and_again_is_no_counter(values: list[int]) -> None:
    with pytest.raises(ArgumentError, match=r"^s fell 4 times in \d+ samples, expected a counter"):
        follow([(5.0 * number, value) for number, value in enumerate(values)])


def test_a_process_that_ends_once_in_a_while_is_still_counted() -> None:
    values = [number % 12 for number in range(96)]

    steps, notes = follow([(5.0 * number, value) for number, value in enumerate(values)])

    assert notes.resets == 7
    assert len(steps) == 95


counters = st.lists(st.integers(0, 50), min_size=1, max_size=30)


@settings(deadline=None)  # a busy machine is no fault of the code
@given(counters, st.data())
def test_however_the_samples_are_cut_into_answers_the_sum_is_the_same(
    grown: list[int], data: st.DataObject
) -> None:
    samples = [(5.0 * number, float(sum(grown[: number + 1]))) for number in range(len(grown))]
    cut = data.draw(st.integers(0, len(samples)))
    overlap = data.draw(st.integers(0, cut))

    whole, _ = follow(samples, from_zero=True)
    parts, notes = follow(samples[:cut], samples[cut - overlap :], from_zero=True)

    assert parts == whole
    assert sum(step.amount for step in whole) == sum(grown)
    assert notes == Notes()


@settings(deadline=None)  # a busy machine is no fault of the code
@given(st.permutations(range(8)))
def test_the_order_within_an_answer_does_not_matter(order: list[int]) -> None:
    samples = [(float(number), float(number**2)) for number in range(8)]

    assert follow([samples[number] for number in order]) == follow(samples)
