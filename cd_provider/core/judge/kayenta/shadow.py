"""``judge: kayenta``: what Kayenta would have said, beside the judge. It decides nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.kayenta.metric import Classified, Metric, classify
from cd_provider.core.judge.kayenta.points import Pile
from cd_provider.core.judge.kayenta.score import MARGINAL, PASS, Verdict, score

POINT_S = 60.0


@dataclass(frozen=True)
class Followed:
    """
    A metric that ticks have.

    :param quantile: of the latency, such as 0.99; None: errors per request, 0–1.
    """

    metric: Metric
    quantile: float | None = None

    def of(self, pile: Pile) -> float | None:
        """Give a minute's point."""
        return pile.share() if self.quantile is None else pile.quantile(self.quantile)


USUAL = (
    Followed(Metric(name="errors", groups=("errors",), direction="increase")),
    Followed(Metric(name="latency p99", groups=("latency",), direction="increase"), 0.99),
)


@dataclass(frozen=True)
class Look:
    """
    What Kayenta would say at one look.

    :param at: end of its last point, epoch seconds. :param points: minutes that each side has been looked at.
    :param reason: one sentence for people.
    """

    at: float
    points: int
    score: float
    verdict: Verdict
    metrics: tuple[Classified, ...]
    reason: str


class KayentaShadow:
    """
    Takes the judge's own ticks; at each look all points since the first tick are compared.

    A latency metric is judged once a tick has had buckets; without them it is left out, not Nodata.

    :param every_s: seconds between two looks, rounded up to whole minutes. :param weights: group → its part of 100.
    :param pass_at: and ``marginal_at``: limits of the score.
    """

    def __init__(
        self,
        metrics: Sequence[Followed] = USUAL,
        *,
        every_s: float = 300.0,
        weights: Mapping[str, float] | None = None,
        pass_at: float = PASS,
        marginal_at: float = MARGINAL,
    ) -> None:
        self.metrics, self.every_s, self.weights = tuple(metrics), every_s, weights
        self.pass_at, self.marginal_at = pass_at, marginal_at
        self.last: Look | None = None
        self._points: list[tuple[list[float | None], list[float | None]]] = [([], []) for _ in self.metrics]
        self._sides = (Pile(), Pile())
        self._has_latency = False
        self._point_at: float | None = None  # end of the point that is being gathered
        self._look_at = 0.0

    def step(self, tick: Tick) -> Look | None:
        """Take the next tick; give a look when one is due."""
        if self._point_at is None:
            self._point_at = tick.at - tick.span_s + POINT_S
            self._look_at = tick.at - tick.span_s + self.every_s
        while tick.at > self._point_at + POINT_S / 1e6:
            self._close(self._point_at)
        for pile, pods in zip(self._sides, (tick.candidate, tick.stable), strict=True):
            pile.add(pods, tick.edges)
        self._has_latency |= bool(tick.edges)
        if tick.at < self._point_at - POINT_S / 1e6:
            return None
        end = self._point_at
        self._close(end)
        if end < self._look_at - POINT_S / 1e6:
            return None
        while self._look_at <= end + POINT_S / 1e6:
            self._look_at += self.every_s
        return self.look(end)

    def look(self, at: float) -> Look:
        """Judge all points so far, due or not; such as at the end of a canary."""
        found = [
            classify(one.metric, ours, theirs)
            for one, (ours, theirs) in zip(self.metrics, self._points, strict=True)
            if one.quantile is None or self._has_latency
        ]
        scored = score(found, self.weights, pass_at=self.pass_at, marginal_at=self.marginal_at)
        points = max((len(ours) for ours, _ in self._points), default=0)
        why = f": {scored.reason}" if scored.reason else ""
        sentence = f"Kayenta would say {scored.verdict} at {scored.score:g} after {points} points{why}"
        self.last = Look(at, points, scored.score, scored.verdict, tuple(found), sentence)
        return self.last

    def _close(self, end: float) -> None:
        for one, points in zip(self.metrics, self._points, strict=True):
            for side, pile in zip(points, self._sides, strict=True):
                side.append(one.of(pile))
        self._sides, self._point_at = (Pile(), Pile()), end + POINT_S
