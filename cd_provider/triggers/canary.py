"""The canary's trigger: one run from the first user to the verdict, on any triggerer, restarted at any moment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AsyncExitStack
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from cd_provider.core import names
from cd_provider.core.message import Outcome
from cd_provider.core.order import RESULT, CanaryOrder
from cd_provider.core.override import Override
from cd_provider.core.refuse import refusals
from cd_provider.core.release import Verdict
from cd_provider.core.story import tell
from cd_provider.core.traffic import ALL_STABLE
from cd_provider.exceptions import (
    ClusterForbiddenError,
    ClusterRefusedError,
    LeaseLostError,
    PermanentError,
    ReleaseBusyError,
    TransientError,
)
from cd_provider.triggers import answers
from cd_provider.triggers.background import carry_through, go_on
from cd_provider.triggers.canary_loop import CanaryLoop, CanaryResult
from cd_provider.triggers.cleanup import baseline_state, leftovers, take_back
from cd_provider.triggers.progress import Progress
from cd_provider.triggers.record_keeper import RecordKeeper
from cd_provider.triggers.reporter import Reporter
from cd_provider.triggers.scene import take_off
from cd_provider.triggers.session import Session, open_session
from cd_provider.triggers.settled import settled
from cd_provider.triggers.sources import Sources, open_sources

log = logging.getLogger(__name__)
DRAIN_S = 5.0
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
        await _take_lock(session, order)
        await stack.enter_async_context(session.lease.keep())
        if ended := await _adopt(session, order):
            return ended
        reporter = Reporter(*_sinks(order))
        reporting = asyncio.create_task(reporter.run())
        stack.callback(reporting.cancel)
        loop = _loop(session, order, reporter, await stack.enter_async_context(open_sources(order)))
        keeper = RecordKeeper(loop.watches if order.task else (), _storing(order))
        keeping = asyncio.create_task(keeper.run())
        stack.callback(keeping.cancel)
        await loop.begin()
        result = await loop.run()
        keeper.finish()
        payload = _payload(result)
        if (
            order.task
        ):  # the task may be lost on its way back to a worker, and people want to know all the same
            go_on(_storing(order)("result", {key: payload[key] for key in RESULT}))
        return payload


async def _take_lock(session: Session, order: CanaryOrder) -> None:
    """
    Take the lock, and clean up after a holder whose lease ran out.

    :raises ReleaseBusyError: another delivery holds it, and ``if_busy`` says refuse, or the deadline came.
    """
    while True:
        try:
            await session.lease.acquire()
            return
        except ReleaseBusyError as err:
            if order.if_busy == "refuse" or time.time() >= order.deadline:
                raise
            log.info("waiting: %s", err)
            await asyncio.sleep(2.0)


async def _adopt(session: Session, order: CanaryOrder) -> dict[str, Any] | None:
    """Bring what is there to where this attempt may go on; give the event when this attempt is over already."""
    candidate = await session.candidate.state()
    notes = candidate.annotations if candidate else {}
    ours = notes.get(names.DELIVERY) == order.asked.delivery and notes.get(names.IMAGE) == order.asked.image
    if ours and notes.get(names.ATTEMPT) == str(order.attempt):
        return await _go_on(session, order, Verdict.read(notes.get(names.VERDICT)))
    earlier = Verdict.read(notes.get(names.VERDICT))
    # with a baseline both begin anew, so that both are cold
    alone = not order.fresh and await baseline_state(session) is None
    if ours and alone and (earlier is None or earlier.kind != "FAIL"):
        log.info("adopting the candidate of an earlier attempt, at weight 0")
        await take_off(session.scene(order.asked.image), order.no_data_s)
    elif (holder := await leftovers(session)) is not None:
        log.warning("cleaning up what %s left behind", "an earlier attempt" if ours else f"delivery {holder}")
        await take_back(session, drain_s=DRAIN_S if candidate else 0.0)
    await _may_begin(session, order)
    return None


async def _go_on(session: Session, order: CanaryOrder, verdict: Verdict | None) -> dict[str, Any] | None:
    """The same attempt, after a restart of the triggerer: a stored verdict stands."""
    if verdict is None:
        log.info("going on where the cluster stands")
        return None
    if not verdict.passes and await session.router.weights() != ALL_STABLE:
        await session.router.shift(ALL_STABLE)
    return {"kind": verdict.kind, "line": verdict.line, "verdict": verdict.as_dict()}


async def _may_begin(session: Session, order: CanaryOrder) -> None:
    """
    Check again, right before the first write, what may have changed since plan.

    :raises PermanentError: the window closed meanwhile, stable broke, an older release comes back.
    """
    found = refusals(
        order.asked,
        await session.stable.state(),
        where=str(session.ref),
        allow_downgrade=order.allow_downgrade,
        stable_may_be_broken=order.stable_may_be_broken,
        gitops_ignores_us=order.gitops_ignores_us,
    )
    if order.window is not None:
        from datetime import UTC, datetime

        from cd_provider.core.window import ReleaseWindow

        opening = ReleaseWindow.parse(order.window).look(datetime.now(UTC))
        found += [] if opening.open else [f"the release window is closed: {opening.reason}"]
    if order.fresh:
        try:
            await session.baseline.state()
        except ClusterRefusedError as err:
            found.append(str(err))
    if found:
        await session.lease.release()
        raise PermanentError(" ".join(found))


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
        read_answer=_answering(order) if order.task else None,
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


def _storing(order: CanaryOrder) -> Callable[[str, Any], Coroutine[Any, Any, None]]:
    """Give what stores a value as an XCom of the canary's task."""

    async def store(key: str, value: Any) -> None:
        from airflow.sdk.execution_time.xcom import XCom
        from asgiref.sync import sync_to_async

        await sync_to_async(XCom.set, thread_sensitive=False)(key=key, value=value, **order.task)

    return store


def _answering(order: CanaryOrder) -> Callable[[], Awaitable[Any]]:
    """Give what reads a person's answer: an XCom that they add to the canary's task."""

    async def read() -> Any:
        from airflow.sdk.execution_time.xcom import XCom
        from asgiref.sync import sync_to_async

        return await sync_to_async(XCom.get_one, thread_sensitive=False)(key=answers.KEY, **order.task)

    return read


def _sinks(order: CanaryOrder) -> list[Any]:
    store = _storing(order)

    async def to_airflow(progress: Progress) -> None:
        value = {
            "step": progress.step,
            "weight": progress.weight,
            "line": progress.line,
            "left_s": progress.left_s,
        }
        await store("progress", value)

    thread, asked = dict(order.thread or {}), False

    async def to_people(progress: Progress) -> None:
        nonlocal thread, asked
        from cd_provider.adapters.notifiers import open_notifier

        outcome = Outcome.ASKING if progress.asks else Outcome.RUNNING
        message = tell(
            order.asked, order.where, outcome=outcome, line=progress.line, weight=progress.weight,
            more={"Step": f"{max(progress.step, 0) + 1} of {progress.steps}"},
        )  # fmt: skip
        async with open_notifier(order.notify or {}) as notifier:
            thread = dict(await notifier.send(message, thread=thread))  # posted anew when somebody deleted it
            if progress.asks and not asked:
                await notifier.send(message, under=thread)
            asked = progress.asks

    sinks: list[Any] = [to_airflow] if order.task else []
    return [*sinks, to_people] if order.notify and order.thread else sinks
