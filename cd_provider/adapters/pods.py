"""
The pods of both sides, from one watch per connection and namespace.

Fifty canaries in one namespace share one watch. The registry of watches is the one thing that lives at module
level.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from cd_provider.core.names import BASELINE, CANDIDATE, SIDE
from cd_provider.core.pod import PodState, pod_state
from cd_provider.core.template import candidate_selector, selects
from cd_provider.core.workload import WorkloadRef
from cd_provider.exceptions import (
    ClusterNotFoundError,
    ClusterRefusedError,
    ClusterUnavailableError,
    PermanentError,
)

if TYPE_CHECKING:
    from cd_provider.hooks.cluster import ClusterHook
    from cd_provider.hooks.cluster_client import ClusterClient

log = logging.getLogger(__name__)
Opener = Callable[[], "AbstractAsyncContextManager[ClusterClient]"]
Listener = Callable[[Mapping[str, Any]], None]


@dataclass(frozen=True)
class Timing:
    """
    How a watch keeps time, in seconds.

    :param watch_s: the server ends each watch after this long: a connection that died unnoticed is found out.
    :param resync_s: how long a list may be trusted.
    :param deaf_s: how old the last word of a watch may be.
    :param backoff_s: pauses after errors, one by one.
    """

    watch_s: int = 20
    resync_s: float = 300.0
    deaf_s: float = 30.0
    backoff_s: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 5.0)


DEFAULT_TIMING = Timing()


class PodWatch:
    """
    Follow every pod of one namespace.

    :param opener: opens the client that this watch keeps for itself.
    """

    def __init__(
        self,
        opener: Opener,
        namespace: str,
        *,
        timing: Timing = DEFAULT_TIMING,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._opener, self._path = opener, f"/api/v1/namespaces/{namespace}/pods"
        self.namespace, self.timing, self.clock = namespace, timing, clock
        self.client: ClusterClient | None = None
        self.pods: dict[str, Mapping[str, Any]] = {}
        self.listeners: set[Listener] = set()
        self.heard_at = self.clock()
        self.deaf_since: float | None = None  # monotonic
        self.refused: PermanentError | None = None
        self.told = asyncio.Event()  # listed once, or refused

    async def run(self) -> None:
        """List and watch until cancelled; each error is waited out, longer each time."""
        failures = 0
        while True:
            began = self.clock()
            try:
                async with self._opener() as self.client:
                    while True:
                        await self._follow(self.client)
            except Exception as err:
                self._lost(err)
                failures = 0 if self.clock() - began > self.timing.watch_s else failures + 1
                await self._pause(failures)
            finally:
                self.client = None

    async def _follow(self, client: ClusterClient) -> None:
        """List anew, then watch from there for as long as the list may be trusted."""
        until = self.clock() + self.timing.resync_s
        listed = await client.get(self._path)
        self._replace(listed["items"])
        version: str = listed["metadata"]["resourceVersion"]
        while self.clock() < until:
            began = self.clock()
            events = client.watch(self._path, resourceVersion=version, timeoutSeconds=self.timing.watch_s)
            async with aclosing(events):
                async for kind, pod in events:
                    version = pod["metadata"]["resourceVersion"]
                    self._heard(kind, pod)
            self._alive()
            if self.clock() - began < 1.0:  # a server that ends watches at once is not asked in a loop
                await self._pause(1)

    async def _pause(self, failures: int) -> None:
        pauses = self.timing.backoff_s
        await asyncio.sleep(pauses[min(failures, len(pauses) - 1)])

    def _alive(self) -> None:
        self.heard_at, self.deaf_since, self.refused = self.clock(), None, None
        self.told.set()

    def _lost(self, err: Exception) -> None:
        log.warning("the watch on pods of %s broke off: %s", self.namespace, err)
        self.deaf_since = self.deaf_since or self.heard_at
        if isinstance(err, PermanentError):
            self.refused = err
            self.told.set()

    def _replace(self, items: Sequence[Mapping[str, Any]]) -> None:
        before, self.pods = self.pods, {one["metadata"]["name"]: _slim(one) for one in items}
        self._alive()
        for pod in [*before.values(), *self.pods.values()]:
            if before.get(_name(pod)) != self.pods.get(_name(pod)):
                self._tell(pod)

    def _heard(self, kind: str, pod: Mapping[str, Any]) -> None:
        self._alive()
        if kind == "BOOKMARK":
            return
        if kind == "DELETED":
            self.pods.pop(_name(pod), None)
        else:
            self.pods[_name(pod)] = _slim(pod)
        self._tell(pod)

    def _tell(self, pod: Mapping[str, Any]) -> None:
        for listener in list(self.listeners):
            listener(pod)


class _Shared:
    """A watch, its task, and how many use it."""

    def __init__(self, watch: PodWatch) -> None:
        self.watch, self.users = watch, 0
        self.task = asyncio.get_running_loop().create_task(watch.run(), name=f"pods of {watch.namespace}")


# by event loop, since a watch belongs to the loop that runs it
_WATCHES: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[str, str], _Shared]] = WeakKeyDictionary()


@asynccontextmanager
async def shared_watch(opener: Opener, conn_id: str, namespace: str) -> AsyncIterator[PodWatch]:
    """Give the watch of a connection and namespace; the first user starts it, the last one stops it."""
    watches = _WATCHES.setdefault(asyncio.get_running_loop(), {})
    shared = watches.get((conn_id, namespace))
    if shared is None:
        shared = watches[conn_id, namespace] = _Shared(PodWatch(opener, namespace))
    shared.users += 1
    try:
        yield shared.watch
    finally:
        shared.users -= 1
        if shared.users == 0:
            del watches[conn_id, namespace]
            shared.task.cancel()
            await asyncio.wait([shared.task])


class WatchedPods:
    """
    A door ``Pods``: the two sides of one workload, out of a watch on its whole namespace.

    :param stable_selector: the labels that stable's pods have; ``candidate_selector``, ``baseline_selector`` likewise.
    :param container: the container whose image is delivered.
    """

    def __init__(
        self,
        watch: PodWatch,
        *,
        container: str,
        stable_selector: Mapping[str, str],
        candidate_selector: Mapping[str, str],
        baseline_selector: Mapping[str, str] | None = None,
    ) -> None:
        self._watch, self._container = watch, container
        self._chosen = {CANDIDATE: dict(candidate_selector), BASELINE: dict(baseline_selector or {})}
        self._stable = dict(stable_selector)
        self._changed = asyncio.Event()
        self._disowned: set[str] = set()

    async def states(self) -> Sequence[PodState]:
        """
        Give the pods of both sides, by name.

        :raises ClusterUnavailableError: the watch has been deaf for longer than it may be.
        :raises ClusterForbiddenError: listing or watching pods is not allowed.
        """
        watch, deaf_s = self._watch, self._watch.timing.deaf_s
        try:
            await asyncio.wait_for(watch.told.wait(), deaf_s)
        except TimeoutError as err:
            raise ClusterUnavailableError(
                f"pods of {watch.namespace}: no list within {deaf_s:g} s. Try again."
            ) from err
        if watch.refused:
            raise watch.refused
        silent_s = watch.clock() - watch.heard_at
        if silent_s > deaf_s:
            raise ClusterUnavailableError(
                f"pods of {watch.namespace}: the watch has heard nothing for {silent_s:.0f} s. Try again."
            )
        return self.latest()

    def latest(self) -> Sequence[PodState]:
        """Give the pods of both sides, by name, as they were last heard of, however long ago."""
        mine = [pod for pod in self._watch.pods.values() if self._is_mine(pod)]
        return sorted((pod_state(pod, container=self._container) for pod in mine), key=lambda one: one.name)

    async def wait(self, timeout_s: float) -> None:
        """Return at the next change of a pod of ours; at once when there was one since the last call."""
        with suppress(TimeoutError):
            await asyncio.wait_for(self._changed.wait(), timeout_s)
        self._changed.clear()

    def disown(self, uids: Collection[str]) -> None:
        """Leave these pods out from now on: those of an earlier candidate."""
        self._disowned.update(uids)

    async def last_lines(self, pod: str, *, container: str | None = None, lines: int = 5) -> str:
        """Give a container's last log lines, of its run before when it was restarted; "" for none."""
        client = self._watch.client
        if client is None:
            raise ClusterUnavailableError(f"pods of {self._watch.namespace}: not connected now. Try again.")
        path = f"/api/v1/namespaces/{self._watch.namespace}/pods/{pod}/log"
        name = container or self._container
        for previous in (True, False) if self._restarted(pod, name) else (False,):
            query = {"container": name, "tailLines": lines, "limitBytes": 16384}
            try:
                text = await client.text(path, **query, **({"previous": "true"} if previous else {}))
            except (ClusterNotFoundError, ClusterRefusedError):
                continue  # no such run, or its log is gone
            if text.strip():
                return text
        return ""

    def listen(self, pod: Mapping[str, Any]) -> None:
        """Hear of a change; the watch calls it."""
        if self._is_mine(pod):
            self._changed.set()

    def _is_mine(self, pod: Mapping[str, Any]) -> bool:
        if pod["metadata"].get("uid") in self._disowned:
            return False
        labels = pod["metadata"].get("labels") or {}
        chosen = self._chosen.get(labels.get(SIDE, ""), self._stable)
        return bool(chosen) and selects({"matchLabels": chosen}, labels)

    def _restarted(self, pod: str, container: str) -> bool:
        status = self._watch.pods.get(pod, {}).get("status") or {}
        every = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
        return any(one.get("name") == container and one.get("restartCount", 0) > 0 for one in every)


@asynccontextmanager
async def open_pods(
    hook: ClusterHook, ref: WorkloadRef, *, container: str, selector: Mapping[str, str]
) -> AsyncIterator[WatchedPods]:
    """
    Open the pods of a workload, of its candidate and of its baseline.

    :param container: the container whose image is delivered.
    :param selector: stable's, as ``WorkloadState.selector`` gives it; the others' follow from it.
    """
    async with shared_watch(hook.client, hook.kubernetes_conn_id, ref.namespace) as watch:
        pods = WatchedPods(
            watch,
            container=container,
            stable_selector=selector,
            candidate_selector=candidate_selector(selector),
            baseline_selector=candidate_selector(selector, BASELINE),
        )
        watch.listeners.add(pods.listen)
        try:
            yield pods
        finally:
            watch.listeners.discard(pods.listen)


def _slim(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep what a pod's state is read from; a namespace may have thousands."""
    meta = {
        key: value for key, value in pod["metadata"].items() if key not in ("managedFields", "annotations")
    }
    return {"metadata": meta, "status": pod.get("status") or {}}


def _name(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"]["name"])
