"""The canary's trigger: one run from the first user to the verdict, on any triggerer, restarted at any moment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from cd_provider.core.order import RESULT, CanaryOrder
from cd_provider.core.override import Override
from cd_provider.exceptions import (
    ClusterForbiddenError,
    LeaseLostError,
    PermanentError,
    ReleaseBusyError,
    TransientError,
)
from cd_provider.triggers.adoption import adopt, take_lock
from cd_provider.triggers.background import carry_through, go_on
from cd_provider.triggers.canary_loop import CanaryLoop, CanaryResult
from cd_provider.triggers.canary_told import answering, sinks, storing
from cd_provider.triggers.cleanup import DRAIN_S, take_back
from cd_provider.triggers.record_keeper import RecordKeeper
from cd_provider.triggers.reporter import Reporter
from cd_provider.triggers.session import Session, open_session
from cd_provider.triggers.settled import settled
from cd_provider.triggers.sources import Sources, open_sources

log = logging.getLogger(__name__)
FORBIDDEN_S = 10.0


class CanaryTrigger(BaseTrigger):
    """
    Run one attempt of one canary.

    Ends with one event ``{"kind", "line", …}``: PASS, OVERRIDE or OBSERVED (the weight is kept), FAIL or INCONCLUSIVE
    (weight 0 is confirmed), REFUSED or BUSY (nothing was touched), LOST (another holds the lock).

    :param order: a :class:`~cd_provider.core.order.CanaryOrder` as plain JSON.
    """

    def __init__(self, *, order: Mapping[str, Any]) -> None:
        super().__init__()
        self.order = dict(order)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what a triggerer needs to make this again."""
        return "cd_provider.triggers.canary.CanaryTrigger", {"order": self.order}

    @settled
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Run to the verdict."""
        order, began = CanaryOrder.parse(self.order), time.monotonic()
        while True:
            try:
                yield TriggerEvent(await run_order(order))
                return
            except (
                ClusterForbiddenError
            ) as err:  # an API server that just started refuses everybody for a moment
                if time.monotonic() - began > FORBIDDEN_S:
                    yield TriggerEvent({"kind": "REFUSED", "line": str(err)})
                    return
                await asyncio.sleep(2.0)
            except (
                TransientError
            ) as err:  # before anything was touched: opening failed; inside, the loop retries
                if time.time() >= order.deadline:
                    yield TriggerEvent({"kind": "INCONCLUSIVE", "line": f"nothing could be opened: {err}"})
                    return
                log.warning("the canary cannot begin yet: %s", err)
                await asyncio.sleep(2.0)
            except PermanentError as err:
                yield TriggerEvent({"kind": _kind_of(err), "line": str(err)})
                return

    async def on_kill(self) -> None:
        """A person (or the run's end) stopped the task: take the candidate off, unless a newer attempt took over."""
        await carry_through(self._take_back())

    async def _take_back(self) -> None:
        order = CanaryOrder.parse(self.order)
        async with _session(order) as session:
            try:
                await session.lease.acquire()
                await take_back(session, drain_s=DRAIN_S)
                await session.lease.release()
            except (LeaseLostError, ReleaseBusyError) as err:
                log.info("not ours to stop any more: %s", err)


def _session(order: CanaryOrder) -> Any:
    asked = order.asked
    return open_session(
        order.where, app=asked.app, delivery=asked.delivery, attempt=order.attempt, about=asked.about,
        fresh=order.fresh,
    )  # fmt: skip


def _kind_of(err: PermanentError) -> str:
    return {ReleaseBusyError: "BUSY", LeaseLostError: "LOST"}.get(type(err), "REFUSED")


async def run_order(order: CanaryOrder) -> dict[str, Any]:
    """
    Take the lock, adopt or clean what is there, run the loop; the event's payload comes back.

    :raises TransientError: nothing could be opened; nothing was touched.
    """
    async with AsyncExitStack() as stack:
        session = await stack.enter_async_context(_session(order))
        await take_lock(session, order)
        await stack.enter_async_context(session.lease.keep())
        if ended := await adopt(session, order):
            return ended
        reporter = Reporter(*sinks(order))
        reporting = asyncio.create_task(reporter.run())
        stack.callback(reporting.cancel)
        loop = _loop(session, order, reporter, await stack.enter_async_context(open_sources(order)))
        keeper = RecordKeeper(loop.watches if order.task else (), storing(order))
        keeping = asyncio.create_task(keeper.run())
        stack.callback(keeping.cancel)
        await loop.begin()
        result = await loop.run()
        keeper.finish()
        payload = _payload(result)
        if (
            order.task
        ):  # the task may be lost on its way back to a worker, and people want to know all the same
            go_on(storing(order)("result", {key: payload[key] for key in RESULT}))
        return payload


def _loop(session: Session, order: CanaryOrder, reporter: Reporter, sources: Sources) -> CanaryLoop:
    scene, plan = session.scene(order.asked.image), order.plan()
    return CanaryLoop(
        scene,
        plan=plan,
        release=order.asked,
        attempt=order.attempt,
        gates_hash=order.gates_hash,
        watches=session.watches(plan, sources, scene, about=order.about),
        report=reporter.put,
        override=Override.parse(order.override),
        read_answer=answering(order) if order.task else None,
    )


def _payload(result: CanaryResult) -> dict[str, Any]:
    return {
        "kind": result.kind,
        "line": result.line,
        "decided_at": result.decided_at,
        "off_at": result.off_at,
        "pod_log": result.pod_log,
        "verdict": result.verdict.as_dict() if result.verdict else None,
    }
