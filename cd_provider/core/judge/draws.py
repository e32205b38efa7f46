"""Numbers drawn at random, the same for the same seed: how many, and how far from what is usual."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

SMALL = 12.0  # below it every count has its own chance; above it the normal distribution is near enough


class Draws:
    """
    Draws, in an order that the seed fixes.

    :param seed: a text or a number.
    """

    def __init__(self, seed: str | int) -> None:
        self.random = random.Random(seed)

    def poisson(self, mean: float) -> float:
        """Draw how many events there are where ``mean`` are expected."""
        if mean <= 0.0:
            return 0.0
        if mean > SMALL:  # with a continuity correction, and the skew of a Poisson count
            z = self.random.gauss(0.0, 1.0)
            return float(max(0, math.floor(mean + z * math.sqrt(mean) + (z * z - 1.0) / 6.0 + 0.5)))
        count, left, chance = 0, self.random.random(), math.exp(-mean)
        while left > chance and count < 200:
            left -= chance
            count += 1
            chance *= mean / count
        return float(count)

    def together(self, mean: float, cluster: float) -> float:
        """Draw events that come ``cluster`` at a time: their variance is so many times their mean."""
        return cluster * self.poisson(mean / cluster)

    def factor(self, variance: float) -> float:
        """Draw a log-normal factor with mean 1."""
        if variance <= 0.0:
            return 1.0
        square = math.log1p(variance)
        return math.exp(math.sqrt(square) * self.random.gauss(0.0, 1.0) - square / 2.0)

    def some(self, of: Sequence[str], count: int) -> tuple[str, ...]:
        """Draw so many of these, each group as likely as any other."""
        return tuple(sorted(self.random.sample(sorted(of), count)))
