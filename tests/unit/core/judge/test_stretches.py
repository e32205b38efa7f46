"""Stretches of time: counted backwards from the end, and added up minute by minute to the same sums."""

from __future__ import annotations

import pytest

from cd_provider.core.judge.counts import Counts, Tick, together
from cd_provider.core.judge.stretches import chunks, minutes, together_over


def ticks(upto_s: float, *, span_s: float = 5.0, since_s: float = 0.0) -> list[Tick]:
    """Give ticks in which two pods count up, the second one only from the fifth minute on."""
    found = []
    for number in range(1, round((upto_s - since_s) / span_s) + 1):
        one, at = Counts(float(number), 1.0, (1.0, float(number) - 1.0)), since_s + number * span_s
        found.append(Tick(at, span_s, {}, {"a": one} | ({"b": one + one} if at > 300.0 else {})))
    return found


@pytest.mark.parametrize("length_s", [60.0, 300.0, 900.0])
@pytest.mark.parametrize("span_s", [5.0, 15.0])
@pytest.mark.parametrize("upto_s", [1800.0, 1870.0, 2040.0, 40.0])
def test_minutes_added_up_are_the_ticks_added_up(length_s: float, span_s: float, upto_s: float) -> None:
    seen = ticks(upto_s, span_s=span_s)

    plain = [
        {pod: together([it.stable[pod] for it in chunk if pod in it.stable]) for pod in ("a", "b")}
        for chunk in chunks(seen, length_s)
    ]

    found = list(together_over(minutes(seen), length_s))
    assert found == [{pod: one for pod, one in block.items() if one.requests} for block in plain]


@pytest.mark.parametrize(
    ("since_s", "lengths"), [(0.0, [60, 60]), (10.0, [50, 60]), (20.0, [60]), (90.0, [30])]
)
def test_a_part_at_the_beginning_is_left_out_unless_it_is_all_there_is(
    since_s: float, lengths: list[float]
) -> None:
    seen = ticks(120.0, since_s=since_s)

    assert [5.0 * len(chunk) for chunk in chunks(seen, 60.0)] == lengths


def test_no_ticks_are_no_stretches() -> None:
    assert not list(chunks([], 60.0))
    assert not minutes([])
    assert not list(together_over([], 60.0))
