"""
A trigger's event, not before Airflow is done with the slice that deferred.

The worker that deferred a task tells its end about five seconds later (``[workers] min_heartbeat_interval``). An event
in the very second in which the scheduler hears of it loses the task: the scheduler sees "finished" of a task that is
queued again, and fails it (3.3.2, "reported that the task instance finished with state success, but … is queued"). What
the event is about was done before; only telling Airflow waits.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from functools import wraps
from typing import Any

from airflow.triggers.base import TriggerEvent

SETTLED_S = 7.0  # a trigger begins about a second after the deferral

Run = Callable[[Any], AsyncIterator[TriggerEvent]]


def settled(run: Run) -> Run:
    """Hold back what ``run`` yields until it has gone on for seven seconds."""

    @wraps(run)
    async def held_back(self: Any) -> AsyncIterator[TriggerEvent]:
        began = time.monotonic()
        async for event in run(self):
            await asyncio.sleep(max(0.0, began + SETTLED_S - time.monotonic()))
            yield event

    return held_back
