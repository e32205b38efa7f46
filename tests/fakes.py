"""One fake per door: plain classes with lists, the only stand-ins; the contract tests keep them honest."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace

from cd_provider.core.image import ImageFacts, ImageRef
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Reading, Sides
from cd_provider.core.judge.silence import SIDES
from cd_provider.core.message import ReleaseMessage
from cd_provider.core.names import ATTEMPT, CANDIDATE, PREFIX, SIDE
from cd_provider.core.pod import PodFault, PodState
from cd_provider.core.traffic import ALL_STABLE, Weights
from cd_provider.core.workload import WorkloadState
from cd_provider.exceptions import (
    ArgumentError,
    ClusterNotFoundError,
    ImageNotFoundError,
    RegistryRefusedError,
)


class FakeImages:
    """An ImageSource of one registry: ``held`` maps ``path:tag`` to facts; ``fault`` is raised instead."""

    def __init__(self, registry: str = "registry.example") -> None:
        self.registry, self.held = registry, dict[str, ImageFacts]()
        self.fault: Exception | None = None

    async def tags(self, repository: str) -> Sequence[str]:
        names = [name.rpartition(":") for name in self.held]
        tags = [tag for path, _, tag in names if path == self._path(repository)]
        if not tags:
            raise ImageNotFoundError(f"{repository}: there is none.")
        return tags

    async def facts(self, image: ImageRef) -> ImageFacts:
        path = self._path(image.repository)
        for name, facts in self.held.items():
            held, _, tag = name.rpartition(":")
            asked = facts.pinned.digest == image.digest if image.digest else tag == image.tag
            if held == path and asked:
                return replace(facts, tag=image.tag)
        raise ImageNotFoundError(f"{image}: there is none.")

    def _path(self, repository: str) -> str:
        if self.fault:
            raise self.fault
        registry, _, path = repository.partition("/")
        if registry != self.registry:
            raise RegistryRefusedError(f"{repository}: this is {self.registry}.")
        return path


class FakeMetrics:
    """A MetricSource that answers from a list; an exception in the list is raised."""

    def __init__(self, *answers: float | Exception | None) -> None:
        self.answers, self.asked = list(answers), list[str]()

    async def value(self, query: str) -> float | None:
        self.asked.append(query)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeCounters:
    """A CounterSource that knows these series; ``fault`` is raised instead, ``fault``'s text is what a plan hears."""

    def __init__(self, *series: Series) -> None:
        self.series, self.asked = list(series), list[float]()
        self.unreachable: tuple[str, ...] = ()
        self.fault: Exception | None = None

    async def read(self, sides: Sides, *, since: float) -> Reading:
        self.asked.append(since)
        if self.fault:
            raise self.fault
        ours = [one for one in self.series if sides.side_of(one.pod) == one.side]
        new = [replace(one, samples=[each for each in one.samples if each[0] > since]) for one in ours]
        there = {one.side for one in ours if one.edge is None and not one.counted}
        return Reading(
            tuple(new), self.unreachable, tuple(f"{side}: nothing" for side in SIDES if side not in there)
        )

    async def probe(self, sides: Sides) -> str | None:
        return str(self.fault) if self.fault else None


class FakeNotifier:
    """A Notifier that keeps its messages; ``fault`` is raised instead, if set."""

    def __init__(self) -> None:
        self.messages: dict[str, list[ReleaseMessage]] = {}  # where → what it said over time
        self.fault: Exception | None = None

    async def send(
        self,
        message: ReleaseMessage,
        *,
        thread: Mapping[str, str] | None = None,
        under: Mapping[str, str] | None = None,
    ) -> Mapping[str, str]:
        if self.fault:
            raise self.fault
        place = thread["place"] if thread and thread["place"] in self.messages else f"m{len(self.messages)}"
        self.messages.setdefault(place, []).append(message)
        return {"place": place}


SHOP = WorkloadState(
    generation=1,
    observed=1,
    wanted=3,
    updated=3,
    ready=3,
    available=3,
    total=3,
    images={"shop": "registry.example/shop@sha256:" + "0" * 64},
    labels={"app": "shop"},
    pod_labels={"app": "shop"},
    selector={"app": "shop"},
    uid="stable",
)


class FakeWorkload:
    """A Workload that keeps its state; ``rolls=False``: no pod of a new template ever comes up."""

    def __init__(self, now: WorkloadState | None = SHOP, *, rolls: bool = True) -> None:
        self.now, self.rolls = now, rolls
        self.applied: list[tuple[Mapping[str, str], Mapping[str, str | None]]] = []
        self.faults: list[Exception] = []  # each is raised once, by the next calls

    async def state(self) -> WorkloadState:
        _raise_next(self.faults)
        if self.now is None:
            raise ClusterNotFoundError("there is no such workload")
        return self.now

    async def apply(self, *, images: Mapping[str, str], annotations: Mapping[str, str | None]) -> int:
        before = await self.state()
        _check_containers(before, images)
        self.applied.append((images, annotations))
        notes = {key: text for key, text in {**before.annotations, **annotations}.items() if text is not None}
        self.now = _moved(
            replace(before, images={**before.images, **images}, annotations=notes), before, self.rolls
        )
        return self.now.generation

    async def remove(self) -> None:
        before = await self.state()
        notes = {key: text for key, text in before.annotations.items() if not key.startswith(PREFIX)}
        self.now = replace(before, annotations=notes)


class FakeCandidate:
    """A Candidate (or a baseline: ``side``) beside a FakeWorkload; ``rolls=False``: its pods never get ready."""

    def __init__(
        self, stable: FakeWorkload | None = None, *, rolls: bool = True, side: str = CANDIDATE
    ) -> None:
        self.stable, self.rolls, self.side = stable or FakeWorkload(), rolls, side
        self.now: WorkloadState | None = None
        self.sizes: list[int] = []
        self.removed = 0
        self.faults: list[Exception] = []

    async def state(self) -> WorkloadState | None:
        _raise_next(self.faults)
        return self.now

    async def apply(self, *, images: Mapping[str, str], replicas: int, annotations: Mapping[str, str]) -> int:
        _raise_next(self.faults)
        stable = await self.stable.state()
        _check_containers(stable, images)
        self.sizes.append(replicas)
        before = self.now or WorkloadState(
            0,
            0,
            0,
            0,
            0,
            0,
            0,
            images={},
            labels={SIDE: self.side},
            selector={SIDE: self.side},
            uid=self.side,
        )
        notes = {**before.annotations, **annotations}
        images = self._images(before, {**stable.images, **images}, annotations)
        after = replace(before, images=images, wanted=replicas, annotations=notes)
        self.now = _moved(after, before, self.rolls)
        return self.now.generation

    def _images(
        self, before: WorkloadState, made: Mapping[str, str], annotations: Mapping[str, str]
    ) -> Mapping[str, str]:
        """A baseline keeps what it was made from for its whole attempt."""
        attempt = before.annotations.get(ATTEMPT)
        same = attempt is not None and annotations.get(ATTEMPT, attempt) == attempt
        return before.images if same and self.side != CANDIDATE else made

    async def remove(self) -> None:
        _raise_next(self.faults)
        self.now = None
        self.removed += 1


class FakePods:
    """Pods that a test sets by ``put``; ``logs``: pod → its last lines."""

    def __init__(self, *pods: PodState) -> None:
        self.pods, self.logs, self.faults = list(pods), dict[str, str](), list[Exception]()
        self._disowned: set[str] = set()
        self._changed = asyncio.Event()

    def put(self, *pods: PodState) -> None:
        self.pods = list(pods)
        self._changed.set()

    async def states(self) -> Sequence[PodState]:
        _raise_next(self.faults)
        return self.latest()

    def latest(self) -> Sequence[PodState]:
        return sorted((one for one in self.pods if one.uid not in self._disowned), key=lambda one: one.name)

    def disown(self, uids: Collection[str]) -> None:
        self._disowned.update(uids)

    async def wait(self, timeout_s: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        self._changed.clear()

    async def last_lines(self, pod: str, *, container: str | None = None, lines: int = 5) -> str:
        return "\n".join(self.logs.get(pod, "").splitlines()[-lines:])


def pod(
    name: str,
    *,
    side: str | None = CANDIDATE,
    ready: bool = True,
    digest: str = "sha256:" + "1" * 64,
    fault: PodFault | None = None,
) -> PodState:
    """Make a pod for ``FakePods``; it has restarted once when it has a fault."""
    labels = {SIDE: side} if side else {"app": "shop"}
    restarts = 1 if fault else 0
    return PodState(name, side, ready, False, restarts, frozenset({digest}), labels, fault, uid=name)


class FakeRouter:
    """A TrafficRouter; a test may change ``split`` behind our back. None: no candidate is named."""

    def __init__(self) -> None:
        self.split: Weights | None = None
        self.shifts: list[Weights] = []
        self.resets = 0
        self.faults: list[Exception] = []

    async def weights(self) -> Weights:
        _raise_next(self.faults)
        return self.split or ALL_STABLE

    async def shift(self, weights: Weights) -> None:
        _raise_next(self.faults)
        self.split = weights
        self.shifts.append(weights)

    async def clean(self) -> bool:
        _raise_next(self.faults)
        return self.split is None

    async def reset(self) -> None:
        _raise_next(self.faults)
        self.split = None
        self.resets += 1


def _raise_next(faults: list[Exception]) -> None:
    if faults:
        raise faults.pop(0)


def _check_containers(state: WorkloadState, images: Mapping[str, str]) -> None:
    if unknown := sorted(set(images) - set(state.images)):
        raise ArgumentError(f"no container {unknown[0]!r}, expected some of {', '.join(state.images)}")


def _moved(after: WorkloadState, before: WorkloadState, rolls: bool) -> WorkloadState:
    """Count a change, as a Deployment does: annotations are one too; the same again is none."""
    if after == before:
        return before
    generation, size = before.generation + 1, after.wanted
    if not rolls:
        same = after.images == before.images and after.wanted == before.wanted
        updated = before.updated if same else 0
        return replace(after, generation=generation, observed=generation, updated=updated)
    return replace(
        after,
        generation=generation,
        observed=generation,
        updated=size,
        ready=size,
        available=size,
        total=size,
    )
