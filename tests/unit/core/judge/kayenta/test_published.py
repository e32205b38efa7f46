"""
What Kayenta's own tests expect, from inputs to label, interval, effect and score.

``vectors.json`` has their longer samples; each case names the file in spinnaker/kayenta that it comes from.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest

from cd_provider.core.judge.kayenta.mann_whitney import Statistic, shift
from cd_provider.core.judge.kayenta.metric import (
    Classified,
    EffectSize,
    Label,
    Metric,
    classify,
    cles,
    mean_ratio,
    percentile,
    prepare,
)
from cd_provider.core.judge.kayenta.score import score

VECTORS = json.loads((Path(__file__).parent / "vectors.json").read_text())
KEPT = VECTORS["samples"]
NAN = float("nan")


def cases(kind: str) -> list[Any]:
    return [pytest.param(case, id=case["name"]) for case in VECTORS[kind]["cases"]]


def samples(case: dict[str, Any]) -> tuple[list[float], list[float]]:
    return KEPT[case["candidate"]], KEPT[case["stable"]]


def metric(case: dict[str, Any]) -> Metric:
    allowed, critical = case.get("allowed", (None, None)), case.get("critical_from", (None, None))
    effect = EffectSize(
        measure=case.get("measure", "meanRatio"),
        allowed_decrease=allowed[0],
        allowed_increase=allowed[1],
        critical_decrease=critical[0],
        critical_increase=critical[1],
    )
    return Metric(
        name=case["name"],
        direction=case["direction"],
        nan=case.get("nan", "remove"),
        critical=case.get("critical", False),
        effect=effect,
    )


@pytest.mark.parametrize("case", cases("labels"))
def test_a_published_sample_gets_its_label(case: dict[str, Any]) -> None:
    interval = partial(shift, level=case["level"])

    found = classify(metric(case), *samples(case), interval=interval, tolerance=case["tolerance"])

    assert found.label == case.get("label", found.label)
    assert found.critical is case.get("is_critical", found.critical)
    assert found.ratio == case.get("ratio", found.ratio)
    assert found.reason


@pytest.mark.parametrize("case", cases("intervals"))
def test_a_published_sample_gets_its_interval(case: dict[str, Any]) -> None:
    found = shift(*samples(case), level=case["level"])

    assert found.lower == pytest.approx(case["lower"], abs=1e-6)
    assert found.upper == pytest.approx(case["upper"], abs=1e-6)
    assert found.estimate == pytest.approx(case["estimate"], abs=case["estimate_within"])


@pytest.mark.parametrize("case", cases("statistic"))
def test_a_published_sample_gets_its_statistic(case: dict[str, Any]) -> None:
    assert Statistic(*samples(case))(case["shift"]) == pytest.approx(case["statistic"], abs=1e-6)


NIST = [
    95.1772,
    95.1567,
    95.1937,
    95.1959,
    95.1442,
    95.0610,
    95.1591,
    95.1195,
    95.1772,
    95.0925,
    95.1990,
    95.1682,
]
EIGHT = [0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5]


@pytest.mark.parametrize(
    ("values", "wanted", "expected"),
    [
        pytest.param(EIGHT, 5, 0.175, id="5th of 8"),
        pytest.param(EIGHT, 50, 1.75, id="median of 8"),
        pytest.param(EIGHT, 100, 3.5, id="last of 8"),
        pytest.param([float(number) for number in range(10)], 50, 4.5, id="median of 10"),
        pytest.param(NIST, 90, 95.19568, id="NIST"),
        pytest.param([1.0], 100, 1.0, id="the only one"),
        pytest.param(KEPT["percentiles"], 25, 0.0, id="first quartile of 49"),
        pytest.param(KEPT["percentiles"], 75, 0.0416, id="third quartile of 49"),
    ],
)
def test_percentiles_of_statistic_suite(values: list[float], wanted: float, expected: float) -> None:
    assert percentile(values, wanted) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(
    ("candidate", "stable", "expected"),
    [(1.0, 1.0, 1.0), (10.0, 1.0, 10.0), (10.0, 100.0, 0.1), (10.0, 0.0, None)],
)
def test_mean_ratios_of_statistic_suite(candidate: float, stable: float, expected: float | None) -> None:
    assert mean_ratio([candidate] * 5, [stable] * 5) == expected


ONE_TO_FIVE = [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize(
    ("candidate", "stable", "expected"),
    [
        pytest.param(ONE_TO_FIVE, ONE_TO_FIVE, 0.5, id="the same"),
        pytest.param(KEPT["cles_apart_candidate"], KEPT["cles_apart_stable"], 0.0, id="apart"),
        pytest.param(KEPT["cles_high_candidate"], KEPT["cles_high_stable"], 0.771, id="high"),
        pytest.param(KEPT["cles_low_candidate"], KEPT["cles_low_stable"], 0.12, id="low"),
    ],
)  # fmt: skip
def test_chances_of_statistic_suite(candidate: list[float], stable: list[float], expected: float) -> None:
    assert cles(candidate, stable) == pytest.approx(expected, abs=1e-3)


@pytest.mark.parametrize(
    ("points", "nan", "expected"),
    [
        pytest.param([0.0, 1.0, NAN, 1.0, 0.0], "remove", [0.0, 1.0, 1.0, 0.0], id="one without a value"),
        pytest.param([NAN, NAN, NAN], "remove", [], id="none with a value"),
        pytest.param([NAN, 10.1, 20.2, 30.3, NAN, 40.4], "replace", [0.0, 10.1, 20.2, 30.3, 0.0, 40.4], id="replaced"),
    ],
)  # fmt: skip
def test_missing_values_of_transform_suite(points: list[float], nan: Any, expected: list[float]) -> None:
    assert prepare(Metric(name="m", nan=nan), points) == expected


@pytest.mark.parametrize(
    ("points", "outliers"),
    [
        pytest.param([21.0, 23.0, 24.0, 25.0, 50.0, 29.0, 23.0, 21.0], {50.0}, id="one"),
        pytest.param([1.0, 1.0, 1.0, 5.0, -1.0, -1.0, -1.0, -5.0], {5.0, -5.0}, id="two-sided"),
        pytest.param([], set(), id="no points"),
        pytest.param(KEPT["nist_outlier"], {1441.0}, id="NIST"),
    ],
)
def test_outliers_of_detector_suite(points: list[float], outliers: set[float]) -> None:
    found = prepare(Metric(name="m", outliers="remove", outlier_factor=1.5), points)

    assert found == [point for point in points if point not in outliers]


def results(text: str) -> list[Classified]:
    """Read "Pass:g High:h!": label, group, and whether it is critical."""
    found = []
    for word in text.split():
        label, group = word.rstrip("!").split(":")
        metric = Metric(name=word, groups=(group,))
        found.append(Classified(metric, cast(Label, label), word.endswith("!"), 1.0, f"{word} it is"))
    return found


@pytest.mark.parametrize(
    ("text", "weights", "expected"),
    [
        pytest.param("Pass:g", {}, 100.0, id="single metric pass"),
        pytest.param("High:g", {}, 0.0, id="single metric fail"),
        pytest.param("Nodata:g", {}, 0.0, id="single group Nodata"),
        pytest.param("Pass:p Pass:p Nodata:n", {}, 100.0, id="two groups, one Pass, one Nodata"),
        pytest.param("Pass:g High:g", {}, 50.0, id="one group, two metrics"),
        pytest.param("Pass:g High:g Low:g", {}, 33.33, id="one group, three metrics"),
        pytest.param("Pass:1 Pass:1 High:2", {"1": 75, "2": 25}, 75.0, id="two groups, three metrics"),
        pytest.param("Pass:1 High:1 High:2", {"1": 50, "2": 50}, 25.0, id="equal weight"),
        pytest.param("Pass:1 Nodata:1 High:2", {"1": 50, "2": 50}, 50.0, id="equal weight, one Nodata"),
        pytest.param("Pass:g High:g!", {}, 0.0, id="one good, one fail (critical)"),
        pytest.param("Low:g Pass:g!", {}, 50.0, id="one low, one good (critical)"),
        pytest.param("Pass:g Nodata:g!", {}, 0.0, id="one good, one Nodata (critical)"),
        pytest.param(
            "High:1 Low:1 Pass:1 High:2", {"1": 15, "2": 85}, 5.0, id="unequal weight, four metrics"
        ),
    ],
)
def test_scores_of_scorer_suite(text: str, weights: dict[str, float], expected: float) -> None:
    assert score(results(text), weights).score == expected
