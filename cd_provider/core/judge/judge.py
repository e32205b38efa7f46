"""
The judge: a few lanes over the same ticks, one state for the whole canary.

The verdict is a function of the ticks alone: the same ticks give the same verdict at the same tick, looked at every
second or all at once at the end.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from cd_provider.core.judge.clear import ClearLane
from cd_provider.core.judge.counts import Counts, Tick, check, together
from cd_provider.core.judge.emergency import EmergencyLane, Trip
from cd_provider.core.judge.harmless import Harmless
from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.never import NeverAbove
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.reasons import NO_SHIFT, Reason, reason, refuses
from cd_provider.core.judge.settings import METRICS, JudgeSettings, Metric
from cd_provider.core.judge.story import Story
from cd_provider.core.judge.subtle import SubtleLane
from cd_provider.core.judge.thin import Thin
from cd_provider.core.judge.usual import PAST_WEIGHT
from cd_provider.core.judge.verdict import Judged, Kind
from cd_provider.core.judge.view import scene

SHAPE_S = 30.0  # how often the shape of the latencies is taken anew, always from what came before
FINAL: tuple[Kind, ...] = ("FAIL",)
ENDS: tuple[Kind, ...] = (*FINAL, "INCONCLUSIVE", "NO_DATA")


class Judge:
    """
    Judges one canary, tick by tick.

    After a TRIP the caller takes the candidate off traffic for ``settings.away_s``, and may let it return once; a
    second trip is FAIL here. After PASS it goes on judging.

    :param began_at: epoch seconds at which the candidate took traffic, the ticks' own clock.
    :param past: what is usual here; None: nothing known.
    """

    def __init__(self, settings: JudgeSettings, *, began_at: float = 0.0, past: Past | None = None) -> None:
        self.settings, self.began_at, self.past = settings, began_at, past or Past()
        known = self.past
        self.emergency = EmergencyLane(known, limits=settings.emergency)
        self.clear = ClearLane(settings, known)
        self.never = NeverAbove(settings, known.cluster)
        self.subtle = SubtleLane(settings, known, self.emergency.usual)
        self.harmless = Harmless(settings, self.subtle)
        self.story = Story()
        self.verdict: Judged | None = None
        self.at = 0.0  # seconds, of the last tick
        self.trips: list[Trip] = []
        self.against: dict[
            Metric, tuple[float, str]
        ] = {}  # that do not decide: when they would have, and the lane
        self.pods: list[str] = []
        self._edges: tuple[float, ...] = ()
        self._shape: Shape | None = None
        self._shape_until = 0.0
        self._deaf_until = -math.inf
        self._thin = Thin()

    def step(self, tick: Tick) -> Judged | None:
        """
        Take the next tick; give a verdict when there is a new one.

        :raises ArgumentError: a count is no number, or below 0: there is no verdict about what cannot be.
        """
        check(tick)
        if self.verdict is not None and self.verdict.kind in (FINAL if self.settings.asks else ENDS):
            return None
        self._take_shape(tick)
        self.pods += [pod for pod in tick.candidate if pod not in self.pods]
        self.at = tick.at - self.began_at
        self.story.add(tick)
        thick = self._thin.add(tick, last=self.at >= self.settings.max_s - 1e-9)
        on_traffic = thick is not None and self._look(thick)
        return self._say(self._verdict(self.at, self._trip(tick, self.at), on_traffic=on_traffic))

    def _look(self, tick: Tick) -> bool:
        """Let the lanes that compare both sides look at a tick, or at a few together; say whether users came."""
        seen = scene(tick, began_at=self.began_at, known=self.pods, shape=self._shape)
        self.clear.step(seen, self._shape)
        self.never.step(seen)
        self.subtle.step(seen, self._shape)
        self.harmless.step(tick, seen, self._shape)
        return seen.whole.requests > 0

    def _trip(self, tick: Tick, at: float) -> Trip | None:
        """Ask the emergency lane; while the candidate is being taken off traffic it looks at stable alone."""
        if at <= self._deaf_until + 1e-9:
            return self.emergency.step(replace(tick, candidate={}))
        if trip := self.emergency.step(tick):
            if not self.settings.errors:
                self.against.setdefault("errors", (at, "emergency"))
                return None
            self.emergency.reset()
            self.clear.tripped()
            self.never.tripped()
            # judged before its end, so that the return is sooner than ``away_s`` after that; the next two still have
            # what users met until it was off
            self._deaf_until = at + max(2.0 * tick.span_s, self.settings.away_s - tick.span_s)
        return trip

    def _verdict(self, at: float, trip: Trip | None, *, on_traffic: bool) -> Judged | None:
        if trip is not None:
            self.trips.append(trip)
            return self._judged("FAIL" if len(self.trips) > 1 else "TRIP", at, "emergency")
        if lane := self._convicts(at):
            return self._judged("FAIL", at, lane)
        if self.verdict is not None and self.verdict.kind == "PASS":
            return None
        asked = self.verdict is not None and self.verdict.kind in ENDS
        at_end = (
            at >= self.settings.max_s - 1e-9 and not asked
        )  # once: what is more than enough later passes as ever
        if on_traffic and self._passes(at, at_end=at_end):
            return self._judged("PASS", at, "")
        return self._unclear(at) if at_end else None

    def _convicts(self, at: float) -> str:
        """Name the lane that convicts, if any does; what does not decide is noted down."""
        for metric, lane in self._speaking(at):
            if self.settings.decides(metric):
                return lane
            self.against.setdefault(metric, (at, lane))
        return ""

    def _speaking(self, at: float) -> Iterator[tuple[Metric, str]]:
        """Give each lane that speaks against the candidate, and by which metric."""
        for metric in METRICS:
            if self.clear.convicts(metric):
                yield metric, f"clear {metric}"
        if self.never.convicts:
            yield "errors", "never above"
        for metric, lean in zip(METRICS, self.subtle.look(at) or (), strict=False):
            if lean.convicts:
                yield metric, f"subtle {metric}"

    def _passes(self, at: float, *, at_end: bool) -> bool:
        if at < self.settings.least_s - 1e-9 or refuses(self):
            return False
        return (at_end or self.calm(at)) and self.harmless.excluded(at_end=at_end, alone=self.alone)

    def calm(self, at: float) -> bool:
        """Say whether nothing leans towards worse now, whichever pod is left out: what a step needs to end."""
        errors, latency = self.settings.errors, self.settings.latency
        if errors and (self.clear.leans("errors") or (self.never.leans and not self.never.stable_too)):
            return False
        if latency and (self.clear.leans("latency") or self.harmless.tail_leans):
            return False
        leans = zip(METRICS, self.subtle.look(at) or (), strict=False)
        return all(
            one.weakest <= self.settings.leaning for metric, one in leans if self.settings.decides(metric)
        )

    def _judged(self, kind: Kind, at: float, lane: str) -> Judged:
        return Judged(kind, at, self.story.line(self, kind, at, lane), lane)

    def _unclear(self, at: float) -> Judged:
        found: Reason = reason(self, at)
        if found.word == "too few requests" and self.settings.pods_only:
            return Judged("PASS", at, self.story.by_pods(self, at))
        kind: Kind = "NO_DATA" if found.word == "no traffic" else "INCONCLUSIVE"
        return Judged(kind, at, self.story.unclear(self, kind, at, found), "", found.word, found.need)

    @property
    def shape(self) -> Shape | None:
        """The latencies' shape by which the last tick was judged; None: no buckets yet."""
        return self._shape

    @property
    def has_baseline(self) -> bool:
        """Whether stable had any requests."""
        return self.story.stable.requests > 0

    @property
    def alone(self) -> bool:
        """Whether there is no baseline, and need not be one."""
        return self.settings.alone and not self.has_baseline

    @property
    def unacceptable_shift(self) -> float:
        """By how much the mean latency score grows if all is slower by what is unacceptable; 0 without buckets."""
        return self._shape.unacceptable if self._shape else 0.0

    @property
    def tells_latency(self) -> bool:
        """Whether the buckets would show it at all: not where all requests lie in one."""
        return self.unacceptable_shift > NO_SHIFT and self.subtle.latency.scale > 0

    def _say(self, judged: Judged | None) -> Judged | None:
        if judged is not None:
            self.verdict = judged
        return judged

    def _take_shape(self, tick: Tick) -> None:
        """Take the shape of the latencies from all ticks before this one."""
        at = tick.at - self.began_at
        if self._thin.holds and tick.edges == self._edges:
            return  # what is looked at together is looked at by what came before all of it
        if tick.edges != self._edges:  # other buckets, other numbers
            self._edges, self._shape, self._shape_until = tick.edges, None, 0.0
        if at > self._shape_until + 1e-9 or self._shape is None:
            self._shape = Shape.of(self._edges, self._buckets(), self.settings)
            self._shape_until = at + SHAPE_S

    def _buckets(self) -> tuple[float, ...]:
        """Add up both sides so far, and of the last hour no more than ``PAST_WEIGHT`` requests."""
        seen = (self.story.candidate, self.story.stable) if self.story.edges == self._edges else ()
        past = self.past.buckets if self.past.edges == self._edges else ()
        part = PAST_WEIGHT / max(PAST_WEIGHT, sum(past))
        return together((Counts(slow=tuple([count * part for count in past])), *seen)).slow
