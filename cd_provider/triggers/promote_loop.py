"""Promotion: stable gets the image while the candidate keeps its share, and both go on being judged."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from cd_provider.core.canary import bad_gates, bad_pods
from cd_provider.core.names import ATTEMPT, CANDIDATE, RECORD, RELEASE, VERDICT, compact
from cd_provider.core.pod import PodState
from cd_provider.core.release import Record, Release, Verdict
from cd_provider.core.situation import CanaryPlan, Situation, Stop
from cd_provider.core.story import short_image
from cd_provider.core.traffic import ALL_STABLE
from cd_provider.core.workload import Rollout, WorkloadState, judge_rollout
from cd_provider.exceptions import (
    CanaryFailedError,
    ClusterForbiddenError,
    NotPassedError,
    TransientError,
    WorkloadFailedError,
)
from cd_provider.triggers.cleanup import dismiss_baseline, sweep, take_back
from cd_provider.triggers.notes import EXPOSED
from cd_provider.triggers.session import Session
from cd_provider.triggers.sources import Sources

log = logging.getLogger(__name__)
TICK_S = 1.0
PASS_AGE_S = 3600.0


@dataclass(frozen=True)
class Promotion:
    """What is promoted, by which verdict; ``deadline`` is absolute, epoch seconds."""

    release: Release
    gates_hash: str
    plan: CanaryPlan
    deadline: float
    drain_s: float


def check_pass(notes: Mapping[str, str], promotion: Promotion, *, now: float) -> Verdict:
    """
    Read the verdict stored on the candidate.

    :param notes: the candidate's annotations.
    :raises NotPassedError: none, another kind, of another release, attempt or other gates, or older than an hour.
    """
    verdict, ours = Verdict.read(notes.get(VERDICT)), promotion.release.id
    if verdict is None or not verdict.passes:
        seen = "none" if verdict is None else f"{verdict.kind} ({verdict.line})"
        raise NotPassedError(
            f"no PASS is stored for {promotion.release.image}: saw {seen}. Nothing was promoted; marking a canary "
            "as success does not pass it. Clear the canary to judge it again."
        )
    if (verdict.release, verdict.gates) != (ours, promotion.gates_hash):
        raise NotPassedError(
            f"the stored {verdict.kind} is for release {verdict.release} and gates {verdict.gates}, asked for are "
            f"{ours} and {promotion.gates_hash}. Nothing was promoted; clear the canary to judge this release."
        )
    if str(verdict.attempt) != notes.get(ATTEMPT):
        raise NotPassedError(
            f"the stored {verdict.kind} is of attempt {verdict.attempt}, the candidate of attempt "
            f"{notes.get(ATTEMPT) or 'unknown'}. Nothing was promoted; clear the canary to judge this one."
        )
    if (old_s := now - verdict.seen_at) > PASS_AGE_S:
        raise NotPassedError(
            f"the stored {verdict.kind} goes by what was seen until {old_s / 60:.0f} minutes ago, allowed are 60. "
            "Nothing was promoted; clear the canary to judge this release again."
        )
    if verdict.kind == "OVERRIDE" and not (verdict.by and verdict.reason):
        raise NotPassedError("the stored OVERRIDE names nobody, or no reason. Nothing was promoted.")
    return verdict


class PromoteLoop:
    """One promotion; may be started any number of times: it reads how far it got from the cluster."""

    def __init__(self, session: Session, promotion: Promotion, sources: Sources) -> None:
        self.session, self.promotion = session, promotion
        self.scene = session.scene(promotion.release.image)
        if promotion.plan.fresh:
            log.info("the baseline goes now; judges go on beside stable's old pods, by the rules for those")
        self.plan = promotion.plan.beside_stable()
        self.watches = session.watches(self.plan, sources, self.scene)

    async def run(self) -> str:
        """
        Promote, and remove the candidate.

        :returns: the sentence that people are told.
        :raises NotPassedError: there is no PASS for exactly this; nothing was touched.
        :raises CanaryFailedError: the candidate or the new pods went bad; stable's own image is back.
        :raises WorkloadFailedError: stable's rollout does not get on; traffic stays where it is.
        """
        stable = await self.session.stable.state()
        record = Record.read(stable.annotations.get(RECORD))
        ours = record is not None and record.release.get("delivery") == self.promotion.release.delivery
        if not (ours and record and record.state == "promoted"):
            generation = await self._begin(stable, record if ours else None)
            await self._roll_out(generation)
            await self._finish()
        await self._to_stable()
        await sweep(self.session, drain_s=self.promotion.drain_s)
        pods, stable = await self._stable_pods(), await self.session.stable.state()
        record = Record.read(stable.annotations.get(RECORD))
        image, remark = short_image(self.promotion.release), record.remark if record else ""
        return f"{len(pods)} of {len(pods)} ready pods of {self.session.ref} run {image}{remark}"

    async def _begin(self, stable: WorkloadState, record: Record | None) -> int:
        candidate = await self.session.candidate.state()
        notes = candidate.annotations if candidate else {}
        verdict = check_pass(notes, self.promotion, now=self.scene.clock())
        if verdict.remark:
            log.warning("promoting%s", verdict.remark)
        await dismiss_baseline(self.session, drain_s=self.promotion.drain_s)
        for watch in self.watches:
            watch.open(at=self.scene.clock(), exposed_at=float(notes.get(EXPOSED) or self.scene.clock()))
        if record and record.state == "promoting":
            return stable.generation
        container, image = self.session.container, self.promotion.release.image
        before = Record.read(stable.annotations.get(RECORD))
        record = Record(
            self.promotion.release.as_dict(),
            {container: stable.images[container]},
            "promoting",
            self.scene.clock(),
            str(before.release.get("image")) if before else None,
            verdict.as_dict(),
        )
        return await self._apply({container: image}, record)

    async def _apply(self, images: dict[str, str], record: Record) -> int:
        await self.session.lease.check()
        notes = {RECORD: compact(record.as_dict()), RELEASE: self.promotion.release.id}
        return await self.session.stable.apply(images=images, annotations=notes)

    async def _roll_out(self, generation: int) -> None:
        """Wait until every stable pod is new, ready and proved, judging all the while."""
        while True:
            self.scene.wake.clear()
            try:
                await self.session.lease.check()
                stable = await self.session.stable.state()
                await self._judge(stable)
                rollout = judge_rollout(stable, generation=generation)
                if rollout is Rollout.DONE and await self._proved(stable):
                    return
                if rollout is Rollout.STALLED:
                    raise WorkloadFailedError(
                        f"{self.session.ref}: the rollout does not get on: {stable.stalled}"
                    )
            except (ClusterForbiddenError, TransientError) as err:  # see the canary's loop
                log.warning("the cluster gives no answer: %s", err)
            if self.scene.clock() >= self.promotion.deadline:
                raise WorkloadFailedError(f"{self.session.ref}: the rollout was not over within its time.")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.scene.wake.wait(), TICK_S)

    async def _judge(self, stable: WorkloadState) -> None:
        states = [watch.state for watch in self.watches]
        stop = bad_gates([watch.gate for watch in self.watches], states) or await self._bad_pods(stable)
        if stop is None:
            return
        log.warning("%s while stable was promoted: %s; taking it back", stop.kind, stop.line)
        await take_back(self.session, drain_s=self.promotion.drain_s)
        raise CanaryFailedError(f"{stop.line}; stable's own image is back, the candidate is removed")

    async def _bad_pods(self, stable: WorkloadState) -> Stop | None:
        pods = await self.session.pods.states()
        candidate = [pod for pod in pods if pod.side == CANDIDATE]
        for pod in pods:  # a pod without a place is left to the cluster's own progress deadline
            if pod.side is None and pod.fault and pod.fault.reason != "Unschedulable" and self._is_new(pod):
                return Stop("FAIL", str(pod.fault))
        now = self.scene.clock()
        seen = Situation(
            now=now, step=0, step_started=now, created_at=now, stable_replicas=stable.wanted, candidate=None,
            pods=candidate, weights=await self.session.router.weights(), gates=(),
        )  # fmt: skip
        return bad_pods(self.plan, seen)

    def _is_new(self, pod: PodState) -> bool:
        return bool(pod.digests & set(self.promotion.release.digests)) or not pod.digests

    async def _stable_pods(self) -> list[PodState]:
        pods = await self.session.pods.states()
        return [pod for pod in pods if pod.side is None and pod.serves]

    async def _proved(self, stable: WorkloadState) -> bool:
        """Say whether as many pods as wanted are ready, and each runs the asked digest."""
        pods, asked = await self._stable_pods(), set(self.promotion.release.digests)
        return len(pods) >= stable.wanted and all(pod.digests & asked for pod in pods)

    async def _finish(self) -> None:
        stable = await self.session.stable.state()
        record = Record.read(stable.annotations.get(RECORD))
        assert record is not None  # written by _begin
        done = replace(record, state="promoted", at=self.scene.clock())
        await self._to_stable()
        await self._apply({self.session.container: self.promotion.release.image}, done)

    async def _to_stable(self) -> None:
        await self.session.lease.check()
        if await self.session.router.weights() != ALL_STABLE:
            await self.session.router.shift(ALL_STABLE)


async def promote(session: Session, promotion: Promotion, sources: Sources) -> str:
    """Run a promotion with its gates looked at beside it; errors as :meth:`PromoteLoop.run`."""
    loop = PromoteLoop(session, promotion, sources)
    tasks = [asyncio.create_task(watch.run()) for watch in loop.watches]
    try:
        while True:
            try:
                return await loop.run()
            except TransientError as err:
                log.warning("promotion goes on after: %s", err)
                if session.lease.clock() >= promotion.deadline:
                    raise WorkloadFailedError(f"promotion was not over within its time: {err}") from err
                await asyncio.sleep(TICK_S)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
