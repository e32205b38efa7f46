"""One judge, fed again and again beside the loop that acts; what it says is a gate's state like any other's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from statistics import median

from cd_provider.core.finding import Finding, GateState, Reading
from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.past import Past, look_back
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.ports import CounterSource
from cd_provider.exceptions import CdProviderError

log = logging.getLogger(__name__)
HISTORY_S = 3600.0
USUAL_INTERVAL_S = 5.0
OVERLAP = 4  # intervals that a read reaches back beyond the newest sample: some samples arrive late
PATIENCE_S = 10.0


class JudgeWatch:
    """
    Keep the state of one judge current.

    Started anew in the middle of a canary it reads the counters since the first user again, and so stands where it
    stood. A source without a past (``direct``) begins where it is.

    :param sides: gives whose counters are compared, at that moment. :param usual: gives whose last hour is looked back
        on, where that is somebody else: a baseline as young as the candidate has none. :param clock: epoch seconds.
    :param wake: set after every look, so that the loop need not wait for its own tick.
    :param max_s: how long the canary may last.
    """

    def __init__(
        self,
        gate: JudgeGate,
        source: CounterSource,
        *,
        sides: Callable[[], Sides],
        clock: Callable[[], float],
        wake: asyncio.Event,
        max_s: float,
        usual: Callable[[], Sides] | None = None,
    ) -> None:
        self.gate, self.source, self.sides, self.clock, self.wake = gate, source, sides, clock, wake
        self.usual = usual or sides
        self.settings = gate.settings(max_s=max_s)
        self.state = GateState.opened(at=clock())
        self.began_at: float | None = None
        self.judge: Judge | None = None
        self._aligner: Aligner | None = None
        self._since = 0.0
        self._told = ""

    def open(self, *, at: float, exposed_at: float | None = None) -> None:
        """Begin when the first user reaches the candidate; a return to traffic later on begins nothing anew."""
        if self.began_at is None:
            self.began_at = at if exposed_at is None else exposed_at
            self.state = GateState.opened(at=at)

    async def run(self) -> None:
        """Read and judge every ``gate.every_s`` seconds until cancelled."""
        while True:
            asked = self.clock()
            if self.began_at is not None:
                try:
                    await self._look(self.began_at, asked)
                except CdProviderError as err:
                    self._silent(asked, str(err))
                self.wake.set()
            await asyncio.sleep(max(0.05, self.gate.every_s - (self.clock() - asked)))

    async def _look(self, began_at: float, asked: float) -> None:
        sides = self.sides()
        if not sides.candidate_pods and self.gate.counters().unit == "backend_pod":
            raise CdProviderError("the candidate has no ready pods")
        if self.gate.fresh and not sides.stable_pods and self.gate.counters().unit == "backend_pod":
            raise CdProviderError("the baseline has no ready pods")
        if self._aligner is None:
            await self._begin(began_at)
        assert self._aligner is not None
        assert self.judge is not None
        reading = await self.source.read(sides, since=self._since)
        series = self._by_unit(reading.series)
        ticks = self._aligner.feed(series)
        for tick in ticks:
            if (judged := self.judge.step(tick)) is not None:
                log.info("%s: %s", self.gate.name, judged.line)
        if newest := max((at for one in series for at, _ in one.samples), default=0.0):
            self._since = max(self._since, newest - OVERLAP * self._aligner.interval_s)
        compared = any(tick.stable for tick in ticks) or not self.gate.fresh
        if ticks and compared:
            self._tell(asked, self.judge, reading.unreachable)
        else:
            self._silent(asked, "; ".join(reading.missing) or "no new samples")

    async def _begin(self, began_at: float) -> None:
        """Read what is usual here, and set the clock."""
        past, interval_s = Past(), self.gate.every_s if self.gate.source == "direct" else USUAL_INTERVAL_S
        if self.gate.source != "direct":
            past, interval_s = await self._past(began_at, self.usual())
        self.judge = Judge(self.settings, began_at=began_at, past=past)
        self._aligner = Aligner(started_at=began_at, interval_s=interval_s)
        self._since = began_at - OVERLAP * interval_s
        usual = (
            f"{past.share:.2%} errors of {past.requests:,.0f} requests" if past.requests else "nothing known"
        )
        log.info("%s: judging at samples every %g s; usual here: %s", self.gate.name, interval_s, usual)

    async def _past(self, began_at: float, sides: Sides) -> tuple[Past, float]:
        """Read stable's last hour; without one the judge goes by what is assumed of any service."""
        try:
            reading = await self.source.read(sides, since=began_at - HISTORY_S)
        except CdProviderError as err:
            log.warning("%s: no history: %s", self.gate.name, err)
            return Past(), USUAL_INTERVAL_S
        stable = [_before(one, began_at) for one in self._by_unit(reading.series) if one.side == "stable"]
        interval_s = interval(stable)
        first = min((at for one in stable for at, _ in one.samples), default=began_at)
        return look_back(Aligner(started_at=first, interval_s=interval_s).feed(stable)), interval_s

    def _by_unit(self, series: Iterable[Series]) -> list[Series]:
        """Take a gateway's counters for one pod's of each side: its own pods are nobody's who could be left out."""
        if self.gate.counters().unit == "backend_pod":
            return list(series)
        return [replace(one, pod=one.side) for one in series]

    def _tell(self, asked: float, judge: Judge, unreachable: tuple[str, ...]) -> None:
        verdict, at = judge.verdict, judge.at
        kind = verdict.kind if verdict else ""
        if kind == "FAIL":
            finding = Finding.FAILED
        elif not judge.story.candidate.requests:
            finding = Finding.THIN
        elif unreachable or not judge.calm(at):
            finding = Finding.BREACH
        else:
            finding = Finding.OK if kind == "PASS" else Finding.GOING
        line = (
            verdict.line
            if verdict and kind in ("FAIL", "PASS")
            else judge.story.line(judge, "so far", at, "")
        )
        if unreachable:
            line += f"; does not answer: {', '.join(unreachable)}"
        self.state = GateState(finding, Reading(asked), asked, None, line, len(judge.trips))

    def _silent(self, asked: float, why: str) -> None:
        """No news: a verdict against the candidate stands, anything else is silence after a while."""
        if self.state.finding is Finding.FAILED:
            return
        if asked - self.state.seen_at > PATIENCE_S or self.state.finding is Finding.BLIND:
            self.state = replace(
                self.state, finding=Finding.BLIND, reading=Reading(asked, error=why), line=why
            )
        if why != self._told:
            log.warning("%s: %s", self.gate.name, why)
            self._told = why


def interval(series: Iterable[Series]) -> float:
    """Give the seconds between two samples, as most series have it."""
    gaps = []
    for one in series:
        stamps = sorted({at for at, _ in one.samples})
        gaps += [later - at for at, later in zip(stamps, stamps[1:], strict=False)]
    return max(1.0, round(median(gaps), 1)) if gaps else USUAL_INTERVAL_S


def _before(series: Series, at: float) -> Series:
    return replace(series, samples=[sample for sample in series.samples if sample[0] <= at])
