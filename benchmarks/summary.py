"""Figures out of samples; plain functions."""

from __future__ import annotations

import math
from collections.abc import Sequence


def quantile(values: Sequence[float], share: float) -> float:
    """
    Give the smallest of ``values`` that at least ``share`` (above 0, up to 1) of them do not exceed: nearest rank.

    It is always one of the values, so that nothing is claimed which was not seen.
    """
    if not values:
        raise ValueError("no values: nothing was measured")
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]


def median(values: Sequence[float]) -> float:
    """Give the middle one; of an even number the mean of the two in the middle."""
    if not values:
        raise ValueError("no values: nothing was measured")
    ordered, half = sorted(values), len(values) // 2
    return ordered[half] if len(values) % 2 else (ordered[half - 1] + ordered[half]) / 2
