"""One gate, looked at again and again beside the loop that acts: a slow metrics server delays nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from cd_provider.core.finding import GateState, Reading, look
from cd_provider.core.gate import Gate
from cd_provider.core.ports import MetricSource
from cd_provider.core.query import QueryNames, fill
from cd_provider.exceptions import CdProviderError

log = logging.getLogger(__name__)


class GateWatch:
    """
    Keep the state of one gate current.

    :param names: gives what the query's placeholders stand for at that moment.
    :param clock: epoch seconds.
    :param wake: set after every look, so that the loop need not wait for its own tick.
    """

    def __init__(
        self,
        gate: Gate,
        source: MetricSource,
        *,
        names: Callable[[], QueryNames],
        clock: Callable[[], float],
        wake: asyncio.Event,
    ) -> None:
        self.gate, self.source, self.names, self.clock, self.wake = gate, source, names, clock, wake
        self.exposed_at: float | None = None
        self.state = GateState.opened(at=clock())

    def open(self, *, at: float, exposed_at: float | None = None) -> None:
        """
        Begin anew; silence counts from ``at``.

        :param exposed_at: since when users reach the candidate, if that is earlier.
        """
        self.state = GateState.opened(at=at)
        self.exposed_at = at if exposed_at is None else exposed_at

    async def run(self) -> None:
        """Look every ``gate.every_s`` seconds until cancelled."""
        while True:
            asked = self.clock()
            if self.exposed_at is not None:  # before the first traffic there is nothing to look at
                began = self.state
                reading = await self._read(asked, asked - self.exposed_at)
                if self.state is began:  # else it was opened anew while the server thought about it
                    self.state = look(self.gate, began, reading)
                self.wake.set()
            await asyncio.sleep(max(0.05, self.gate.every_s - (self.clock() - asked)))

    async def _read(self, asked: float, exposed_s: float) -> Reading:
        names, window_s = self.names(), min(self.gate.window_s, max(1.0, exposed_s))
        count = self.gate.requests_query(window_s)
        if "$pods" in self.gate.query.replace("${pods}", "$pods") and not names.pods:
            return Reading(asked, error="the candidate has no pods")
        try:
            value = self.source.value(fill(self.gate.query, names, window_s=window_s))
            if count is None:
                return Reading(asked, await value)
            requests = self.source.value(fill(count, names, window_s=window_s))
            return Reading(asked, *await asyncio.gather(value, requests))
        except CdProviderError as err:
            return Reading(asked, error=str(err))
        except Exception as err:  # whatever it is: a gate that breaks has not said that all is well
            log.exception("%s: the gate itself failed", self.gate.name)
            return Reading(asked, error=f"the gate itself failed: {type(err).__name__}: {err}")
