"""
One watch on the pods of a namespace, for all canaries in it.

Fifty canaries in one namespace share one watch. The registry of watches is the one thing that lives at module
level.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from cd_provider.exceptions import PermanentError

if TYPE_CHECKING:
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


def _slim(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    """Keep what a pod's state is read from; a namespace may have thousands."""
    meta = {
        key: value for key, value in pod["metadata"].items() if key not in ("managedFields", "annotations")
    }
    return {"metadata": meta, "status": pod.get("status") or {}}


def _name(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"]["name"])
