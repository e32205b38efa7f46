"""The pods of both sides of a workload, out of the watch on their namespace."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any

from cd_provider.adapters.pod_watch import PodWatch, shared_watch
from cd_provider.core.names import BASELINE, CANDIDATE, SIDE
from cd_provider.core.pod import PodState, pod_state
from cd_provider.core.template import candidate_selector, selects
from cd_provider.core.workload import WorkloadRef
from cd_provider.exceptions import ClusterNotFoundError, ClusterRefusedError, ClusterUnavailableError

if TYPE_CHECKING:
    from cd_provider.hooks.cluster import ClusterHook


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
