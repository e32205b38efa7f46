"""
What a picture of a record shows, in numbers: the record replayed, read out at so many moments as can be drawn.

Bands count anew from the end of the warm-up on, as what passes and the subtle lane do.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from cd_provider.core.judge.bands import Band, Comparison, Slower
from cd_provider.core.judge.counts import Tick, total
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.record import Record
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge.view import WHOLE, Scene, pods_of, scene

MOST_POINTS = 150
SHORTEST_GAP_S, GAPS_OUT = 20.0, 7.0  # without a request; and so many times what lies between two as a rule
LANES = ("clear errors", "clear latency", "subtle errors", "subtle latency")


@dataclass(frozen=True, slots=True)
class Point:
    """
    One moment.

    :param at: seconds since the candidate took traffic. :param rates: requests a second since the point before, of
        candidate and stable. :param errors: times stable's share. :param share: the candidate's errors per request.
    :param latency: times as slow. :param odds: lane → odds to 1 against the candidate.
    :param weakest: the same of the clear lanes without the pod that carries most.
    :param pods: pod → (errors, latency) of that pod alone.
    """

    at: float
    rates: tuple[float, float]
    errors: Band | None
    share: Band | None
    latency: Band | None
    odds: Mapping[str, float]
    weakest: Mapping[str, float]
    pods: Mapping[str, tuple[Band | None, Band | None]]


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch without requests, in seconds of the canary. ``away``: it was taken off traffic."""

    begin: float
    end: float
    what: str
    away: bool = False


@dataclass(frozen=True)
class Tracks:
    """
    All that is drawn, but for what the record says itself.

    :param limits: lane → the odds that convict. :param blocked: the pod, or two, without which there is no case.
    :param by_latency: that case is about latency.
    :param by_share: the candidate's errors say more by themselves than beside stable's, which has none or few.
    :param said: every verdict of the replay.
    """

    points: Sequence[Point]
    gaps: Sequence[Gap]
    limits: Mapping[str, float]
    pods: Sequence[str]
    blocked: tuple[str, ...]
    by_latency: bool
    by_share: bool
    tells_latency: bool
    ends_at: float
    said: Sequence[Judged]


def follow(record: Record) -> Tracks:
    """
    Replay a record for drawing.

    :raises ArgumentError: the record's gate is none of this version.
    """
    judge = Judge(record.settings, began_at=record.began_at, past=record.past)
    reading = _Reading(judge, record.past)
    every = max(1, math.ceil(len(record.ticks) / MOST_POINTS))
    points, said = [], list[Judged]()
    for number, tick in enumerate(record.ticks, 1):
        if (judged := judge.step(tick)) is not None:
            said.append(judged)
        reading.add(tick)
        if number % every == 0 or number == len(record.ticks):
            points.append(reading.point(tick.at - record.began_at))
    blocked, by_latency = _blocked(judge)
    last = next((point.errors for point in reversed(points) if point.errors), None)
    by_share = last is None or last.middle == math.inf or judge.harmless.errors_by == "share"
    return Tracks(
        points, list(_gaps(record)), {lane: _limit(judge, lane) for lane in LANES}, tuple(judge.pods),
        pods_of(blocked),
        by_latency, by_share, any(point.latency for point in points), points[-1].at if points else 0.0, said,
    )  # fmt: skip


class _Reading:
    """What is added up beside the judge."""

    def __init__(self, judge: Judge, past: Past) -> None:
        self.judge, self.past = judge, past
        self.parts = {WHOLE: Comparison(past)}
        self.counted_s = self._since = 0.0
        self._rates = (0.0, 0.0)
        self._pods = (1, 1)
        self._slower: Slower | None = None
        self._cold = True
        self._begun_anew = False

    def add(self, tick: Tick) -> None:
        shape = self.judge.shape
        if self._cold and tick.at - self.judge.began_at > self.judge.settings.counts_from_s + 1e-9:
            self.parts = {part: Comparison(self.past) for part in self.parts}
            self.counted_s, self._cold, self._begun_anew = 0.0, False, True
        seen = self._scene(tick, shape)
        self.parts[WHOLE].add(seen.whole, seen.stable, score_variance=seen.score_variance)
        for pod, done in tick.candidate.items():
            alone = self._scene(replace(tick, candidate={pod: done}), shape)
            part = self.parts.setdefault(pod, Comparison(self.past))
            part.add(alone.whole, alone.stable, score_variance=alone.score_variance)
        if min(seen.pods) > 0:
            self._pods = seen.pods
        self.counted_s += tick.span_s
        both = (total(tick.candidate).requests, total(tick.stable).requests)
        self._rates = (self._rates[0] + both[0], self._rates[1] + both[1])
        self._since += tick.span_s

    def _scene(self, tick: Tick, shape: Shape | None) -> Scene:
        return scene(tick, began_at=self.judge.began_at, known=(), shape=shape)

    def point(self, at: float) -> Point:
        shape = self.judge.shape
        if shape is not None and (self._slower is None or self._slower.shape is not shape):
            self._slower = Slower(shape)
        bands = {part: self._bands(part) for part in self.parts}
        rates = tuple(count / self._since if self._since else 0.0 for count in self._rates)
        self._rates, self._since = (0.0, 0.0), 0.0
        share = self.parts[WHOLE].share_band()
        if self._begun_anew:  # nothing yet: the line ends here, and begins anew
            self._begun_anew, share, bands = False, None, dict.fromkeys(bands, (None, None))
        errors, latency = bands.pop(WHOLE)
        clear = self.judge.clear
        weakest = {"clear errors": clear.errors.weakest, "clear latency": clear.latency.weakest}
        return Point(at, (rates[0], rates[1]), errors, share, latency, self._odds(at), weakest, bands)

    def _bands(self, part: str) -> tuple[Band | None, Band | None]:
        one, pods = self.parts[part], self._pods if part == WHOLE else (1, self._pods[1])
        return one.error_band(self.counted_s, pods), one.latency_band(self.counted_s, pods, self._slower)

    def _odds(self, at: float) -> dict[str, float]:
        judge = self.judge
        found = {"clear errors": judge.clear.errors.evidence, "clear latency": judge.clear.latency.evidence}
        if (leans := judge.subtle.look(at)) is not None:
            for lane, lean in zip(LANES[2:], leans, strict=True):
                found[lane] = judge.subtle.limit**lean.reach
        return found


def _limit(judge: Judge, lane: str) -> float:
    return judge.clear.settings.clear if lane.startswith("clear") else judge.subtle.limit


def _blocked(judge: Judge) -> tuple[str, bool]:
    """Name the pod, or two, without which there is no case, and whether the case is about latency."""
    if judge.verdict is None or judge.verdict.reason != "one pod":
        return "", False
    clear, leans = judge.clear, judge.subtle.look(judge.at) or (None, None)
    drifts = (judge.subtle.errors, judge.subtle.latency)
    for weight, lean, drift, by_latency in zip(
        (clear.errors, clear.latency), leans, drifts, (False, True), strict=True
    ):
        if weight.evidence >= clear.settings.clear and not weight.convicts(clear.settings) and weight.without:
            return weight.without, by_latency
        if lean and lean.far and not lean.convicts and drift.strongest:
            return drift.strongest, by_latency
    return "", False


def _gaps(record: Record) -> Iterator[Gap]:
    """Give the stretches in which a side had no requests, and say whether it was off traffic."""
    tripped = [one.at for one in record.verdicts if one.kind == "TRIP"]
    least_s = _shortest(record.ticks)
    for silent, run in groupby(record.ticks, key=_silent):
        ticks = list(run)
        begin = ticks[0].at - ticks[0].span_s - record.began_at
        end = ticks[-1].at - record.began_at
        away = silent != SILENT[1] and any(at - 1.0 <= begin <= at + record.settings.away_s for at in tripped)
        if silent and (end - begin >= least_s or away):
            yield Gap(begin, end, silent, away)


def _shortest(ticks: Sequence[Tick]) -> float:
    """Give how long nothing has to come to be worth telling: a service with few requests is silent now and then."""
    sides = (
        [total(tick.candidate).requests for tick in ticks],
        [total(tick.stable).requests for tick in ticks],
    )
    asked_s = sum(tick.span_s for tick in ticks)
    rates = [sum(requests) / asked_s for requests in sides if sum(requests)]
    return max([SHORTEST_GAP_S, *(GAPS_OUT / rate for rate in rates)])


SILENT = ("no requests to the candidate", "no requests to stable", "no requests")


def _silent(tick: Tick) -> str:
    ours, theirs = total(tick.candidate).requests, total(tick.stable).requests
    if ours and theirs:
        return ""
    return SILENT[2] if not ours and not theirs else SILENT[0 if not ours else 1]
