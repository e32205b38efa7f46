"""All metrics together: a score from 0 to 100, and what it is called."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from cd_provider.core.judge.kayenta.metric import Classified, Label

Verdict = Literal["Pass", "Marginal", "Fail"]

NODATA_SHARE = 0.5
PASS, MARGINAL = 95.0, 75.0
"""The limits of its documentation's examples; Kayenta itself has no default."""


@dataclass(frozen=True)
class Score:
    """
    :param groups: group → its share of metrics with data that pass, 0–100; None: none has data, which counts as 100.
    :param reason: why it is not 100, as a sentence; empty when it is.
    """  # noqa: D205

    score: float
    verdict: Verdict
    groups: Mapping[str, float | None]
    reason: str


def score(
    results: Sequence[Classified],
    weights: Mapping[str, float] | None = None,
    *,
    pass_at: float = PASS,
    marginal_at: float = MARGINAL,
) -> Score:
    """
    Score what came of the metrics; muted ones are left out.

    A critical metric that is not Pass makes it 0; so does Nodata in half of the metrics or more.

    :param weights: group → its part of 100; groups without one share what is left of 100. What belongs to a group that
        no metric is in is lost.
    """
    counted = [one for one in results if not one.metric.muted]
    groups = group_scores(counted)
    reached, reason = _reached(counted, groups, weights or {})
    verdict: Verdict = "Pass" if reached >= pass_at else "Marginal" if reached >= marginal_at else "Fail"
    return Score(reached, verdict, groups, reason)


def group_scores(results: Sequence[Classified]) -> dict[str, float | None]:
    """Give each group's share of metrics that pass, 0–100; neither Nodata nor Error counts."""
    labels: defaultdict[str, list[Label]] = defaultdict(list)
    for one in results:
        for group in one.metric.groups:
            labels[group].append(one.label)
    return {group: _passing(found) for group, found in labels.items()}


def _passing(labels: Sequence[Label]) -> float | None:
    judged = [label for label in labels if label not in ("Nodata", "Error")]
    return 100.0 * judged.count("Pass") / len(judged) if judged else None


def _reached(
    results: Sequence[Classified], groups: Mapping[str, float | None], weights: Mapping[str, float]
) -> tuple[float, str]:
    critical = [one.reason for one in results if one.critical and one.label != "Pass"]
    if critical:
        return 0.0, critical[0]
    missing = sum(one.label == "Nodata" for one in results)
    if not results or missing >= NODATA_SHARE * len(results):
        return 0.0, f"{missing} of {len(results)} metrics have no data"
    bad = [one.reason for one in results if one.label != "Pass"]
    return _weighted(groups, weights), "; ".join(bad)


def _weighted(groups: Mapping[str, float | None], weights: Mapping[str, float]) -> float:
    unweighted = [group for group in groups if group not in weights]
    left = (100.0 - sum(weights.values())) / len(unweighted) if unweighted else 0.0
    found = sum(
        (100.0 if reached is None else reached) * weights.get(group, left) / 100.0
        for group, reached in groups.items()
    )
    return float(Decimal(repr(found)).quantize(Decimal("0.01"), ROUND_HALF_UP))
