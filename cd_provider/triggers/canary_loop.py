"""The canary itself: read the world, decide, act, read again, without a gap from the first user to the verdict."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from typing import Any

from cd_provider.core import names
from cd_provider.core.baseline import Baseline, write_runs
from cd_provider.core.canary import (
    Action,
    Away,
    CanaryPlan,
    Hold,
    Passed,
    Resize,
    Shift,
    Situation,
    Stop,
    decide,
)
from cd_provider.core.finding import Finding, sentence
from cd_provider.core.override import Override
from cd_provider.core.pod import PodState
from cd_provider.core.release import Release, Verdict
from cd_provider.core.traffic import ALL_STABLE, Weights
from cd_provider.core.workload import WorkloadState
from cd_provider.exceptions import ClusterForbiddenError, LeaseLostError, PermanentError, TransientError
from cd_provider.triggers.gate_watch import GateWatch
from cd_provider.triggers.judge_watch import JudgeWatch
from cd_provider.triggers.notes import (
    ATTEMPT_STARTED,
    EXPOSED,
    SILENT_SINCE,
    TRIPPED,
    birth_notes,
    read_trips,
    trips_note,
)
from cd_provider.triggers.scene import RETRY_S, Scene, take_off

log = logging.getLogger(__name__)
TICK_S = 1.0
Watch = GateWatch | JudgeWatch


@dataclass(frozen=True)
class Progress:
    """What people see while it runs."""

    step: int
    steps: int
    weight: int
    line: str
    left_s: float | None = None
    findings: tuple[str, ...] = ()  # of each gate, once users are on the candidate


@dataclass(frozen=True)
class CanaryResult:
    """How it ended; times in epoch seconds. ``off_at``: when weight 0 was confirmed at the router."""

    kind: str
    line: str
    decided_at: float
    off_at: float | None = None
    pod_log: str = ""
    verdict: Verdict | None = None  # as it is stored


class CanaryLoop:
    """
    One attempt of one canary.

    It may be started any number of times for the same attempt: what it must remember is in the candidate's
    annotations. ``report`` must return at once.
    """

    def __init__(
        self,
        scene: Scene,
        *,
        plan: CanaryPlan,
        release: Release,
        attempt: int,
        gates_hash: str,
        watches: Sequence[Watch],
        report: Callable[[Progress], None],
        override: Override | None = None,
    ) -> None:
        self.scene, self.plan, self.release, self.attempt = scene, plan, release, attempt
        self.gates_hash, self.watches, self.report = gates_hash, watches, report
        self.override = override
        self.blind_since: float | None = None
        self.ready_since: float | None = None
        self.last: Situation | None = None
        self.silent_noted = False

    async def begin(self) -> None:
        """Start an adopted candidate of an earlier attempt at its first step, or go on after a restart."""
        state = await self.scene.candidate.state()
        beside = await self._baseline_state()
        gone = [names.CANDIDATE] if state is None else []
        gone += [names.BASELINE] if beside is None else []
        left = [pod for pod in await self.scene.pods.states() if pod.side is not None]
        self.scene.pods.disown([pod.uid for pod in left if pod.side in gone or pod.deleting])
        if state is None:
            return
        if state.annotations.get(names.ATTEMPT) != str(self.attempt):
            await self._note(self._birth_notes())
            return
        if exposed := float(state.annotations.get(EXPOSED) or 0):
            silent = float(state.annotations.get(SILENT_SINCE) or self.scene.clock())
            back_at = read_trips(state.annotations.get(TRIPPED))[1]
            for watch in self.watches:
                since = exposed if isinstance(watch, JudgeWatch) else max(exposed, back_at)
                watch.open(at=silent, exposed_at=since)

    async def run(self) -> CanaryResult:
        """
        Bring the candidate up, give it traffic step by step, judge it all the while.

        :returns: PASS, OVERRIDE or OBSERVED with its weight kept, or FAIL / INCONCLUSIVE with weight 0 confirmed.
        :raises LeaseLostError: somebody else holds the lock; nothing more was written.
        """
        async with self._watching():
            while True:
                self.scene.wake.clear()
                pause_s = TICK_S
                try:
                    action = await self._next_action()
                    if result := await self._act(action):
                        return result
                    pause_s = pause_after(action)
                except LeaseLostError:
                    raise
                except PermanentError as err:
                    if not isinstance(err, ClusterForbiddenError) or self.last is None:
                        return await self.stop(Stop("INCONCLUSIVE", str(err)))
                    self._blind(err)  # a restarted API server refuses everybody until it has read its roles
                except TransientError as err:
                    self._blind(err)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.scene.wake.wait(), pause_s)

    async def stop(self, stop: Stop) -> CanaryResult:
        """Take the candidate off traffic, confirmed, and store the verdict; both are tried until they succeed."""
        decided_at = self.scene.clock()
        log.warning("%s: %s; taking the candidate off traffic", stop.kind, stop.line)
        self._tell_stop(stop)
        verdict, off_at = await asyncio.gather(
            self._store(stop.kind, stop.line), take_off(self.scene, self.plan.no_data_s)
        )
        if off_at is not None:
            log.info("the candidate is off traffic, %.2f s after the verdict", off_at - decided_at)
        lines = await self._last_lines()
        return CanaryResult(stop.kind, stop.line, decided_at, off_at, lines, verdict)

    def _blind(self, err: Exception) -> None:
        log.warning("the cluster gives no answer: %s", err)
        self.blind_since = self.scene.clock() if self.blind_since is None else self.blind_since

    async def _next_action(self) -> Action:
        if self.blind_since is not None and self.last is not None:
            states = [watch.state for watch in self.watches]
            stale = replace(self.last, now=self.scene.clock(), gates=states, blind_since=self.blind_since)
            if isinstance(stop := decide(self.plan, stale), Stop):
                return stop
        await self.scene.guard()
        self.last = await self._look()
        self.blind_since = None
        return decide(self.plan, self.last)

    async def _look(self) -> Situation:
        scene = self.scene
        stable, candidate, weights, pods, beside = await asyncio.gather(
            scene.stable.state(),
            scene.candidate.state(),
            scene.router.weights(),
            scene.pods.states(),
            self._baseline_state(),
        )
        baseline = Baseline.read(beside, pods) if self.plan.fresh else None
        notes = candidate.annotations if candidate else {}
        started = float(notes.get(names.STEP_STARTED) or 0) or None
        theirs = [pod for pod in pods if pod.side == names.CANDIDATE]
        trips, back_at = read_trips(notes.get(TRIPPED))
        now = scene.clock()
        self._note_ready(candidate, theirs, baseline, now)
        return Situation(
            now=now,
            step=int(notes.get(names.STEP) or -1),
            step_started=started,
            created_at=float(notes.get(ATTEMPT_STARTED) or now),
            stable_replicas=stable.wanted,
            candidate=candidate,
            pods=theirs,
            weights=weights,
            gates=[watch.state for watch in self.watches],
            ready_since=self.ready_since,
            baseline=baseline,
            trips=trips,
            back_at=back_at,
        )

    async def _baseline_state(self) -> WorkloadState | None:
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
            self.ready_since = None
        elif self.ready_since is None:
            self.ready_since = now

    async def _act(self, action: Action) -> CanaryResult | None:
        match action:
            case Resize(replicas):
                await self._resize(replicas)
            case Shift(step, weight):
                await self._shift(step, weight)
            case Stop():
                return await self.stop(action)
            case Away(line, for_s):
                await self._send_away(line, for_s)
            case Passed(line, kind):
                verdict = await self._store(kind, line)
                return CanaryResult(kind, verdict.line, verdict.at, verdict=verdict)
            case Hold(reason, left_s):
                await self._note_silence()
                self._tell(reason, left_s)
        return None

    async def _resize(self, replicas: int) -> None:
        before = await self._note({}, replicas=replicas)
        await self._resize_baseline(replicas)
        if (
            before is None
        ):  # a backend without traffic, long before its first request, so that the gateway knows it
            await self.scene.guard()
            await self.scene.router.shift(ALL_STABLE)
        who = "candidate and baseline get" if self.plan.fresh else "the candidate gets"
        self._tell(f"{who} {replicas} pod(s)", news=True)

    async def _resize_baseline(self, replicas: int) -> None:
        """Make the baseline, or move it to this size; what stable runs is noted down when it is made."""
        baseline = self.last.baseline if self.last else None
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

    async def _shift(self, step: int, weight: int) -> None:
        """Note the step down, then shift, then note when it came into force: a restart in between repeats it."""
        seen = self.last
        repair = seen is not None and seen.step == step and seen.step_started is not None
        if not repair:
            await self._note({names.STEP: str(step), names.STEP_STARTED: ""})
        await self.scene.guard()
        await self.scene.router.shift(Weights.of(weight, fresh=self.plan.fresh))
        now = self.scene.clock()
        if step == 0 and not repair:
            for watch in self.watches:
                watch.open(at=now)  # a return, too: a bound looks back no further; a judge goes on
        if not repair:
            first = step == 0 and not (seen and seen.trips)
            exposed = {EXPOSED: f"{now:.3f}"} if first else {}
            await self._note({names.STEP_STARTED: f"{now:.3f}", **exposed})
        also = ", as much at the baseline" if self.plan.fresh else ""
        self._tell(
            f"weight {weight} % is in force{also}", self.plan.steps[step].for_s, step=step, news=not repair
        )

    async def _send_away(self, line: str, for_s: float) -> None:
        """Take the candidate off traffic, and note when it may return: both at once, users first."""
        began, seen = self.scene.clock(), self.last
        trips = (seen.trips if seen else 0) + (1 if line else 0)
        notes = {TRIPPED: trips_note(trips, began + for_s), names.STEP: "0", names.STEP_STARTED: ""}
        log.warning(
            "the candidate is taken off traffic for %.0f s: %s", for_s, line or "it is not to have any"
        )
        await asyncio.gather(take_off(self.scene, self.plan.no_data_s), self._note(notes))
        log.info("the candidate is off traffic, %.2f s after the verdict", self.scene.clock() - began)
        self._tell(f"off traffic for {for_s:.0f} s, then it may return once", for_s, step=0, news=True)

    async def _note(self, notes: dict[str, str], *, replicas: int | None = None) -> WorkloadState | None:
        """Write annotations (and a new size) on the candidate; makes it when there is none."""
        await self.scene.guard()
        state = await self.scene.candidate.state()
        size = replicas or (state.wanted if state else self.plan.candidate_min)
        fresh = {} if state else self._birth_notes()
        await self.scene.candidate.apply(
            images=self.scene.images, replicas=size, annotations={**fresh, **notes}
        )
        return state

    def _birth_notes(self) -> dict[str, str]:
        return birth_notes(self.release, self.attempt, at=self.scene.clock())

    def _verdict(self, kind: str, line: str) -> Verdict:
        given = self.override if kind == "OVERRIDE" else None
        seen = [one for watch in self.watches if isinstance(watch, JudgeWatch) and (one := watch.judged)]
        return Verdict(
            kind, self.release.id, self.gates_hash, self.attempt, self.scene.clock(), line[:500],
            first_sample=min((first for first, _ in seen), default=None),
            last_sample=max((last for _, last in seen), default=None),
            by=given.by if given else "", reason=given.reason if given else "",
        )  # fmt: skip

    async def _store(self, kind: str, line: str) -> Verdict:
        """Store the verdict on the candidate, so that it outlives this process; tried until the deadline of silence."""
        verdict = self._verdict(kind, line)
        text = names.compact(verdict.as_dict())
        until = self.scene.clock() + self.plan.no_data_s
        while True:
            try:
                if await self.scene.candidate.state() is not None:
                    await self._note({names.VERDICT: text})
                return verdict
            except LeaseLostError:
                raise
            except (TransientError, PermanentError) as err:
                if not verdict.passes and self.scene.clock() >= until:
                    log.warning("the verdict %s could not be stored on the candidate: %s", kind, err)
                    return verdict
                await asyncio.sleep(RETRY_S)

    async def _note_silence(self) -> None:
        """Keep the beginning of a silence where a restarted trigger finds it."""
        if self.last is None or self.last.step_started is None:
            return
        silent = [
            w.state.seen_at for w in self.watches if w.gate.enforced and w.state.finding is Finding.BLIND
        ]
        if silent and not self.silent_noted and self.scene.clock() - min(silent) > 5 * TICK_S:
            await self._note({SILENT_SINCE: f"{min(silent):.3f}"})
            self.silent_noted = True
        elif not silent and self.silent_noted:
            await self._note({SILENT_SINCE: ""})
            self.silent_noted = False

    async def _last_lines(self) -> str:
        """Fetch what the worst pod said last; never a reason to fail."""
        for pod in self.last.pods if self.last else ():
            if pod.fault:
                with suppress(Exception):
                    return await self.scene.logs.last_lines(pod.name, container=pod.fault.container)
        return ""

    def _tell(
        self, reason: str, left_s: float | None = None, *, step: int | None = None, news: bool = False
    ) -> None:
        """
        Report.

        :param step: when it is another than that of the last look. :param news: say it in the task's log, too.
        """
        if self.last is None:
            return
        at = self.last.step if step is None else step
        looked = [(watch.gate, watch.state) for watch in self.watches if self.last.step_started is not None]
        line, steps = "; ".join([reason, *(sentence(*one) for one in looked)]), self.plan.steps
        if news:
            log.info("%s%s", f"step {at + 1} of {len(steps)}: " if at >= 0 else "", line)
        findings = tuple(state.finding for _, state in looked)
        self.report(Progress(at, len(steps), steps[at].weight if at >= 0 else 0, line, left_s, findings))

    def _tell_stop(self, stop: Stop) -> None:
        if self.last is None:
            return
        line = f"{stop.kind}: {stop.line}; the candidate is taken off traffic"
        findings = tuple(watch.state.finding for watch in self.watches)
        self.report(Progress(self.last.step, len(self.plan.steps), 0, line, None, findings))

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(watch.run()) for watch in self.watches]
        tasks.append(asyncio.create_task(self._wake_on_pods()))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _wake_on_pods(self) -> None:
        while True:
            await self.scene.pods.wait(60.0)
            self.scene.wake.set()


def pause_after(action: Action) -> float:
    """Say how long to wait before the next look unless something happens; a step's end is not overslept."""
    left_s = action.left_s if isinstance(action, Hold) else None
    return TICK_S if left_s is None else min(TICK_S, max(left_s, 0.0) + 0.01)
