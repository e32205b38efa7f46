"""Before the first user: the lock, what an earlier attempt left, and what may have changed since the plan."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

from cd_provider.core import names
from cd_provider.core.order import CanaryOrder
from cd_provider.core.refuse import refusals
from cd_provider.core.release import Verdict
from cd_provider.core.traffic import ALL_STABLE
from cd_provider.exceptions import ClusterRefusedError, PermanentError, ReleaseBusyError
from cd_provider.triggers.cleanup import DRAIN_S, baseline_state, leftovers, take_back
from cd_provider.triggers.scene import take_off
from cd_provider.triggers.session import Session

log = logging.getLogger(__name__)


async def take_lock(session: Session, order: CanaryOrder) -> None:
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


async def adopt(session: Session, order: CanaryOrder) -> dict[str, Any] | None:
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
