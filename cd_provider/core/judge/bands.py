"""
How many times worse the candidate was, and how far chance may have moved that: for people, no lane asks it.

Errors: given all errors of both sides, whose each one was is a coin that the sides' requests weigh, another one in each
tick. The ratio is the most likely one by that, so that weights that change distort nothing; the band is the exact one
of a single such coin (Clopper and Pearson), with errors that come together counted once. Latency: the difference of the
mean Savage scores, as the subtle lane has it, told as the factor that would make such a difference. Both are widened by
how far pods of one version have differed here. A band is of its own moment: 95 %, not for all moments together.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.past import Past, differ
from cd_provider.core.judge.reasons import NO_SHIFT
from cd_provider.core.judge.subtle import score_contrast
from cd_provider.core.judge.tails import beta
from cd_provider.core.judge.view import Arm

BESIDE = 0.025  # of the chance lies on each side of the band
WIDTH = 1.96  # the same, in standard deviations
HALVINGS = 34
TIMES = tuple(math.exp(math.log(0.2) + step * math.log(40.0) / 80.0) for step in range(81))  # 0.2 to 8


@dataclass(frozen=True, slots=True)
class Band:
    """Times stable's: the most likely number and both ends; infinity where only stable's count is 0."""

    low: float
    middle: float
    high: float


class Comparison:
    """Adds up what a part of the candidate did in ticks in which stable had requests too."""

    def __init__(self, past: Past) -> None:
        self.past = past
        self.errors = self.stable_errors = 0.0
        self._requests = self._stable_requests = 0.0
        self._alike: dict[
            int, list[float]
        ] = {}  # ticks of about the same weights: errors, both sides' requests
        self._contrast = self._timed = self._chance = 0.0

    def add(self, ours: Arm, stable: Arm, *, score_variance: float) -> None:
        """Take a tick."""
        if ours.requests <= 0 or stable.requests <= 0:
            return
        self.errors += ours.errors
        self.stable_errors += stable.errors
        self._requests += ours.requests
        self._stable_requests += stable.requests
        alike = self._alike.setdefault(
            round(4.0 * math.log2(ours.requests / stable.requests)), [0.0, 0.0, 0.0]
        )
        for place, amount in enumerate((ours.errors + stable.errors, ours.requests, stable.requests)):
            alike[place] += amount
        contrast, weight = score_contrast(ours, stable)
        self._contrast += contrast
        self._timed += weight
        self._chance += weight * score_variance

    def error_band(self, over_s: float, pods: tuple[int, int]) -> Band | None:
        """
        Give how many times stable's error share; None: there are no errors at all.

        :param over_s: how long both were looked at. :param pods: of each side.
        """
        if not self.errors + self.stable_errors:
            return None
        cluster = max(1.0, self.past.cluster)
        ours, theirs = self.errors / cluster, self.stable_errors / cluster
        usual = self._usual()
        low = _root(lambda share: beta(share, ours, theirs + 1.0) - BESIDE) if ours else 0.0
        high = _root(lambda share: beta(share, ours + 1.0, theirs) - 1.0 + BESIDE) if theirs else 1.0
        middle = ours / theirs if theirs else math.inf
        found = Band(_odds(low) / usual, middle / usual, _odds(high) / usual)
        return _wider(found, differ(self.past.errors_differ, over_s) * (1.0 / pods[0] + 1.0 / pods[1]))

    def _usual(self) -> float:
        """Give the odds that an error is the candidate's were both alike: one number for weights that changed."""
        if not self.errors or not self.stable_errors:
            return self._requests / self._stable_requests
        weighed = [(events, ours / theirs) for events, ours, theirs in self._alike.values() if events]

        def expected(part: float) -> float:
            return sum(events * _odds(part) * odds / (_odds(part) * odds + 1.0) for events, odds in weighed)

        times = _odds(_root(lambda part: expected(part) - self.errors))
        return self.errors / self.stable_errors / times

    def share_band(self) -> Band | None:
        """Give the errors per request, 0–1, as a band of its own; None: nothing to compare."""
        if not self._requests:
            return None
        cluster = max(1.0, self.past.cluster)
        errors, well = self.errors / cluster, max(0.0, self._requests - self.errors) / cluster
        low = _root(lambda share: beta(share, errors, well + 1.0) - BESIDE) if errors else 0.0
        high = _root(lambda share: beta(share, errors + 1.0, well) - 1.0 + BESIDE) if well else 1.0
        return Band(low, self.errors / self._requests, high)

    def latency_band(self, over_s: float, pods: tuple[int, int], slower: Slower | None) -> Band | None:
        """Give how many times as slow; None: no buckets, or none that tell."""
        if not self._timed or slower is None or not slower.tells:
            return None
        between = differ(self.past.scores_differ, over_s) * (1.0 / pods[0] + 1.0 / pods[1])
        deviation = math.sqrt(self._chance / self._timed**2 + between)
        shift = self._contrast / self._timed
        low, middle, high = (slower.times(shift + part * WIDTH * deviation) for part in (-1, 0, 1))
        return Band(low, middle, high)


class Slower:
    """Tells a difference of mean scores as the factor by which all requests would have to be slower; 0.2 to 8."""

    def __init__(self, shape: Shape) -> None:
        self.shape = shape
        self.tells = shape.unacceptable > NO_SHIFT
        self._shifts = [shape.shift(times) for times in TIMES] if self.tells else []

    def times(self, shift: float) -> float:
        before: tuple[float, float] | None = None
        for there, times in zip(self._shifts, TIMES, strict=True):
            if there >= shift:
                if before is None or there <= before[0]:
                    return times
                part = (shift - before[0]) / (there - before[0])
                return math.exp(math.log(before[1]) + part * math.log(times / before[1]))
            before = (there, times)
        return TIMES[-1]


def _wider(band: Band, variance: float) -> Band:
    """Add the variance of the logarithm to both ends."""
    if not 0.0 < band.middle < math.inf:
        return band
    more = WIDTH**2 * variance
    low = math.sqrt(math.log(band.middle / band.low) ** 2 + more) if band.low else math.inf
    high = math.sqrt(math.log(band.high / band.middle) ** 2 + more) if band.high < math.inf else math.inf
    return Band(band.middle * math.exp(-low), band.middle, band.middle * math.exp(min(high, 700.0)))


def _odds(share: float) -> float:
    return share / (1.0 - share) if share < 1.0 else math.inf


def _root(rising: Callable[[float], float]) -> float:
    """Give where a function that rises over 0–1 is 0."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2.0
        if rising(middle) < 0.0:
            low = middle
        else:
            high = middle
    return (low + high) / 2.0
