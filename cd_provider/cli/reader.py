"""Stable's counters of a stretch of time, read by the product's own reader in pieces that fit."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TypeVar

from cd_provider.adapters.metrics.counters_prometheus import PrometheusCounters
from cd_provider.cli.target import Target
from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.history import before, interval
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Sides
from cd_provider.exceptions import MetricsTooLargeError, MetricsUnavailableError

T = TypeVar("T")
HOUR_S = 3600.0
LEAST_S = 60.0  # a shorter piece is not asked for
TRIES, PAUSE_S = 3, 2.0  # an outage is waited out for so long, then for three times as long
ENOUGH = 0.5  # of a window; of less nobody can tell what is usual
RAW_S = 60.0  # counters that are further apart than this were thinned out


@dataclass(frozen=True)
class Window:
    """
    What was read of a stretch of time.

    :param series: stable's counters. :param interval_s: between two samples; 0: there are none.
    """

    since: float
    until: float
    series: tuple[Series, ...] = ()
    interval_s: float = 0.0

    @property
    def lasts_s(self) -> float:
        """Seconds from the first sample to the last."""
        stamps = [at for one in self.series for at, _ in one.samples]
        return max(stamps) - min(stamps) if stamps else 0.0

    @property
    def missing(self) -> str:
        """Say what is wrong with it, in a few words; empty: nothing, there are samples as they were scraped."""
        if not self.interval_s:
            return "no samples"
        if self.interval_s > RAW_S:
            return f"samples {self.interval_s:g} s apart: thinned out, not as scraped"
        least_s = ENOUGH * (self.until - self.since)
        return (
            ""
            if self.lasts_s >= least_s
            else f"samples of {self.lasts_s:.0f} s, expected {least_s:.0f} s or more"
        )


@dataclass
class Reader:
    """
    Reads one service's counters.

    :param told: hears of what takes long or is tried again.
    """

    source: PrometheusCounters
    target: Target
    told: Callable[[str], None] = lambda text: None
    piece_s: float = field(default=HOUR_S, init=False)

    async def now(self) -> float:
        """
        Give the server's clock, epoch seconds.

        :raises CdProviderError: no usable answer.
        """
        answer = await self._patient(lambda: self.source.server.ask("time()"))
        try:
            return float(answer.result[1])
        except (TypeError, ValueError, IndexError, KeyError) as err:
            raise self.source.server.no_result() from err

    async def pods(self, since: float, until: float) -> tuple[str, ...]:
        """Give the names of stable's pods that were counted then; empty for a gateway's counters."""
        if not self.target.by_pod:
            return ()
        preset = self.target.preset
        wanted = [f"{preset.namespace}={json.dumps(self.target.namespace)}"] if preset.namespace else []
        wanted.append(f"{preset.pod}=~{json.dumps(self.target.pattern)}")
        wanted += [f"{key}=~{json.dumps(pattern)}" for key, pattern in preset.where]
        wanted += [self.source.matchers] if self.source.matchers else []
        counted = f"{preset.total}{{{', '.join(wanted)}}}[{until - since:.0f}s]"
        asked = f"count by ({preset.pod}) (count_over_time({counted}))"
        answer = await self._patient(lambda: self.source.server.ask(asked, at=until))
        found = {one.get("metric", {}).get(preset.pod, "") for one in answer.result or ()}
        return tuple(sorted(pod for pod in found if re.fullmatch(self.target.pattern, pod)))

    async def window(self, since: float, until: float) -> Window:
        """
        Read all raw samples of stable after ``since``, up to ``until``.

        An answer that is too large is asked for in halves, and so are all after it.

        :raises MetricsTooLargeError: a minute of it is too large still.
        :raises CdProviderError: the server refuses, or gave no usable answer three times in a row.
        """
        pods = await self.pods(since, until)
        if self.target.by_pod and not pods:
            return Window(since, until)
        series = await self.read(self.target.sides(pods), since, until)
        found = tuple(one for one in series if one.side == "stable" and one.samples)
        return Window(since, until, found, interval(found) if found else 0.0)

    async def read(self, sides: Sides, since: float, until: float) -> tuple[Series, ...]:
        """Read all raw samples of both sides after ``since``, up to ``until``; errors as :meth:`window`."""
        pieces, at = dict[str, Series](), since
        while at < until - 1e-6:
            end = min(until, at + self.piece_s)
            try:
                reading = await self._patient(partial(self.source.read, sides, since=at, until=end))
            except MetricsTooLargeError:
                if self.piece_s <= LEAST_S:
                    raise
                self.piece_s = max(LEAST_S, self.piece_s / 2.0)
                self.told(f"the answer is too large; asking for {self.piece_s:.0f} s at a time")
                continue
            _add(pieces, reading.series)
            at = end
        return tuple(pieces.values())

    async def _patient(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask again after an outage, twice."""
        for number in range(1, TRIES):
            try:
                return await ask()
            except MetricsUnavailableError as err:
                self.told(f"{err} Trying again.")
                await asyncio.sleep(PAUSE_S * 3 ** (number - 1))
        return await ask()


def _add(pieces: dict[str, Series], series: tuple[Series, ...]) -> None:
    for one in series:
        before = pieces.get(one.id)
        pieces[one.id] = one if before is None else replace(before, samples=(*before.samples, *one.samples))


def joined(*windows: Window) -> tuple[Series, ...]:
    """Put windows together that follow each other."""
    pieces: dict[str, Series] = {}
    for window in windows:
        _add(pieces, window.series)
    return tuple(pieces.values())


def ticks(target: Target, series: tuple[Series, ...], interval_s: float) -> list[Tick]:
    """Give the ticks of stable's counters, as a judge sees them: a gateway's as one pod's."""
    return before(series, interval_s, target.preset.unit)
