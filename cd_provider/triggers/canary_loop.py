"""The canary itself: read the world, decide, act, read again, without a gap from the first user to the verdict."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any

from cd_provider.core import names
from cd_provider.core.canary import decide
from cd_provider.core.finding import Finding
from cd_provider.core.gate import judges
from cd_provider.core.override import Override
from cd_provider.core.release import Release, Verdict
from cd_provider.core.situation import Action, Away, CanaryPlan, Hold, Passed, Resize, Shift, Stop
from cd_provider.exceptions import ClusterForbiddenError, LeaseLostError, PermanentError, TransientError
from cd_provider.triggers.answers import Answers, Read
from cd_provider.triggers.canary_sight import Sight
from cd_provider.triggers.canary_writes import CanaryWrites
from cd_provider.triggers.judge_watch import JudgeWatch
from cd_provider.triggers.notes import EXPOSED, SILENT_SINCE, TRIPPED, read_trips
from cd_provider.triggers.progress import Progress, Teller, Watch
from cd_provider.triggers.scene import Scene, take_off

log = logging.getLogger(__name__)
TICK_S = 1.0


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

    :param read_answer: gives what a person has answered so far; asked only where a gate puts questions.
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
        read_answer: Read | None = None,
    ) -> None:
        self.scene, self.plan, self.release, self.attempt = scene, plan, release, attempt
        self.gates_hash, self.watches, self.override = gates_hash, watches, override
        asks = read_answer if any(gate.asks for gate in judges(plan.gates)) else None
        self.answers = Answers(asks, scene.wake) if asks else None
        self.sight = Sight(scene, plan, watches, self.answers)
        self.writes = CanaryWrites(scene, plan, release, attempt)
        self.teller = Teller(plan, watches, report)
        self.silent_noted = False

    async def begin(self) -> None:
        """Start an adopted candidate of an earlier attempt at its first step, or go on after a restart."""
        state = await self.scene.candidate.state()
        beside = await self.sight.baseline_state()
        gone = [names.CANDIDATE] if state is None else []
        gone += [names.BASELINE] if beside is None else []
        left = [pod for pod in await self.scene.pods.states() if pod.side is not None]
        self.scene.pods.disown([pod.uid for pod in left if pod.side in gone or pod.deleting])
        if state is None:
            return
        if state.annotations.get(names.ATTEMPT) != str(self.attempt):
            await self.writes.note(self.writes.birth_notes())
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
                    if not isinstance(err, ClusterForbiddenError) or self.sight.last is None:
                        return await self.stop(Stop("INCONCLUSIVE", str(err)))
                    self.sight.blind(
                        err
                    )  # a restarted API server refuses everybody until it has read its roles
                except TransientError as err:
                    self.sight.blind(err)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.scene.wake.wait(), pause_s)

    async def stop(self, stop: Stop) -> CanaryResult:
        """Take the candidate off traffic, confirmed, and store the verdict; both are tried until they succeed."""
        decided_at = self.scene.clock()
        log.warning("%s: %s; taking the candidate off traffic", stop.kind, stop.line)
        self.teller.tell_stop(self.sight.last, stop)
        verdict = self._verdict(stop.kind, stop.line)
        _, off_at = await asyncio.gather(
            self.writes.store(verdict), take_off(self.scene, self.plan.no_data_s)
        )
        if off_at is not None:
            log.info("the candidate is off traffic, %.2f s after the verdict", off_at - decided_at)
        lines = await self._last_lines()
        return CanaryResult(stop.kind, stop.line, decided_at, off_at, lines, verdict)

    async def _next_action(self) -> Action:
        stale = self.sight.stale()
        if stale is not None and isinstance(stop := decide(self.plan, stale), Stop):
            return stop
        await self.scene.guard()
        return decide(self.plan, await self.sight.look())

    async def _act(self, action: Action) -> CanaryResult | None:
        match action:
            case Resize(replicas):
                await self.writes.resize(self.sight.last, replicas)
                who = "candidate and baseline get" if self.plan.fresh else "the candidate gets"
                self.teller.tell(self.sight.last, f"{who} {replicas} pod(s)", news=True)
            case Shift(step, weight):
                await self._shift(step, weight)
            case Stop():
                return await self.stop(action)
            case Away(line, for_s):
                await self._send_away(line, for_s)
            case Passed(line, kind):
                verdict = self._verdict(kind, line)
                await self.writes.store(verdict)
                return CanaryResult(kind, verdict.line, verdict.at, verdict=verdict)
            case Hold(reason, left_s, asks):
                await self._note_silence()
                self.teller.tell(self.sight.last, reason, left_s, asks=asks)
        return None

    async def _shift(self, step: int, weight: int) -> None:
        """Begin a step, or bring the router back to where the running one had it."""
        seen = self.sight.last
        repair = seen is not None and seen.step == step and seen.step_started is not None
        if not repair:
            await self.writes.begin_step(step)
        now = await self.writes.shift(weight)
        if step == 0 and not repair:
            for watch in self.watches:
                watch.open(at=now)  # a return, too: a bound looks back no further; a judge goes on
        if not repair:
            await self.writes.step_begun(now, exposed=step == 0 and not (seen and seen.trips))
        also = ", as much at the baseline" if self.plan.fresh else ""
        line, for_s = f"weight {weight} % is in force{also}", self.plan.steps[step].for_s
        self.teller.tell(seen, line, for_s, step=step, news=not repair)

    async def _send_away(self, line: str, for_s: float) -> None:
        seen = self.sight.last
        why = line or "it is not to have any"
        log.warning("the candidate is taken off traffic for %.0f s: %s", for_s, why)
        await self.writes.send_away((seen.trips if seen else 0) + (1 if line else 0), for_s)
        told = f"off traffic for {for_s:.0f} s, then it may return once"
        self.teller.tell(seen, told, for_s, step=0, news=True)

    def _verdict(self, kind: str, line: str) -> Verdict:
        given = self.override or self.sight.answer.given if kind == "OVERRIDE" else None
        seen = [one for watch in self.watches if isinstance(watch, JudgeWatch) and (one := watch.judged)]
        return Verdict(
            kind, self.release.id, self.gates_hash, self.attempt, self.scene.clock(), line[:500],
            first_sample=min((first for first, _ in seen), default=None),
            last_sample=max((last for _, last in seen), default=None),
            by=given.by if given else "", reason=given.reason if given else "",
        )  # fmt: skip

    async def _note_silence(self) -> None:
        """Keep the beginning of a silence where a restarted trigger finds it."""
        if self.sight.last is None or self.sight.last.step_started is None:
            return
        silent = [
            w.state.seen_at for w in self.watches if w.gate.enforced and w.state.finding is Finding.BLIND
        ]
        if silent and not self.silent_noted and self.scene.clock() - min(silent) > 5 * TICK_S:
            await self.writes.note({SILENT_SINCE: f"{min(silent):.3f}"})
            self.silent_noted = True
        elif not silent and self.silent_noted:
            await self.writes.note({SILENT_SINCE: ""})
            self.silent_noted = False

    async def _last_lines(self) -> str:
        """Fetch what the worst pod said last; never a reason to fail."""
        for pod in self.sight.last.pods if self.sight.last else ():
            if pod.fault:
                with suppress(Exception):
                    return await self.scene.logs.last_lines(pod.name, container=pod.fault.container)
        return ""

    @asynccontextmanager
    async def _watching(self) -> AsyncIterator[None]:
        tasks: list[asyncio.Task[Any]] = [asyncio.create_task(watch.run()) for watch in self.watches]
        tasks.append(asyncio.create_task(self._wake_on_pods()))
        if self.answers:
            tasks.append(asyncio.create_task(self.answers.run()))
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
