"""The candidate as a whole, and without each of its pods: neither a single pod nor a host convicts a version."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from operator import sub
from typing import NamedTuple, TypeVar

from cd_provider.core.judge.counts import Counts, Tick, total
from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.ranks import Contrast, contrast, score_of

Done = TypeVar("Done")
WHOLE = ""
"""The name of the view with all pods; every other one is named by whom it leaves out, as people are told."""
AND = " and "  # between two pods of a name; in that of a pod there is no space
FEWEST, PAIRED = (
    4,
    6,
)  # pods, of which a host may have two: of fewer too few would be left; pairs of the first six


class Arm(NamedTuple):
    """
    One side in one tick, or a view of it.

    ``timed``: requests whose latency is known; of those, ``in_first``: in the first bucket, ``beyond``: beyond each
    edge that is looked at. ``score``: the sum of their Savage scores, ``square``: of the squares of those.
    """

    requests: float
    errors: float
    timed: float = 0.0
    in_first: float = 0.0
    beyond: tuple[float, ...] = ()
    score: float = 0.0
    square: float = 0.0

    @property
    def scored(self) -> tuple[float, float]:
        """How many requests have a score, and the sum of those."""
        return self.timed, self.score

    def without(self, part: Arm) -> Arm:
        """Take a part away; latency is unknown where that of the part is."""
        requests, errors = self.requests - part.requests, self.errors - part.errors
        if not part.beyond or not self.beyond:
            return Arm(requests, errors)
        return Arm(
            requests, errors, self.timed - part.timed, self.in_first - part.in_first,
            tuple(map(sub, self.beyond, part.beyond)), self.score - part.score, self.square - part.square,
        )  # fmt: skip

    @classmethod
    def together(cls, parts: Collection[Arm]) -> Arm:
        """Add up."""
        if not parts:
            return cls(0.0, 0.0)
        requests, errors, timed, in_first, beyond, score, square = zip(*parts, strict=True)
        edges = tuple(map(sum, zip(*filter(None, beyond), strict=True)))
        return cls(sum(requests), sum(errors), sum(timed), sum(in_first), edges, sum(score), sum(square))

    @classmethod
    def of(cls, done: Counts, shape: Shape | None) -> Arm:
        """Take what the lanes look at out of what was counted."""
        slow = done.slow
        if shape is None or not slow:
            return cls(done.requests, done.errors)
        beyond = tuple([sum(slow[edge + 1 :]) for edge in shape.looked_at])
        return cls(
            done.requests, done.errors, sum(slow), slow[0], beyond,
            score_of(slow, shape.scores), score_of(slow, shape.squares),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scene:
    """
    One tick as the lanes see it: ``at`` seconds since the candidate took traffic.

    :param whole: the candidate with all its pods. :param views: the same, and without those whom one host may have.
    :param contrast: of the latencies' scores, with all pods.
    """

    at: float
    span_s: float
    whole: Arm
    views: Mapping[str, Arm]
    stable: Arm
    pods: tuple[int, int]
    contrast: Contrast
    score_variance: float  # of one request's, in this tick


def scene(tick: Tick, *, began_at: float, known: Sequence[str], shape: Shape | None) -> Scene:
    """
    Look at a tick.

    :param known: every pod of the candidate so far; one that is not in this tick is missing in nobody's view.
    :param shape: of latencies before this tick; None: no buckets.
    """
    pods = {pod: Arm.of(done, shape) for pod, done in tick.candidate.items()}
    whole, stable = Arm.together(pods.values()), Arm.of(total(tick.stable), shape)
    views = views_of(whole, pods, known, Arm.without)
    return Scene(
        tick.at - began_at, tick.span_s, whole, views, stable,
        (len(pods), len(tick.stable)), contrast(whole.scored, stable.scored), score_variance(whole, stable),
    )  # fmt: skip


def left_out(pods: Sequence[str]) -> Iterator[str]:
    """Name every view but the whole: each pod is left out, and of four or more any two that may share a host."""
    yield from pods
    if len(pods) >= FEWEST:
        yield from (AND.join(two) for two in combinations(pods[:PAIRED], 2))


def views_of(
    whole: Done, parts: Mapping[str, Done], pods: Sequence[str], less: Callable[[Done, Done], Done]
) -> dict[str, Done]:
    """Give the whole and every view of it; ``less`` takes a part away, and a pod without one did nothing."""
    views = {WHOLE: whole}
    for out in left_out(pods):
        before, _, pod = out.rpartition(AND)
        views[out] = less(views[before], parts[pod]) if pod in parts else views[before]
    return views


def pods_of(view: str) -> tuple[str, ...]:
    """Give the pods that a view leaves out."""
    return tuple(view.split(AND)) if view else ()


def grown_from(view: str, known: Collection[str]) -> str:
    """Name the view that a new one goes on from: a pod that came later has carried nothing so far."""
    return next((pod for pod in pods_of(view) if pod in known), WHOLE)


def spelled(view: str) -> str:
    """Say whom a view leaves out."""
    return f"pods {view}" if AND in view else f"pod {view}"


def score_variance(ours: Arm, stable: Arm) -> float:
    """Give the variance of one request's score, of both sides together; 0 without a request or any difference."""
    timed = ours.timed + stable.timed
    if timed <= 0.0:
        return 0.0
    mean = (ours.score + stable.score) / timed
    return max(0.0, (ours.square + stable.square) / timed - mean**2)  # the last digits may come out below
