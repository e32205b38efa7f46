"""The judges' records, stored beside the canary's task: nothing here can delay or change a verdict."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from cd_provider.core.judge.draft import Draft
from cd_provider.core.names import record_key
from cd_provider.triggers.background import carry_through, go_on
from cd_provider.triggers.judge_watch import JudgeWatch

log = logging.getLogger(__name__)
EVERY_S = 180.0
LOOK_S = 10.0  # a new verdict of a judge is stored as soon as this

Write = Callable[[str, str], Awaitable[Any]]


class RecordKeeper:
    """
    Store the record of each judge every three minutes, soon after it said something, and at the end.

    The record is packed in another thread, in at most 1 MB; a write that fails is logged, and the next one holds all
    that it would have held.

    :param watches: the canary's; those that keep no record are passed over.
    :param write: stores a text under a key; may be slow or fail.
    """

    def __init__(self, watches: Sequence[Any], write: Write) -> None:
        judges = [watch for watch in watches if isinstance(watch, JudgeWatch)]
        self._judges = {record_key(number): watch for number, watch in enumerate(judges, 1)}
        self._write = write
        self._stored: dict[str, int] = {}  # key → verdicts in what was stored
        self._writing = asyncio.Lock()  # what was drafted first is written first

    async def run(self) -> None:
        """Store until cancelled."""
        while True:
            for _ in range(round(EVERY_S / LOOK_S)):
                await asyncio.sleep(LOOK_S)
                if any(judge.said != self._stored.get(key, 0) for key, judge in self._judges.items()):
                    break
            await carry_through(self._store(self._drafts()))

    def finish(self) -> None:
        """Store what there is at the end; returns at once, the writing goes on in the background."""
        if drafts := self._drafts():
            go_on(self._store(drafts))

    def _drafts(self) -> dict[str, Draft]:
        found = {}
        for key, judge in self._judges.items():
            try:
                if (draft := judge.draft()) is not None:
                    found[key] = draft
                    self._stored[key] = judge.said
            except Exception as err:
                log.warning(
                    "%s: its record could not be made: %s: %s", judge.gate.name, type(err).__name__, err
                )
        return found

    async def _store(self, drafts: dict[str, Draft]) -> None:
        async with self._writing:
            for key, draft in drafts.items():
                try:
                    await self._write(key, await asyncio.to_thread(draft.packed))
                except Exception as err:
                    log.warning("%s could not be stored: %s: %s", key, type(err).__name__, err)
