"""
Will a canary have enough requests to pass? Told before it begins, from what stable did in the last hour.

What is needed is the least that can do: the fixed test at the canary's end, errors as usual, pods alike. A canary with
fewer expected requests than that cannot pass; one with more may still not.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.traffic import Step

LEAST_S = 120.0  # of a past that says how many requests there are


@dataclass(frozen=True)
class Forecast:
    """
    Requests of the candidate: ``needed`` at least to pass (infinity: none do), ``expected`` until the canary's end.

    :param per_second: of the whole service.
    """

    needed: float
    expected: float
    per_second: float

    @property
    def enough(self) -> bool:
        return self.expected >= self.needed


def forecast(
    past: Past,
    past_s: float,
    steps: Sequence[Step],
    settings: JudgeSettings,
    *,
    max_s: float,
    probes: float = 0.0,
) -> Forecast | None:
    """
    Look ahead; None where too little is known of the past.

    :param past_s: seconds that the past is long. :param max_s: of the canary, its last weight held until then.
    :param probes: requests of our own a second, to each side.
    """
    if past_s < LEAST_S or not (past.requests or probes):
        return None
    per_second, weight = past.requests / past_s, steps[-1].weight / 100.0
    expected = per_second * _weighed_s(steps, settings.counts_from_s, max_s)
    expected += probes * max(0.0, max_s - settings.counts_from_s)
    part = (per_second * weight + probes) / (per_second + 2.0 * probes)
    return Forecast(needed(past, part, settings), expected, per_second)


def _weighed_s(steps: Sequence[Step], since_s: float, until_s: float) -> float:
    """Give the seconds from ``since_s`` on, each times the candidate's share of the traffic in it."""
    begins, found = 0.0, 0.0
    for number, step in enumerate(steps, 1):
        ends = until_s if number == len(steps) else begins + step.for_s
        found += step.weight / 100.0 * max(0.0, min(ends, until_s) - max(begins, since_s))
        begins = ends
    return found


def needed(past: Past, part: float, settings: JudgeSettings) -> float:
    """
    Give how many requests of a candidate like stable exclude what is unacceptable.

    :param part: of the traffic that the candidate has, 0–1.
    """
    square = NormalDist().inv_cdf(1.0 - settings.beta) ** 2
    errors = min(_by_times(past, part, settings), _by_share(past, settings)) if settings.errors else 0.0
    latency = _by_latency(past, part, settings) if settings.latency else 0.0
    return square * max(errors, latency)


def _by_times(past: Past, part: float, settings: JudgeSettings) -> float:
    """Errors of both sides until "so many times stable's" is excluded, as requests of the candidate."""
    worse = settings.unacceptable.errors * part
    share = worse / (worse + 1.0 - part)
    if not past.errors or share <= part:
        return math.inf
    return past.cluster * share * (1.0 - share) / (share - part) ** 2 * part / past.share


def _by_share(past: Past, settings: JudgeSettings) -> float:
    worst = settings.unacceptable.share
    return past.cluster * worst / (worst - past.share) ** 2 if past.share < worst else math.inf


def _by_latency(past: Past, part: float, settings: JudgeSettings) -> float:
    """Savage's scores have a variance of 1; the contrast of two means has that of both."""
    shape = Shape.of(past.edges, past.buckets, settings)
    if shape is None or part >= 1.0 or shape.unacceptable <= 0.0:
        return 0.0  # not known yet; whether the buckets tell it is seen by the canary
    return 1.0 / ((1.0 - part) * shape.unacceptable**2)
