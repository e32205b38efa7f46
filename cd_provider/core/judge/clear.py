"""The clear lane: evidence that may be looked at after every tick, with all pods and without each one."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass

from cd_provider.core.judge.latency import EXCEEDED_BY, Shape
from cd_provider.core.judge.likelihood import RatioEvidence, ShareEvidence
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.view import WHOLE, Arm, Scene

SLOWER = (1.2, 1.5, 3.0, 10.0)  # times more requests beyond an edge than is tolerated


@dataclass(frozen=True, slots=True)
class Weight:
    """Evidence as odds to 1: with all pods, and what is left of it without the pod that carries most."""

    evidence: float
    weakest: float
    without: str = WHOLE  # that pod; none when there is only one

    def convicts(self, settings: JudgeSettings) -> bool:
        return self.evidence >= settings.clear and self.weakest >= settings.weakest

    @property
    def leans(self) -> bool:
        """Whether it speaks against the candidate at all, whichever pod is left out."""
        return min(self.evidence, self.weakest) > 1.0


class ErrorsEvidence:
    """More errors than so many times stable's, and more than so large a share: it takes both to convict."""

    def __init__(self, began_at: float, cluster: float) -> None:
        self.ratio = RatioEvidence(cluster=cluster, began_at=began_at)
        self.share = ShareEvidence(cluster=cluster, began_at=began_at)

    def step(self, at: float, ours: Arm, stable: Arm, settings: JudgeSettings, *, cold: bool) -> None:
        tolerated = settings.cold_at if cold else settings.clear_at
        self.ratio.times, self.share.share = tolerated.errors, tolerated.share
        self.ratio.step(at, (ours.errors, stable.errors), (ours.requests, stable.requests))
        self.share.step(at, ours.errors, ours.requests)

    @property
    def evidence(self) -> float:
        return min(self.ratio.evidence, self.share.evidence)


class LatencyEvidence:
    """More requests beyond some edge than if all were so much slower: the mean over a few edges."""

    def __init__(self, began_at: float) -> None:
        self.edges = [RatioEvidence(alternatives=SLOWER, began_at=began_at) for _ in EXCEEDED_BY]

    def step(self, at: float, ours: Arm, stable: Arm, times: tuple[float, ...]) -> None:
        for number, (edge, tolerated) in enumerate(zip(self.edges, times, strict=True)):
            edge.times = tolerated
            edge.step(at, (ours.beyond[number], stable.beyond[number]), (ours.timed, stable.timed))

    @property
    def evidence(self) -> float:
        return sum(edge.evidence for edge in self.edges) / len(self.edges)


class ClearLane:
    """
    Looks at one tick after the other.

    :param cluster: how many errors come together, at least 1.
    """

    def __init__(self, settings: JudgeSettings, cluster: float) -> None:
        self.settings = settings
        self._errors = {WHOLE: ErrorsEvidence(0.0, cluster)}
        self._latency = {WHOLE: LatencyEvidence(0.0)}

    def step(self, seen: Scene, shape: Shape | None) -> None:
        """Take the next tick."""
        cold = not self.settings.fresh and seen.at <= self.settings.cold_s + 1e-9
        times = shape.tolerated[1 if cold else 0] if shape else None
        for view in seen.views:
            if view not in self._errors:  # a pod that came later: until then it carried nothing
                self._errors[view] = copy.deepcopy(self._errors[WHOLE])
                self._latency[view] = copy.deepcopy(self._latency[WHOLE])
        for view, arm in seen.views.items():
            self._errors[view].step(seen.at, arm, seen.stable, self.settings, cold=cold)
            if times and arm.beyond and seen.stable.beyond:
                self._latency[view].step(seen.at, arm, seen.stable, times)

    @property
    def errors(self) -> Weight:
        return weigh({view: one.evidence for view, one in self._errors.items()})

    @property
    def latency(self) -> Weight:
        return weigh({view: one.evidence for view, one in self._latency.items()})


def weigh(evidence: Mapping[str, float]) -> Weight:
    """Set what all pods say beside what is left without the one that carries most."""
    rests = {view: one for view, one in evidence.items() if view != WHOLE}
    if len(rests) < 2:  # without its only pod there is no candidate
        return Weight(evidence[WHOLE], evidence[WHOLE])
    without = min(sorted(rests), key=lambda view: rests[view])
    return Weight(evidence[WHOLE], rests[without], without)
