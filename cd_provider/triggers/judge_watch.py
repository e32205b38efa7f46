"""One judge, fed again and again beside the loop that acts; what it says is a gate's state like any other's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any

from cd_provider.core.finding import Finding, GateState, Reading
from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.draft import Draft
from cd_provider.core.judge.hearing import Hearing
from cd_provider.core.judge.history import by_unit
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.kayenta.shadow import KayentaShadow
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.record import Recorder
from cd_provider.core.judge.sides import Reading as Counters
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.ports import CounterSource
from cd_provider.exceptions import CdProviderError
from cd_provider.triggers.judge_told import PATIENCE_S, beside, excused, finding_of, told
from cd_provider.triggers.judge_usual import hour_before, life_of

Probing = Callable[[Callable[[], bool]], Coroutine[Any, Any, None]]

log = logging.getLogger(__name__)
OVERLAP = 4  # intervals that a read reaches back beyond the newest sample: some samples arrive late
END = 4  # intervals before the canary's end: until then its last samples have come, and what is missing can be told
HISTORY_PATIENCE_S = 60.0  # so long an outage at the first look is waited out, for the sake of the past


class JudgeWatch:
    """
    Keep the state of one judge current.

    Started anew in the middle of a canary it reads the counters since the first user again, and so stands where it
    stood, its record included, but for what had come late. A source without a past (``direct``) begins where it is;
    what is usual there is what stable's counters stand at, over all their life.

    :param sides: gives whose counters are compared, at that moment. :param usual: gives whose last hour is looked back
        on, where that is somebody else: a baseline as young as the candidate has none. :param clock: epoch seconds.
    :param wake: set after every look, so that the loop need not wait for its own tick.
    :param max_s: how long the canary may last from now on.
    :param probing: sends requests of our own while it is told that they are wanted; None: there are none.
    :param about: whose record is kept, see :class:`~cd_provider.core.judge.record.Record`; None: none is kept.
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
        about: Mapping[str, Any] | None = None,
        usual: Callable[[], Sides] | None = None,
        probing: Probing | None = None,
    ) -> None:
        self.gate, self.source, self.sides, self.clock, self.wake = gate, source, sides, clock, wake
        self.usual, self.probing = usual or sides, probing
        decides_s = max_s - gate.asking_s
        self.settings, self._until = gate.settings(max_s=decides_s), clock() + decides_s
        self.state = GateState.opened(at=clock())
        self.began_at: float | None = None
        self.judge: Judge | None = None
        self.about = about
        self.recorder: Recorder | None = None
        self._aligner: Aligner | None = None
        self._since = 0.0
        self._told = ""
        self._opened_at = 0.0
        self._hearing = Hearing()
        self._first: float | None = None
        self.shadow = KayentaShadow() if gate.shadow == "kayenta" else None

    @property
    def judged(self) -> tuple[float, float] | None:
        """Say from when to when samples were judged, epoch seconds by their own clock; None: none yet."""
        if self._first is None or self.judge is None:
            return None
        return self._first, self.judge.began_at + self.judge.at

    def open(self, *, at: float, exposed_at: float | None = None) -> None:
        """Begin when the first user reaches the candidate; a return to traffic later on begins nothing anew."""
        if self.began_at is None:
            self._opened_at = at
            self.began_at = at if exposed_at is None else exposed_at
            self.state = GateState.opened(at=at)
        else:
            self._hearing.back(at - self.began_at)
            self.state = replace(self.state, seen_at=max(at, self.state.seen_at))

    async def run(self) -> None:
        """Read and judge every ``gate.every_s`` seconds until cancelled."""
        probing = asyncio.create_task(self.probing(self.exposed)) if self.probing else None
        try:
            await self._watch()
        finally:
            if probing:
                probing.cancel()

    def exposed(self) -> bool:
        """Whether the candidate has users, as far as is known here: the first came, and it is not away after a trip."""
        return self.began_at is not None and not (self.judge and excused(self.judge))

    async def _watch(self) -> None:
        while True:
            asked = self.clock()
            if self.began_at is not None:
                try:
                    await self._look(self.began_at, asked)
                except CdProviderError as err:
                    self._silent(asked, str(err))
                except Exception as err:  # whatever it is: a judge that breaks has not said that all is well
                    log.exception("%s: the judge itself failed", self.gate.name)
                    self._broken(asked, err)
                self.wake.set()
            await asyncio.sleep(max(0.05, self.gate.every_s - (self.clock() - asked)))

    async def _look(self, began_at: float, asked: float) -> None:
        sides = self.sides()
        if not sides.candidate_pods and self.gate.counters().unit == "backend_pod":
            raise CdProviderError("the candidate has no ready pods")
        if self.gate.fresh and not sides.stable_pods and self.gate.counters().unit == "backend_pod":
            raise CdProviderError("the baseline has no ready pods")
        if self._aligner is None:
            reading = await self._begin(began_at, sides)
        else:
            reading = await self.source.read(sides, since=self._since)
        assert self._aligner is not None
        assert self.judge is not None
        series = by_unit(reading.series, self.gate.counters().unit)
        ticks = self._aligner.feed(series)
        for tick in ticks:
            self._shade(tick)
            if (judged := self.judge.step(tick)) is not None:
                log.info("%s: %s", self.gate.name, judged.line)
            self._record(tick, judged)
            self._hearing.add(tick.at - began_at, tick)
        if newest := max((max(one.samples)[0] for one in series if one.samples), default=0.0):
            self._since = max(self._since, newest - OVERLAP * self._aligner.interval_s)
        if ticks and self._first is None:
            self._first = ticks[0].at - ticks[0].span_s
        self._hearing.note(reading, now=asked)
        lacking = "; ".join(reading.missing)
        compared = any(tick.stable for tick in ticks) or not self.gate.fresh
        if not (ticks and compared) and not reading.unreachable:
            self._silent(asked, lacking or self._nothing())
        elif not reading.unreachable and (why := self._hearing.quiet) and not excused(self.judge):
            self._silent(asked, why, patience_s=0.0)  # it took a while to see
        elif not reading.unreachable and self._hearing.lost(reading) and not excused(self.judge):
            self._silent(asked, lacking)
        else:
            self._tell(asked, self.judge, reading.unreachable, lacking)

    def _nothing(self) -> str:
        odd = self._aligner is not None and self._aligner.notes.gaps
        return "no new samples" + (" that are numbers" if odd else "")

    def _shade(self, tick: Tick) -> None:
        """Let the other judge look, too; it decides nothing, and its faults are its own."""
        try:
            if self.shadow is not None and (look := self.shadow.step(tick)) is not None:
                log.info("%s, beside it: %s", self.gate.name, look.reason)
        except Exception as err:
            log.warning("%s: no shadow any more: %s: %s", self.gate.name, type(err).__name__, err)
            self.shadow = None

    async def _begin(self, began_at: float, sides: Sides) -> Counters:
        """Read what is usual here, set the clock, and give the first reading."""
        if self.gate.source == "direct":
            reading = await self.source.read(sides, since=began_at - OVERLAP * self.gate.every_s)
            self._set_clock(began_at, life_of(reading, self.gate), self.gate.every_s)
            return reading
        waits = self.clock() - self._opened_at < HISTORY_PATIENCE_S
        self._set_clock(
            began_at, *await hour_before(self.source, self.usual(), self.gate, began_at=began_at, waits=waits)
        )
        return await self.source.read(sides, since=self._since)

    def _set_clock(self, began_at: float, past: Past, interval_s: float) -> None:
        """Make judge, clock and record, as of the first user."""
        # From the first user on, so that it is the same after a restart.
        left_s = round(self._until - began_at - END * interval_s, 1)
        self.settings = replace(self.settings, max_s=max(1.0, left_s))
        self.judge = Judge(self.settings, began_at=began_at, past=past)
        self._aligner, self._hearing = Aligner(started_at=began_at, interval_s=interval_s), Hearing()
        if self.about is not None:
            self.recorder = Recorder(
                about=self.about,
                gate=self.gate.as_dict(),
                max_s=self.settings.max_s,
                began_at=began_at,
                past=past,
            )
        self._since = began_at - OVERLAP * interval_s
        usual = (
            f"{past.share:.2%} errors of {past.requests:,.0f} requests" if past.requests else "nothing known"
        )
        log.info("%s: judging at samples every %g s; usual here: %s", self.gate.name, interval_s, usual)

    def _record(self, tick: Tick, judged: Judged | None) -> None:
        """Note a tick down; a record that cannot be kept is given up, the judging is not."""
        if self.recorder is None:
            return
        try:
            self.recorder.add(tick, judged)
        except Exception as err:
            log.warning("%s: no record any more: %s: %s", self.gate.name, type(err).__name__, err)
            self.recorder = None

    @property
    def said(self) -> int:
        """How many verdicts stand in the record."""
        return len(self.recorder.verdicts) if self.recorder else 0

    def draft(self) -> Draft | None:
        """
        Give the record as it stands; None: none is kept, or nothing was judged yet.

        :raises ArgumentError: ``about`` is no JSON.
        """
        if self.recorder is None or self._aligner is None or not self.recorder.ticks:
            return None
        self.recorder.odd(self._aligner.notes, self._aligner.restarts)
        return self.recorder.draft()

    def _tell(self, asked: float, judge: Judge, unreachable: tuple[str, ...], lacking: str) -> None:
        gone = self._hearing.gone(now=asked)
        finding = finding_of(
            judge, self.gate, gone=gone, unreachable=bool(unreachable), lacking=bool(lacking)
        )
        line = lacking if finding is Finding.THIN and lacking else told(judge, self.gate)
        line += beside(self.shadow)
        line += f"; does not answer while stable does: {', '.join(unreachable)}" if unreachable else ""
        self.state = GateState(finding, Reading(asked), asked, None, line, len(judge.trips))

    def _broken(self, asked: float, err: Exception) -> None:
        """Begin anew, from the samples: what a judge that broke half-way thinks is worth nothing."""
        self._aligner = None
        self._silent(asked, f"the judge itself failed: {type(err).__name__}: {err}", patience_s=0.0)

    def _silent(self, asked: float, why: str, *, patience_s: float = PATIENCE_S) -> None:
        """No news: a verdict against the candidate stands, anything else is silence after a while."""
        if self.state.finding is Finding.FAILED:
            return
        if asked - self.state.seen_at > patience_s or self.state.finding is Finding.BLIND:
            trips = len(self.judge.trips) if self.judge else 0
            self.state = replace(
                self.state, finding=Finding.BLIND, reading=Reading(asked, error=why), line=why,
                trips=max(trips, self.state.trips),
            )  # fmt: skip
        if why != self._told:
            log.warning("%s: %s", self.gate.name, why)
            self._told = why
