"""What a canary sees of the world, and since when it sees nothing of it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace

from cd_provider.core import names
from cd_provider.core.baseline import Baseline
from cd_provider.core.override import NOT_ANSWERED, Answer
from cd_provider.core.pod import PodState
from cd_provider.core.situation import CanaryPlan, Situation
from cd_provider.core.workload import WorkloadState
from cd_provider.triggers.answers import Answers
from cd_provider.triggers.notes import ATTEMPT_STARTED, TRIPPED, read_trips
from cd_provider.triggers.progress import Watch
from cd_provider.triggers.scene import Scene

log = logging.getLogger(__name__)


class Sight:
    """
    Looks at cluster, router, gates, and what a person has answered.

    :param answers: None where nobody is asked.
    :ivar last: the last look; None: there was none. :ivar blind_since: epoch s since when none succeeds.
    """

    def __init__(
        self, scene: Scene, plan: CanaryPlan, watches: Sequence[Watch], answers: Answers | None = None
    ) -> None:
        self.scene, self.plan, self.watches, self.answers = scene, plan, watches, answers
        self.last: Situation | None = None
        self.blind_since: float | None = None
        self._ready_since: float | None = None

    async def look(self) -> Situation:
        """Look once."""
        scene = self.scene
        stable, candidate, weights, pods, beside = await asyncio.gather(
            scene.stable.state(),
            scene.candidate.state(),
            scene.router.weights(),
            scene.pods.states(),
            self.baseline_state(),
        )
        baseline = Baseline.read(beside, pods) if self.plan.fresh else None
        notes = candidate.annotations if candidate else {}
        theirs = [pod for pod in pods if pod.side == names.CANDIDATE]
        trips, back_at = read_trips(notes.get(TRIPPED))
        now = scene.clock()
        self._note_ready(candidate, theirs, baseline, now)
        self.blind_since, self.last = (
            None,
            Situation(
                now=now,
                step=int(notes.get(names.STEP) or -1),
                step_started=float(notes.get(names.STEP_STARTED) or 0) or None,
                created_at=float(notes.get(ATTEMPT_STARTED) or now),
                stable_replicas=stable.wanted,
                candidate=candidate,
                pods=theirs,
                weights=weights,
                gates=[watch.state for watch in self.watches],
                ready_since=self._ready_since,
                baseline=baseline,
                trips=trips,
                back_at=back_at,
                answer=self.answer,
            ),
        )
        return self.last

    @property
    def answer(self) -> Answer:
        """What a person has said so far."""
        return self.answers.latest if self.answers else NOT_ANSWERED

    def stale(self) -> Situation | None:
        """Give the last look as it has aged, while nothing can be seen; None: all is seen, or nothing ever was."""
        if self.blind_since is None or self.last is None:
            return None
        states = [watch.state for watch in self.watches]
        return replace(self.last, now=self.scene.clock(), gates=states, blind_since=self.blind_since)

    def blind(self, err: Exception) -> None:
        """Note that the cluster did not answer."""
        log.warning("the cluster gives no answer: %s", err)
        self.blind_since = self.scene.clock() if self.blind_since is None else self.blind_since

    async def baseline_state(self) -> WorkloadState | None:
        """Read the baseline's Deployment where one is asked for; else nobody is asked."""
        if not self.plan.fresh:
            return None
        assert self.scene.baseline is not None  # opened with every session
        return await self.scene.baseline.state()

    def _note_ready(
        self,
        candidate: WorkloadState | None,
        pods: Sequence[PodState],
        baseline: Baseline | None,
        now: float,
    ) -> None:
        short = baseline is not None and (baseline.state is None or baseline.serving < baseline.wanted)
        if candidate is None or short or sum(pod.serves for pod in pods) < candidate.wanted:
            self._ready_since = None
        elif self._ready_since is None:
            self._ready_since = now
