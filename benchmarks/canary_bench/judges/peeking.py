"""
Two textbook tests, looked at again and again.

The z-test is right for one look and is given thirty. The mixture SPRT is right for any number of looks as long as
requests are independent of each other, which those of a real service are not.

Source: Johari, Koomen, Pekelis and Walsh, "Always valid inference" (2022), for the mixture.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from benchmarks.canary_bench.judges import scores
from benchmarks.canary_bench.judges.increase import Increase
from benchmarks.canary_bench.judges.scores import Score
from benchmarks.canary_bench.samples import NONE, Samples, Setting, Verdict, plus


class PeekingZ:
    """One-sided tests of errors and of latency ranks on all requests so far, every minute."""

    def __init__(self, setting: Setting, *, level: float = 0.01, every_s: float = 60.0) -> None:
        self.setting, self.every_s = setting, every_s
        self.limit = NormalDist().inv_cdf(1.0 - level)
        self._sides, self._done, self._next_s = (Increase(), Increase()), [NONE, NONE], every_s

    def step(self, samples: Samples) -> Verdict | None:
        for side, pods in zip(self._sides, (samples.candidate, samples.stable), strict=True):
            side.see(pods)
        if samples.at < self._next_s:
            return None
        self._next_s += self.every_s
        self._done = [plus(done, side.take()) for done, side in zip(self._done, self._sides, strict=True)]
        if any(z(score(*self._done)) > self.limit for score in (scores.errors, scores.latency)):
            return "FAIL"
        return "PASS" if samples.at >= self.setting.max_s else None


class MixtureSprt:
    """
    A normal mixture over errors and over latency ranks, each with half of ``alpha``, at every scrape.

    :param scale: variance at which the mixture is sharpest: about twenty errors of both sides.
    """

    def __init__(self, setting: Setting, *, alpha: float = 0.05, scale: float = 5.0) -> None:
        self.setting, self.limit, self.scale = setting, math.log(2.0 / alpha), scale
        self._sides = (Increase(), Increase())
        self._sums = [Score(0.0, 0.0), Score(0.0, 0.0)]

    def step(self, samples: Samples) -> Verdict | None:
        for side, pods in zip(self._sides, (samples.candidate, samples.stable), strict=True):
            side.see(pods)
        tick = [side.take() for side in self._sides]
        for number, score in enumerate((scores.errors, scores.latency)):
            found, so_far = score(*tick), self._sums[number]
            self._sums[number] = Score(so_far.excess + found.excess, so_far.variance + found.variance)
        if any(log_mixture(one, self.scale) > self.limit for one in self._sums):
            return "FAIL"
        return "PASS" if samples.at >= self.setting.max_s else None


def z(score: Score) -> float:
    return score.excess / math.sqrt(score.variance) if score.variance > 0 else 0.0


def log_mixture(score: Score, scale: float) -> float:
    """Give the log of a normal mixture's likelihood ratio; the mixture over how much worse has variance 1/``scale``."""
    if score.excess <= 0:
        return 0.0
    whole = scale + score.variance
    return 0.5 * math.log(scale / whole) + score.excess**2 / (2.0 * whole)
