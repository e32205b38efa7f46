"""Promotion's trigger: the candidate goes on being judged while stable gets the image."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from cd_provider.core.names import ATTEMPT, DELIVERY
from cd_provider.core.order import CanaryOrder
from cd_provider.exceptions import LeaseLostError, PermanentError, ReleaseBusyError, TransientError
from cd_provider.triggers.background import carry_through
from cd_provider.triggers.promote_loop import Promotion, promote
from cd_provider.triggers.session import Session, open_session
from cd_provider.triggers.settled import settled
from cd_provider.triggers.sources import open_sources

log = logging.getLogger(__name__)


class PromoteTrigger(BaseTrigger):
    """
    Promote one release; ends with one event ``{"kind": "PROMOTED" | "FAILED", "line"}``.

    :param order: a :class:`~cd_provider.core.order.CanaryOrder` as plain JSON; its deadline is the promotion's.
    :param drain_s: seconds for requests under way, between weight 0 and the end of the candidate's pods.
    """

    def __init__(self, *, order: Mapping[str, Any], drain_s: float) -> None:
        super().__init__()
        self.order, self.drain_s = dict(order), drain_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what a triggerer needs to make this again."""
        return "cd_provider.triggers.promote.PromoteTrigger", {"order": self.order, "drain_s": self.drain_s}

    @settled
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Run to the end; outages are waited out."""
        order = CanaryOrder.parse(self.order)
        while True:
            try:
                yield TriggerEvent(
                    {"kind": "PROMOTED", "line": await run_promotion(order, drain_s=self.drain_s)}
                )
                return
            except PermanentError as err:
                yield TriggerEvent({"kind": "FAILED", "line": str(err)})
                return
            except TransientError as err:
                if time.time() >= order.deadline:
                    yield TriggerEvent({"kind": "FAILED", "line": f"promotion could not go on: {err}"})
                    return
                log.warning("promotion waits: %s", err)
                await asyncio.sleep(2.0)

    async def on_kill(self) -> None:
        """A person (or the run's end) stopped the task: take back what is half done, unless it is not ours now."""
        await carry_through(self._take_back())

    async def _take_back(self) -> None:
        from cd_provider.triggers.cleanup import leftovers, take_back

        order = CanaryOrder.parse(self.order)
        async with _session(order) as session:
            try:
                await _lock(session, order)
                if await leftovers(session) == order.asked.delivery:
                    await take_back(session, drain_s=self.drain_s)
                    await session.lease.release()
            except (LeaseLostError, ReleaseBusyError) as err:
                log.info("not ours to stop any more: %s", err)


def _session(order: CanaryOrder) -> Any:
    asked = order.asked
    return open_session(
        order.where, app=asked.app, delivery=asked.delivery, attempt=order.attempt, about=asked.about
    )


async def _lock(session: Session, order: CanaryOrder) -> None:
    """Hold the lock as the attempt whose candidate is there."""
    candidate = await session.candidate.state()
    notes = candidate.annotations if candidate else {}
    if notes.get(DELIVERY) == order.asked.delivery and notes.get(ATTEMPT):
        session.lease.attempt = int(notes[ATTEMPT])
    await session.lease.acquire()


async def run_promotion(order: CanaryOrder, *, drain_s: float) -> str:
    """
    Take the lock again and promote.

    :returns: the sentence that people are told.
    :raises PermanentError: as :func:`cd_provider.triggers.promote_loop.promote`.
    """
    async with _session(order) as session:
        await _lock(session, order)
        plan = order.plan()
        promotion = Promotion(order.asked, order.gates_hash, plan, order.deadline, drain_s)
        async with session.lease.keep(), open_sources(order) as sources:
            return await promote(session, promotion, sources)
