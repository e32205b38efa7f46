"""
Brent's root finder, to the tolerance that R's ``wilcox.test`` and Kayenta give it.

That tolerance is part of their answer: where two samples share values, a crossing at 0 comes out as some 1e-5, and one
of Kayenta's published vectors is High for no other reason.

Source: Brent, "Algorithms for Minimization without Derivatives" (1973), chapter 4.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import NamedTuple

TOLERANCE = 1e-4  # in the unit of the samples, whatever it is
STEPS = 1000


class Point(NamedTuple):
    """A place, and the function there."""

    x: float
    y: float


def root(function: Callable[[float], float], lower: Point, upper: Point) -> float:
    """
    Give a place between ``lower`` and ``upper`` where the function changes its sign, to half of ``TOLERANCE``.

    :param lower: and ``upper``: ends at which the function has different signs. With equal signs the answer is one
        of the places looked at, and means nothing.
    """
    if lower.y == 0 or upper.y == 0:
        return lower.x if lower.y == 0 else upper.x
    before, best, other = lower, upper, lower  # the sign changes between best and other
    for _ in range(STEPS):
        last = best.x - before.x
        if abs(other.y) < abs(best.y):
            before, best, other = best, other, best
        least = 2.0 * sys.float_info.epsilon * abs(best.x) + TOLERANCE / 2.0
        half = (other.x - best.x) / 2.0
        if abs(half) <= least or best.y == 0:
            break
        by = _step(before, best, other, last=last, half=half, least=least)
        by = by if abs(by) >= least else (least if by > 0 else -least)
        before, best = best, Point(best.x + by, function(best.x + by))
        if best.y * other.y > 0:
            other = before
    return best.x


def _step(before: Point, best: Point, other: Point, *, last: float, half: float, least: float) -> float:
    """Go by interpolation where that leads inside quickly, else to the middle."""
    if abs(last) < least or abs(before.y) <= abs(best.y):
        return half
    p, q = _interpolated(before, best, other)
    p, q = (p, -q) if p > 0 else (-p, q)
    inside = p < 1.5 * half * q - abs(least * q) / 2.0 and p < abs(last * q / 2.0)
    return p / q if inside else half


def _interpolated(before: Point, best: Point, other: Point) -> tuple[float, float]:
    """Give the step as a fraction: linear through two points, inverse quadratic through three."""
    across, s = other.x - best.x, best.y / before.y
    if before.x == other.x:
        return across * s, 1.0 - s
    q, r = before.y / other.y, best.y / other.y
    p = s * (across * q * (q - r) - (best.x - before.x) * (r - 1.0))
    return p, (q - 1.0) * (r - 1.0) * (s - 1.0)
