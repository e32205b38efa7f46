"""Work that goes on when the one who waits for it is cancelled."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger(__name__)

# the event loop itself holds its tasks only weakly
_GOING_ON: set[asyncio.Task[Any]] = set()


async def carry_through(work: Coroutine[Any, Any, None]) -> None:
    """
    Wait for ``work``; when the waiting is cancelled, the work goes on in this event loop to its end.

    Airflow's triggerer cancels a trigger that a person stopped once a second until it is gone, ``on_kill`` included
    (3.3.2): what must not stay half done takes longer than that.
    """
    await asyncio.shield(go_on(work))


def go_on(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Let ``work`` go on in this event loop whoever waits for it; an error is logged."""
    task = asyncio.get_running_loop().create_task(work)
    _GOING_ON.add(task)
    task.add_done_callback(_ended)
    return task


def _ended(task: asyncio.Task[Any]) -> None:
    _GOING_ON.discard(task)
    if not task.cancelled() and (err := task.exception()):
        log.error("what went on in the background broke off: %s: %s", type(err).__name__, err)
