"""Brent's root finder: where it ends, to the last bit, as an independent port of the published algorithm does."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from cd_provider.core.judge.kayenta.root import Point, root


@pytest.mark.parametrize(
    ("lower", "upper", "function", "expected"),
    [
        pytest.param(0.0, 2.0, lambda x: x**3 - 2.0, 1.2599227999045635, id="smooth"),
        pytest.param(-1.0, 3.0, lambda x: x**9 - 0.01, 0.5994844223470904, id="flat"),
        pytest.param(-50.0, 3.0, lambda x: math.atan(x) + x / 9.0, -3.053883013793418e-06, id="wide"),
        pytest.param(-7.0, 3.0, lambda x: math.floor(x) + 0.5, 2.47955322265625e-05, id="a step"),
        pytest.param(0.0, 2.0, lambda x: x, 0.0, id="an end"),
    ],
)
def test_it_ends_where_the_algorithm_does(
    lower: float, upper: float, function: Callable[[float], float], expected: float
) -> None:
    ends = Point(lower, function(lower)), Point(upper, function(upper))

    assert root(function, *ends) == pytest.approx(expected, rel=1e-12, abs=1e-15)
