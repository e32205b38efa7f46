"""One metric: its points on both sides, made comparable, compared, and given a label."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cd_provider.core.judge.kayenta.mann_whitney import Shift, shift

Label = Literal["Pass", "High", "Low", "Nodata", "NodataFailMetric", "Error"]
Direction = Literal["increase", "decrease", "either"]
Points = Sequence[float | None]
Interval = Callable[[Sequence[float], Sequence[float]], Shift]

TOLERANCE = 0.25
"""Of the estimated shift itself, not of stable's level; hard-coded in Kayenta's judge."""


@dataclass(frozen=True, kw_only=True)
class EffectSize:
    """
    How large a difference has to be, beyond being seen at all.

    :param measure: ``meanRatio``, the candidate's mean over stable's; ``cles``, the chance that a point of the
        candidate lies above one of stable, 0–1.
    :param allowed_increase: High needs at least this; ``allowed_decrease``: Low at most this. None: no effect, 1 for
        a ratio, 0.5 for a chance.
    :param critical_increase: from here on a High of a critical metric fails everything; ``critical_decrease``: a Low.
    """

    measure: Literal["meanRatio", "cles"] = "meanRatio"
    allowed_increase: float | None = None
    allowed_decrease: float | None = None
    critical_increase: float | None = None
    critical_decrease: float | None = None

    def of(self, candidate: Sequence[float], stable: Sequence[float]) -> float | None:
        """Measure it; None where a mean is 0, which counts as large enough."""
        return cles(candidate, stable) if self.measure == "cles" else mean_ratio(candidate, stable)

    def reaches(self, effect: float | None, label: Label, *, critical: bool = False) -> bool:
        """Whether an effect is as large as a High or a Low has to be."""
        if effect is None:
            return True
        none = 0.5 if self.measure == "cles" else 1.0
        high = self.critical_increase if critical else self.allowed_increase
        low = self.critical_decrease if critical else self.allowed_decrease
        if label == "High":
            return effect >= (none if high is None else high)
        return label == "Low" and effect <= (none if low is None else low)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """
    What a canary config says of a metric.

    :param groups: whose scores it is part of; of none, its label counts only when it is critical or has no data.
    :param nan: what becomes of points without a value; ``replace``: 0. :param outlier_factor: of the quartiles'
        distance, above 0. :param muted: it is shown and counts for nothing.
    """

    name: str
    groups: tuple[str, ...] = ()
    direction: Direction = "either"
    nan: Literal["remove", "replace"] = "remove"
    outliers: Literal["keep", "remove"] = "keep"
    outlier_factor: float = 3.0
    critical: bool = False
    must_have_data: bool = False
    muted: bool = False
    effect: EffectSize = field(default_factory=EffectSize)


@dataclass(frozen=True)
class Classified:
    """
    What came of a metric.

    :param critical: it fails everything. :param ratio: of the means, None where there is none.
    :param reason: a sentence for people.
    """

    metric: Metric
    label: Label
    critical: bool
    ratio: float | None
    reason: str


def classify(
    metric: Metric,
    candidate: Points,
    stable: Points,
    *,
    interval: Interval = shift,
    tolerance: float = TOLERANCE,
) -> Classified:
    """
    Compare the candidate's points with stable's.

    :param candidate: one number a minute, in any unit; None or NaN where there was none. :param stable: the same.
    :param interval: gives the shift and its interval.
    """
    ours, theirs = prepare(metric, candidate), prepare(metric, stable)
    if not ours or not theirs:
        return _without_data(metric, "candidate" if not ours else "stable")
    if sorted(ours) == sorted(theirs) or len({*ours, *theirs}) == 1:
        return Classified(metric, "Pass", False, 1.0, f"{metric.name}: the two sides are identical")
    try:
        found = interval(ours, theirs)
    except ValueError as err:
        return Classified(metric, "Error", False, None, f"{metric.name}: {err}")
    label, effect = _label(metric, found, tolerance), metric.effect.of(ours, theirs)
    label = label if metric.effect.reaches(effect, label) else "Pass"
    critical = metric.critical and label != "Pass" and metric.effect.reaches(effect, label, critical=True)
    return Classified(
        metric, label, critical, mean_ratio(ours, theirs), _reason(metric, label, critical, found)
    )


def prepare(metric: Metric, points: Points) -> list[float]:
    """Leave out or replace what has no value, then leave out outliers."""
    values: list[float] = []
    for point in points:
        if point is not None and not math.isnan(point):
            values.append(point)
        elif metric.nan == "replace":
            values.append(0.0)
    if metric.outliers == "keep" or not values:
        return values
    low, high = fences(values, metric.outlier_factor)
    return [value for value in values if low <= value <= high]


def fences(values: Sequence[float], factor: float) -> tuple[float, float]:
    """Give between which two values a point is none of the outliers; 1st and 99th percentile always are inside."""
    first, third = percentile(values, 25), percentile(values, 75)
    beyond = factor * (third - first)
    return min(percentile(values, 1), first - beyond), max(percentile(values, 99), third + beyond)


def percentile(values: Sequence[float], wanted: float) -> float:
    """Give a percentile, 0–100, linear between points; Hyndman and Fan's seventh definition."""
    ordered, place = sorted(values), wanted / 100.0 * (len(values) - 1)
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def mean_ratio(candidate: Sequence[float], stable: Sequence[float]) -> float | None:
    """Give the candidate's mean over stable's; None where one of them is 0."""
    ours, theirs = math.fsum(candidate) / len(candidate), math.fsum(stable) / len(stable)
    return ours / theirs if ours and theirs else None


def cles(candidate: Sequence[float], stable: Sequence[float]) -> float:
    """Give the share of pairs in which the candidate's point lies above stable's, equal ones as half; 0–1."""
    above = sum((one > other) + (one == other) / 2.0 for one in candidate for other in stable)
    return above / (len(candidate) * len(stable))


def _label(metric: Metric, found: Shift, tolerance: float) -> Label:
    least = tolerance * abs(found.estimate)
    if metric.direction != "decrease" and found.lower > least:
        return "High"
    return "Low" if metric.direction != "increase" and found.upper < -least else "Pass"


def _without_data(metric: Metric, side: str) -> Classified:
    if metric.nan == "replace":
        return Classified(metric, "Pass", False, 1.0, f"{metric.name}: no points of {side}, taken for a pass")
    failed = metric.must_have_data and not metric.critical
    label: Label = "NodataFailMetric" if failed else "Nodata"
    return Classified(metric, label, metric.critical, None, f"{metric.name}: no points of {side}")


def _reason(metric: Metric, label: Label, critical: bool, found: Shift) -> str:
    word = f"{label}, critical" if critical else label
    return f"{metric.name} {word}: by {found.estimate:.4g}, from {found.lower:.4g} to {found.upper:.4g}"
