"""Progress for people, sent beside the loop that judges: nothing here can delay an abort."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from cd_provider.triggers.progress import Progress

log = logging.getLogger(__name__)
EVERY_S = 15.0
LEAST_S = 2.0  # between two; a gate that flaps must not run into Slack's rate limit

Sink = Callable[[Progress], Awaitable[Any]]


class Reporter:
    """
    Keep the newest progress, and send it when a step or what a gate shows changes, or every 15 s.

    What changes within 2 s of the last message waits for the rest of them.

    :param sinks: where it goes; each may be slow or fail, which is logged and otherwise ignored.
    """

    def __init__(self, *sinks: Sink) -> None:
        self.latest: Progress | None = None
        self._sinks = [(sink, asyncio.Event()) for sink in sinks]

    def put(self, progress: Progress) -> None:
        """Take what happened; returns at once."""
        before, self.latest = self.latest, progress
        if before is None or _stand(before) != _stand(progress):
            for _, changed in self._sinks:
                changed.set()

    async def run(self) -> None:
        """Send until cancelled."""
        await asyncio.gather(*(self._feed(sink, changed) for sink, changed in self._sinks))

    async def _feed(self, sink: Sink, changed: asyncio.Event) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), EVERY_S)
            changed.clear()
            if self.latest is None:
                continue
            try:
                await sink(self.latest)
            except Exception as err:
                log.warning("progress could not be sent: %s: %s", type(err).__name__, err)
            await asyncio.sleep(LEAST_S)


def _stand(progress: Progress) -> tuple[object, ...]:
    """What people want to hear of at once when it changes; numbers and times change all the while."""
    return progress.step, progress.weight, progress.findings, progress.asks
