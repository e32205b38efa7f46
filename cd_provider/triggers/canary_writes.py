"""All that a canary writes: each write may be repeated, and none is made without the lock."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping

from cd_provider.core import names
from cd_provider.core.baseline import write_runs
from cd_provider.core.release import Release, Verdict
from cd_provider.core.situation import CanaryPlan, Situation
from cd_provider.core.traffic import ALL_STABLE, Weights
from cd_provider.core.workload import WorkloadState
from cd_provider.exceptions import LeaseLostError, PermanentError, TransientError
from cd_provider.triggers.notes import EXPOSED, TRIPPED, birth_notes, trips_note
from cd_provider.triggers.scene import RETRY_S, Scene, take_off

log = logging.getLogger(__name__)


class CanaryWrites:
    """Writes for one attempt of one canary; what has to be remembered is in the candidate's annotations."""

    def __init__(self, scene: Scene, plan: CanaryPlan, release: Release, attempt: int) -> None:
        self.scene, self.plan, self.release, self.attempt = scene, plan, release, attempt

    async def note(self, notes: Mapping[str, str], *, replicas: int | None = None) -> WorkloadState | None:
        """
        Write annotations (and a new size) on the candidate; makes it when there is none.

        :returns: what stood there before.
        """
        await self.scene.guard()
        state = await self.scene.candidate.state()
        size = replicas or (state.wanted if state else self.plan.candidate_min)
        born = {} if state else self.birth_notes()
        await self.scene.candidate.apply(
            images=self.scene.images, replicas=size, annotations={**born, **notes}
        )
        return state

    def birth_notes(self) -> dict[str, str]:
        """Give the annotations with which this attempt begins."""
        return birth_notes(self.release, self.attempt, at=self.scene.clock())

    async def resize(self, seen: Situation | None, replicas: int) -> None:
        """Give the candidate, and its baseline if there is one, so many pods."""
        before = await self.note({}, replicas=replicas)
        await self._resize_baseline(seen, replicas)
        if before is None:
            # a backend without traffic, long before its first request, so that the gateway knows it
            await self.scene.guard()
            await self.scene.router.shift(ALL_STABLE)

    async def _resize_baseline(self, seen: Situation | None, replicas: int) -> None:
        """Make the baseline, or move it to this size; what stable runs is noted down when it is made."""
        baseline = seen.baseline if seen else None
        if baseline is None or self.scene.baseline is None:
            return
        await self.scene.guard()
        notes = {
            names.RELEASE: self.release.id,
            names.DELIVERY: self.release.delivery,
            names.ATTEMPT: str(self.attempt),
            **write_runs(baseline.allowed),
        }
        await self.scene.baseline.apply(images={}, replicas=replicas, annotations=notes)

    async def begin_step(self, step: int) -> None:
        """Note a step down before its weight is in force: a restart in between repeats it."""
        await self.note({names.STEP: str(step), names.STEP_STARTED: ""})

    async def shift(self, weight: int) -> float:
        """Give the candidate so much of the traffic; since when it has it, epoch seconds."""
        await self.scene.guard()
        await self.scene.router.shift(Weights.of(weight, fresh=self.plan.fresh))
        return self.scene.clock()

    async def step_begun(self, at: float, *, exposed: bool) -> None:
        """Note when a step's weight came into force; ``exposed``: with it the first user reached the candidate."""
        first = {EXPOSED: f"{at:.3f}"} if exposed else {}
        await self.note({names.STEP_STARTED: f"{at:.3f}", **first})

    async def send_away(self, trips: int, for_s: float) -> None:
        """Take the candidate off traffic, and note when it may return: both at once, users first."""
        began = self.scene.clock()
        notes = {TRIPPED: trips_note(trips, began + for_s), names.STEP: "0", names.STEP_STARTED: ""}
        await asyncio.gather(take_off(self.scene, self.plan.no_data_s), self.note(notes))
        log.info("the candidate is off traffic, %.2f s after the verdict", self.scene.clock() - began)

    async def store(self, verdict: Verdict) -> None:
        """Store the verdict on the candidate, so that it outlives this process; tried until the deadline of silence."""
        text = names.compact(verdict.as_dict())
        until = self.scene.clock() + self.plan.no_data_s
        while True:
            try:
                if await self.scene.candidate.state() is not None:
                    await self.note({names.VERDICT: text})
                return
            except LeaseLostError:
                raise
            except (TransientError, PermanentError) as err:
                if not verdict.passes and self.scene.clock() >= until:
                    log.warning("the verdict %s could not be stored on the candidate: %s", verdict.kind, err)
                    return
                await asyncio.sleep(RETRY_S)
