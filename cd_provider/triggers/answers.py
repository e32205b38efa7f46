"""What a person answers to a canary's question: an XCom of its task, which Airflow's UI and API can add."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from cd_provider.core.override import NOT_ANSWERED, Answer, Override

log = logging.getLogger(__name__)
KEY = "override"
EVERY_S = 3.0

Read = Callable[[], Awaitable[Any]]


class Answers:
    """
    Keep the newest answer; nothing here can delay an abort.

    A yes stands: one that is taken away again later was acted on already.

    :param read: gives what stands there now, None when nothing does; may be slow or fail.
    :param wake: set when there is a new one.
    """

    def __init__(self, read: Read, wake: asyncio.Event) -> None:
        self._read, self._wake = read, wake
        self.latest: Answer = NOT_ANSWERED

    async def run(self) -> None:
        """Look every three seconds, until there is a yes."""
        while self.latest.given is None:
            try:
                found = Override.answer(await self._read())
            except Exception as err:
                log.warning("answers cannot be read: %s: %s", type(err).__name__, err)
            else:
                self._take(found)
            await asyncio.sleep(EVERY_S)

    def _take(self, found: Answer) -> None:
        if found == self.latest:
            return
        self.latest = found
        if found.given:
            log.warning("%s takes on what cannot be judged: %s", found.given.by, found.given.reason)
        self._wake.set()
