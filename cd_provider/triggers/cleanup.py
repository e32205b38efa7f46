"""The way back: take the candidate off, put stable's image back, remove every trace. Safe to repeat."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress

from cd_provider.core.names import DELIVERY, RECORD, SIDE, compact
from cd_provider.core.release import Record
from cd_provider.core.traffic import ALL_STABLE, Weights
from cd_provider.core.workload import Rollout, WorkloadState, judge_rollout
from cd_provider.exceptions import ClusterRefusedError, TransientError, WorkloadFailedError
from cd_provider.triggers.scene import take_off
from cd_provider.triggers.session import Session

log = logging.getLogger(__name__)
POLL_S = 0.5
DRAIN_S = 5.0  # that users' requests at the candidate have to end


async def leftovers(session: Session) -> str | None:
    """Say whose candidate, baseline or half-done promotion is there; None when there is nothing to take back."""
    candidate = await session.candidate.state()
    if candidate is not None:
        return candidate.annotations.get(DELIVERY) or candidate.labels.get(SIDE) or "unknown"
    baseline = await baseline_state(session)
    if baseline is not None:
        return baseline.annotations.get(DELIVERY) or "unknown"
    record = Record.read((await session.stable.state()).annotations.get(RECORD))
    if record and record.state == "promoting":
        return str(record.release.get("delivery"))
    if await session.router.weights() != ALL_STABLE or not await session.router.clean():
        return "unknown"
    return None


async def take_back(session: Session, *, drain_s: float, patience_s: float = 120.0) -> float | None:
    """
    Undo what an unfinished delivery did: the abort order of the safety argument.

    Traffic goes to stable first, confirmed. Only then stable's own image comes back where a promotion had begun
    (its pods of the old image were never all gone: the rollout surges), and last the candidate is removed.

    :param drain_s: seconds for requests under way, between weight 0 and the end of the pods.
    :returns: when weight 0 was confirmed, epoch seconds.
    """
    scene = session.scene("")
    off_at = await take_off(scene, patience_s)
    await restore_stable(session, patience_s=patience_s)
    await sweep(session, drain_s=drain_s)
    return off_at


async def sweep(session: Session, *, drain_s: float) -> None:
    """
    Remove pods and Services of candidate and baseline, then their backend entries, once nobody is sent there any more.

    Killed in between, it leaves an entry without traffic, which :func:`leftovers` finds.
    """
    if await session.candidate.state() is not None or await baseline_state(session) is not None:
        await asyncio.sleep(drain_s)
    await session.lease.check()
    await asyncio.gather(session.candidate.remove(), _remove_baseline(session))
    await session.lease.check()
    await session.router.reset()


async def baseline_state(session: Session) -> WorkloadState | None:
    """Read the baseline; None when there is none, or when what has its name is somebody else's."""
    try:
        return await session.baseline.state()
    except ClusterRefusedError:
        return None


async def _remove_baseline(session: Session) -> None:
    # somebody else's of its name stays; what is ours is gone by the time it is refused
    with suppress(ClusterRefusedError):
        await session.baseline.remove()


async def dismiss_baseline(session: Session, *, drain_s: float) -> None:
    """
    Give the baseline's share to stable, confirmed, then end its pods; the candidate keeps its own share.

    Its Deployment and Service stay, of no size, until :func:`sweep`: a backend without a Service would be an error of
    the route.
    """
    weights = await session.router.weights()
    if weights.baseline:
        await session.lease.check()
        await session.router.shift(Weights.of(weights.candidate))
        log.info("the baseline's share went to stable; the candidate keeps %d %%", weights.candidate)
    baseline = await baseline_state(session)
    if baseline is not None and baseline.wanted:
        await asyncio.sleep(drain_s)
        await session.lease.check()
        await session.baseline.apply(images={}, replicas=0, annotations={})


async def restore_stable(session: Session, *, patience_s: float) -> None:
    """Put back the image that stable ran before a promotion which never ended; nothing of that kind is fine."""
    state = await session.stable.state()
    record = Record.read(state.annotations.get(RECORD))
    if record is None or record.state != "promoting":
        return
    log.warning(
        "stable was half-way to %s; putting back %s", record.release.get("image"), dict(record.before)
    )
    back = Record(record.release, record.before, "taken back", record.at, record.release_before)
    await session.lease.check()
    generation = await session.stable.apply(
        images=record.before, annotations={RECORD: compact(back.as_dict())}
    )
    await wait_for_rollout(session, generation, patience_s=patience_s)


async def wait_for_rollout(session: Session, generation: int, *, patience_s: float) -> None:
    """
    Wait until stable runs one template everywhere.

    :raises WorkloadFailedError: the cluster says that it does not get on, or it took longer than ``patience_s``.
    """
    until = session.lease.clock() + patience_s
    while session.lease.clock() < until:
        try:
            state = await session.stable.state()
        except TransientError as err:
            log.warning("stable could not be read: %s", err)
        else:
            match judge_rollout(state, generation=generation):
                case Rollout.DONE:
                    return
                case Rollout.STALLED:
                    raise WorkloadFailedError(f"{session.ref}: the rollout does not get on: {state.stalled}")
        await asyncio.sleep(POLL_S)
    raise WorkloadFailedError(f"{session.ref}: the rollout was not over after {patience_s:.0f} s.")
