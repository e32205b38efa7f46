"""What a metric is called, and the holes that Kayenta is known for: they are kept, since a shadow has to have them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.judge.kayenta.mann_whitney import Shift, shift
from cd_provider.core.judge.kayenta.metric import (
    Classified,
    Direction,
    EffectSize,
    Label,
    Metric,
    classify,
    prepare,
)

RISING = Metric(name="errors", direction="increase")
LOW, HIGH = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5], [3.0, 3.1, 3.2, 3.3, 3.4, 3.5]
NUMBERS = st.lists(st.integers(-50, 50).map(float), min_size=2, max_size=12)


@pytest.mark.parametrize(
    ("worse", "expected"), [pytest.param(7, "Pass", id="7 of 10"), pytest.param(8, "High", id="8 of 10")]
)
def test_seven_of_ten_points_a_hundred_times_worse_pass(worse: int, expected: Label) -> None:
    # spinnaker/kayenta, issue 780
    assert classify(RISING, [1.0] * (10 - worse) + [100.0] * worse, [1.0] * 10).label == expected


@pytest.mark.parametrize(
    ("with_errors", "expected"),
    [pytest.param(6, "Pass", id="6 of 30"), pytest.param(12, "Pass", id="12 of 30")],
)
def test_sparse_errors_against_none_at_all_pass(with_errors: int, expected: Label) -> None:
    # spinnaker/kayenta, issues 377, 426 and 799
    assert classify(RISING, [0.0] * (30 - with_errors) + [0.05] * with_errors, [0.0] * 30).label == expected


def test_a_shift_that_may_be_small_beside_its_estimate_passes() -> None:
    stable = [1.0, 1.01, 1.02, 1.03, 1.04]

    assert (
        classify(RISING, [2.5, 9.0, 9.1, 9.2, 9.3], stable).label == "Pass"
    )  # 1.46 at least, 8.08 most likely
    assert classify(RISING, [5.1, 9.0, 9.1, 9.2, 9.3], stable).label == "High"


def test_a_wider_spread_passes() -> None:
    # spinnaker/kayenta, issue 780
    wide = [1.0 + (5.0 if minute % 2 else -0.9) for minute in range(30)]

    assert classify(RISING, wide, [1.0 + minute / 1000 for minute in range(30)]).label == "Pass"


@pytest.mark.parametrize(
    ("direction", "candidate", "expected"),
    [
        ("increase", HIGH, "High"), ("decrease", HIGH, "Pass"), ("either", HIGH, "High"),
        ("increase", [-one for one in HIGH], "Pass"), ("decrease", [-one for one in HIGH], "Low"),
        ("either", [-one for one in HIGH], "Low"),
    ],
)  # fmt: skip
def test_only_the_direction_asked_for_fails(
    direction: Direction, candidate: list[float], expected: Label
) -> None:
    assert classify(Metric(name="m", direction=direction), candidate, LOW).label == expected


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        pytest.param(Metric(name="m"), ("Nodata", False), id="nothing asked"),
        pytest.param(Metric(name="m", must_have_data=True), ("NodataFailMetric", False), id="must have data"),
        pytest.param(Metric(name="m", critical=True), ("Nodata", True), id="critical"),
        pytest.param(
            Metric(name="m", critical=True, must_have_data=True), ("Nodata", True), id="critical and must"
        ),
        pytest.param(
            Metric(name="m", nan="replace", critical=True), ("Pass", False), id="replaced: silence passes"
        ),
    ],
)
def test_what_no_data_is_called(metric: Metric, expected: tuple[Label, bool]) -> None:
    found = classify(metric, [], LOW)

    assert (found.label, found.critical) == expected
    assert "candidate" in found.reason


def test_no_data_names_the_side() -> None:
    assert classify(RISING, LOW, [None, float("nan")]).reason == "errors: no points of stable"


def test_zeros_take_the_place_of_what_is_missing_only_when_asked() -> None:
    gaps = [2.0, None, 2.0, None]

    assert prepare(RISING, gaps) == [2.0, 2.0]
    assert prepare(Metric(name="m", nan="replace"), gaps) == [2.0, 0.0, 2.0, 0.0]


def test_outliers_are_left_out_after_what_is_missing_was_replaced() -> None:
    points = [None, *[10.0, 10.1, 10.2, 10.3] * 30]

    kept = prepare(Metric(name="m", nan="replace", outliers="remove"), points)

    assert kept == points[1:]


def test_a_percentile_keeps_what_the_quartiles_would_not() -> None:
    points = [1.0] * 50 + [9.0] * 2  # the quartiles are 1; the 99th percentile of 52 is 9

    assert prepare(Metric(name="m", outliers="remove"), points) == points


def verdict(effect: EffectSize, *, critical: bool = False) -> Classified:
    return classify(Metric(name="m", critical=critical, effect=effect), HIGH, LOW)  # the means' ratio is 2.6


def test_an_effect_smaller_than_allowed_passes() -> None:
    assert verdict(EffectSize(allowed_increase=2.5)).label == "High"
    assert verdict(EffectSize(allowed_increase=2.7)).label == "Pass"
    assert verdict(EffectSize(measure="cles", allowed_increase=1.0)).label == "High"
    assert verdict(EffectSize(measure="cles", allowed_increase=1.01)).label == "Pass"


def test_a_metric_is_critical_only_from_its_critical_effect_on() -> None:
    found = [verdict(EffectSize(critical_increase=most), critical=True) for most in (2.5, 2.7)]

    assert [(one.label, one.critical) for one in found] == [("High", True), ("High", False)]
    assert verdict(EffectSize()).critical is False


def test_a_mean_of_zero_ignores_the_effect() -> None:
    found = classify(Metric(name="m", effect=EffectSize(allowed_increase=50.0)), LOW, [0.0] * 6)

    assert (found.label, found.ratio) == ("High", None)


def test_a_mean_that_fell_is_no_increase() -> None:
    # ranks say High, but one huge point of stable's makes its mean the larger one
    assert (
        classify(
            RISING, [2.0 + n / 100 for n in range(20)], [*[1.0 + n / 100 for n in range(19)], 500.0]
        ).label
        == "Pass"
    )


def test_one_value_a_side_is_compared_the_same_way_every_time() -> None:
    found = {classify(RISING, [10.0] * 5, [9.99] * 5) for _ in range(5)}

    assert {one.label for one in found} == {"High"}
    assert shift([10.0] * 5, [1.0] * 7) == Shift(9.0, 9.0, 9.0)


def test_one_point_against_one_is_an_error() -> None:
    found = classify(RISING, [1.1], [1.0])

    assert (found.label, found.critical) == ("Error", False)
    assert "one point against one" in found.reason


def test_the_reason_has_the_numbers() -> None:
    found = classify(
        Metric(name="p99", critical=True), [11.0, 12.0, 13.0, 14.0, 15.0], [1.0, 2.0, 3.0, 4.0, 5.0]
    )

    assert found.reason == "p99 High, critical: by 10, from 6 to 14"


@given(ours=NUMBERS, theirs=NUMBERS)
def test_the_sides_mirror_each_other(ours: list[float], theirs: list[float]) -> None:
    one, other = shift(ours, theirs), shift(theirs, ours)

    assert one.lower == pytest.approx(-other.upper, abs=1e-4)
    assert one.upper == pytest.approx(-other.lower, abs=1e-4)
    assert one.lower <= one.upper + 1e-4
