"""One comparison of a thing with itself, fed again and again; what it says is a gate's state like any other's."""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable
from dataclasses import replace

from cd_provider.core.before_after import BeforeAfter
from cd_provider.core.finding import Finding, GateState, Reading
from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.history import interval
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge.weak import WeakJudge
from cd_provider.core.ports import CounterSource
from cd_provider.exceptions import CdProviderError
from cd_provider.triggers.judge_watch import OVERLAP

log = logging.getLogger(__name__)
MARGIN_S = 120.0  # beyond what is before: a series without a sample there is young, and began at 0
LATE = 3  # intervals that a sample may be late
FINDINGS = {"PASS": Finding.OK, "FAIL": Finding.FAILED, "NO_DATA": Finding.THIN, "INCONCLUSIVE": Finding.THIN}


class BeforeAfterWatch:
    """
    Keep the state of one comparison current.

    Everything is read from the source, before and after alike, so that one that begins anew stands where it stood.

    :param thing: whose counters these are. :param moment: between before and after, epoch seconds, as ``until``,
        when after is over. :param clock: the same. :param wake: set after every look.
    """

    def __init__(
        self,
        gate: BeforeAfter,
        source: CounterSource,
        *,
        thing: str,
        moment: float,
        until: float,
        clock: Callable[[], float],
        wake: asyncio.Event,
    ) -> None:
        self.gate, self.source, self.thing, self.moment, self.until = gate, source, thing, moment, until
        self.clock, self.wake = clock, wake
        self.sides: Sides = gate.sides(thing)
        self.judge = WeakJudge(gate.settings(), moment=moment, until=until)
        self.state = GateState.opened(at=clock())
        self._aligner: Aligner | None = None
        self._newest = 0.0
        self._since = moment - gate.before_s - MARGIN_S

    @property
    def verdict(self) -> Judged | None:
        """What it has said."""
        return self.judge.verdict

    async def run(self) -> None:
        """Read and judge every ``gate.every_s`` seconds until there is a verdict, or until cancelled."""
        while self.verdict is None:
            asked = self.clock()
            try:
                await self._look(asked)
            except CdProviderError as err:
                self._silent(asked, str(err))
            self.wake.set()
            await asyncio.sleep(max(0.05, self.gate.every_s - (self.clock() - asked)))

    async def _look(self, asked: float) -> None:
        reading = await self.source.read(self.sides, since=self._since)
        newest = max((at for one in reading.series for at, _ in one.samples), default=0.0)
        if self._aligner is None and newest:
            self._aligner = self._begin(interval(reading.series))
        if self._aligner is not None:
            for tick in self._aligner.feed(reading.series):
                self.judge.step(tick)
            self._since = max(self._since, newest - OVERLAP * self._aligner.interval_s)
            if asked > self.until + LATE * self._aligner.interval_s:
                self.judge.finish()  # else its counters went with whoever kept them
        if self.verdict or newest > self._newest:
            self._newest = newest
            self._tell(asked)
        else:
            self._silent(asked, "; ".join(line for line in reading.missing if line.startswith("candidate")))

    def _begin(self, interval_s: float) -> Aligner:
        """Set the clock so that one of its ticks ends at the moment itself."""
        before = math.ceil(self.gate.before_s / interval_s)
        return Aligner(started_at=self.moment - before * interval_s, interval_s=interval_s)

    def _tell(self, asked: float) -> None:
        said = self.verdict
        going = Finding.GOING if self.judge.after.requests else Finding.THIN
        finding = FINDINGS[said.kind] if said else going
        if said:
            log.info("%s: %s", self.gate.name, said.line)
        self.state = GateState(finding, Reading(asked), asked, None, self.judge.line)

    def _silent(self, asked: float, why: str) -> None:
        """No news: what was said stands for a moment."""
        interval_s = self._aligner.interval_s if self._aligner else 0.0
        if asked - self.state.seen_at <= LATE * interval_s:
            return
        why = why or "no new samples"
        if why != self.state.line:
            log.warning("%s: %s", self.gate.name, why)
        self.state = replace(self.state, finding=Finding.BLIND, reading=Reading(asked, error=why), line=why)
