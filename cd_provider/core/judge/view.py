"""The candidate as a whole, and without each one of its pods: no single pod convicts a version."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cd_provider.core.judge.counts import Counts, Tick, total
from cd_provider.core.judge.latency import Shape

WHOLE = ""
"""The name of the view with all pods; every other one is named by the pod that it leaves out."""


@dataclass(frozen=True, slots=True)
class Arm:
    """
    One side in one tick, or a view of it.

    :param timed: requests whose latency is known. :param beyond: of those, beyond each edge that is looked at.
    :param score: sum of their Savage scores.
    """

    requests: float
    errors: float
    timed: float = 0.0
    beyond: tuple[float, ...] = ()
    score: float = 0.0


@dataclass(frozen=True, slots=True)
class Scene:
    """One tick as the lanes see it: ``at`` seconds since the candidate took traffic."""

    at: float
    span_s: float
    views: Mapping[str, Arm]
    stable: Arm
    pods: tuple[int, int]
    score_variance: float  # of one request's score, in this tick

    @property
    def whole(self) -> Arm:
        """The candidate with all its pods."""
        return self.views[WHOLE]


def scene(tick: Tick, *, began_at: float, known: Sequence[str], shape: Shape | None) -> Scene:
    """
    Look at a tick.

    :param known: every pod of the candidate so far; one that is not in this tick is missing in nobody's view.
    :param shape: of latencies before this tick; None: no buckets.
    """
    ours, theirs = total(tick.candidate), total(tick.stable)
    whole = _arm(ours, shape)
    views = {WHOLE: whole}
    for pod in known:
        done = tick.candidate.get(pod)
        views[pod] = whole if done is None else _arm(ours - done, shape)
    variance = _variance((ours + theirs).slow, shape) if shape else 0.0
    pods = (len(tick.candidate), len(tick.stable))
    return Scene(tick.at - began_at, tick.span_s, views, _arm(theirs, shape), pods, variance)


def _arm(done: Counts, shape: Shape | None) -> Arm:
    if shape is None or not done.slow:
        return Arm(done.requests, done.errors)
    timed = math.fsum(done.slow)
    beyond = tuple(math.fsum(done.slow[edge + 1 :]) for edge in shape.looked_at)
    score = sum(count * score for count, score in zip(done.slow, shape.scores, strict=False))
    return Arm(done.requests, done.errors, timed, beyond, score)


def _variance(buckets: Sequence[float], shape: Shape) -> float:
    whole = sum(buckets)
    if whole <= 0.0:
        return 0.0
    mean = sum(count * score for count, score in zip(buckets, shape.scores, strict=False)) / whole
    return (
        sum(count * (score - mean) ** 2 for count, score in zip(buckets, shape.scores, strict=False)) / whole
    )
