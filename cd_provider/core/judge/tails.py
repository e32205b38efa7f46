"""Chances of counts: how surprising it is to see so many. Good to nine digits up to millions of events."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

ENOUGH = 1e-14  # of what was found so far: a further term changes nothing
MOST_TERMS = 10_000  # as many as it takes for some ten million events
TINY = 1e-300  # instead of a denominator of 0


def beta(x: float, a: float, b: float) -> float:
    """
    Give the regularised incomplete beta function.

    The chance that a binomial count is at least ``k`` of ``n`` is ``beta(share, k, n - k + 1)``; that a negative
    binomial one is, ``beta(q, k, shape)``. Counts need not be whole.

    :param x: 0–1. :param a: above 0. :param b: above 0.

    Source: NIST Digital Library of Mathematical Functions, 8.17.
    """
    if x <= 0.0 or x >= 1.0:
        return min(1.0, max(0.0, x))
    if x > (a + 1.0) / (a + b + 2.0):
        return max(0.0, 1.0 - _beta_below_mean(1.0 - x, b, a))
    return _beta_below_mean(x, a, b)


def _beta_below_mean(x: float, a: float, b: float) -> float:
    front = a * math.log(x) + b * math.log1p(-x)
    front += math.lgamma(a + b) - math.lgamma(a + 1.0) - math.lgamma(b)
    return min(1.0, math.exp(front) / _fraction(1.0, _beta_parts(x, a, b)))


def _beta_parts(x: float, a: float, b: float) -> Iterator[tuple[float, float]]:
    for m in range(MOST_TERMS):
        yield -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)), 1.0
        m += 1
        yield m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)), 1.0


def poisson(count: float, mean: float) -> float:
    """
    Give the chance of at least ``count`` events where ``mean`` are expected; counts need not be whole.

    Source: NIST Digital Library of Mathematical Functions, 8.9 and 8.11.
    """
    if count <= 0.0:
        return 1.0
    if mean <= 0.0:
        return 0.0
    front = count * math.log(mean) - mean - math.lgamma(count)
    if mean > count + 1.0:
        parts = ((i * (count - i), mean + 2 * i + 1.0 - count) for i in range(1, MOST_TERMS))
        return max(0.0, 1.0 - math.exp(front) / _fraction(mean + 1.0 - count, parts))
    term, found = 1.0, 1.0
    for number in range(1, MOST_TERMS):
        term *= mean / (count + number)
        found += term
        if term < ENOUGH * found:
            break
    return min(1.0, math.exp(front) / count * found)


def _fraction(first: float, parts: Iterable[tuple[float, float]]) -> float:
    """
    Give ``first + n1 / (d1 + n2 / (d2 + …))``.

    Source: Thompson and Barnett, "Coulomb and Bessel functions" (1986), after Lentz.
    """
    found = upper = first or TINY
    lower = 0.0
    for numerator, denominator in parts:
        lower = 1.0 / (denominator + numerator * lower or TINY)
        upper = denominator + numerator / upper or TINY
        found *= upper * lower
        if abs(upper * lower - 1.0) < ENOUGH:
            break
    return found


def normal(z: float) -> float:
    """Give the chance that a standard normal number is at most ``z``."""
    return 0.5 * math.erfc(-z / math.sqrt(2.0))


def mixture(total: float, variance: float, prior: float) -> float:
    """
    Give the evidence that a sum with this variance drifts upwards; may be looked at after every tick.

    The likelihood ratio of "a drift of unknown size, upwards" to "none", the size spread like half a normal curve.
    Under no drift it exceeds 1/alpha with probability alpha at most, as far as the sum is normal.

    :param prior: variance at which it sees best; above 0.

    Source: Robbins, "Statistical methods related to the law of the iterated logarithm" (1970).
    """
    both = variance + prior
    z = total / math.sqrt(both)
    return 2.0 * math.sqrt(prior / both) * math.exp(min(z * z / 2.0, 300.0)) * normal(z)
