"""The clear lane: evidence that may be looked at after every tick, with all pods and without each one."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from cd_provider.core.judge.errors_evidence import ErrorsEvidence
from cd_provider.core.judge.latency import EXCEEDED_BY, Shape
from cd_provider.core.judge.likelihood import BLOCK_S, RatioEvidence
from cd_provider.core.judge.past import Past, differ
from cd_provider.core.judge.settings import JudgeSettings, Tolerance
from cd_provider.core.judge.view import WHOLE, Arm, Scene, grown_from

SLOWER = (1.2, 1.5, 3.0, 10.0)  # times more requests beyond an edge than is tolerated
FEW_ERRORS = 8.0
"""Of the candidate, in all: up to so many, what is left without a pod cannot be more than a few to one."""
MOST_WAITING = 600  # ticks that wait to be weighed without each pod, some kilobytes each


@dataclass(frozen=True, slots=True)
class Weight:
    """
    Evidence as odds to 1: with all pods, and what is left of it without whom carries most.

    ``few``: it is made of so few errors that any pod has a large part of them.
    """

    evidence: float
    weakest: float
    without: str = WHOLE  # that pod, or two; none when there is only one
    few: bool = False

    def convicts(self, settings: JudgeSettings) -> bool:
        left = settings.weakest_few if self.few else settings.weakest
        return self.evidence >= settings.clear and self.weakest >= left

    @property
    def leans(self) -> bool:
        """Whether it speaks against the candidate at all, whichever pod is left out."""
        return min(self.evidence, self.weakest) > 1.0


Metric = Literal["errors", "latency"]


class ViewEvidence(Protocol):
    """What one view carries; ``most``: what that can grow to within this minute."""

    @property
    def evidence(self) -> float: ...

    @property
    def most(self) -> float: ...


class LatencyEvidence(RatioEvidence):
    """More requests beyond some edge than if all were so much slower: the mean over a few edges."""

    def __init__(self, began_at: float) -> None:
        super().__init__(alternatives=SLOWER, began_at=began_at, kinds=len(EXCEEDED_BY))

    def look(self, at: float, ours: Arm, stable: Arm, times: tuple[float, ...]) -> None:
        self.times = times
        self.step(at, ours.beyond, stable.beyond, (ours.timed, stable.timed))


class Look(NamedTuple):
    """One tick, with what was tolerated in it; ``times``: of the latencies, None without buckets."""

    seen: Scene
    tolerated: Tolerance
    times: tuple[float, ...] | None


class ClearLane:
    """
    Looks at one tick after the other.

    What is left without each pod is weighed when somebody asks: only when the whole speaks against the candidate.

    :param past: how many errors come together, how many are usual, and by how much pods of one version differ within a
        minute. :param past_over_s: seconds over which it is dealt out beside stable; infinite: not at all. None: over
        the whole canary.
    """

    def __init__(self, settings: JudgeSettings, past: Past, *, past_over_s: float | None = None) -> None:
        self.settings = settings
        self._differs = differ(past.errors_differ, BLOCK_S)
        self._errors = {WHOLE: ErrorsEvidence(past, over_s=past_over_s or settings.max_s)}
        self._latency = {WHOLE: LatencyEvidence(0.0)}
        self._failed = 0.0  # requests of the candidate so far
        self._waiting: list[Look] = []  # weighed with all pods, not yet without each
        self._weights: dict[str, Weight] = {}  # of this tick, as far as somebody asked

    def tripped(self) -> None:
        """Ask for more from now on: the seconds of the trip are among the evidence, and it returned all the same."""
        self.settings = self.settings.after_trip

    def step(self, seen: Scene, shape: Shape | None) -> None:
        """Take the next tick."""
        self._weights.clear()
        self._failed += seen.whole.errors
        cold = not self.settings.fresh and seen.at <= self.settings.cold_s + 1e-9
        tolerated = self.settings.cold_at if cold else self.settings.clear_at
        look = Look(seen, tolerated, shape.tolerated[1 if cold else 0] if shape else None)
        for view in seen.views:
            if view not in self._errors:
                before = grown_from(view, self._errors)
                self._errors[view] = self._errors[before].copy()
                self._latency[view] = copy(self._latency[before])
        self._weigh(WHOLE, look)
        self._waiting.append(look)
        if len(self._waiting) >= MOST_WAITING:
            self._catch_up()

    def _weigh(self, view: str, look: Look) -> None:
        seen, tolerated, times = look
        arm = seen.views[view]
        between = self._differs * sum(1.0 / pods for pods in seen.pods) if min(seen.pods) > 0 else None
        self._errors[view].step(seen, arm, tolerated, between)
        if times and arm.beyond and seen.stable.beyond:
            self._latency[view].look(seen.at, arm, seen.stable, times)

    def _catch_up(self) -> None:
        for look in self._waiting:
            for view in look.seen.views:
                if view != WHOLE:
                    self._weigh(view, look)
        self._waiting.clear()

    def convicts(self, metric: Metric) -> bool:
        """Say whether this metric's evidence is enough."""
        whole, settings = self._views(metric)[WHOLE], self.settings
        return _may_weigh(whole, settings.clear) and self._weight(metric).convicts(settings)

    def leans(self, metric: Metric) -> bool:
        """Say whether it speaks against the candidate at all, whichever pod is left out."""
        return _may_weigh(self._views(metric)[WHOLE], 1.0) and self._weight(metric).leans

    @property
    def errors(self) -> Weight:
        return self._weight("errors")

    @property
    def latency(self) -> Weight:
        return self._weight("latency")

    def _weight(self, metric: Metric) -> Weight:
        if metric not in self._weights:
            self._catch_up()
            few = metric == "errors" and self._failed <= FEW_ERRORS
            self._weights[metric] = weigh(
                {view: one.evidence for view, one in self._views(metric).items()}, few=few
            )
        return self._weights[metric]

    def _views(self, metric: Metric) -> Mapping[str, ViewEvidence]:
        return self._errors if metric == "errors" else self._latency


def _may_weigh(whole: ViewEvidence, least: float) -> bool:
    """Say at little cost whether it is worth while to weigh all views."""
    return whole.most >= least and whole.evidence >= least


def weigh(evidence: Mapping[str, float], *, few: bool = False) -> Weight:
    """Set what all pods say beside what is left without whom carries most."""
    rests = {view: one for view, one in evidence.items() if view != WHOLE}
    if len(rests) < 2:  # without its only pod there is no candidate
        return Weight(evidence[WHOLE], evidence[WHOLE])
    without = min(sorted(rests), key=lambda view: rests[view])
    return Weight(evidence[WHOLE], rests[without], without, few)
