"""Sends a judge's own requests to pods, for a service that has too few."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cd_provider.adapters.pod_proxy import proxy_path, refusal
from cd_provider.core.judge.sides import PORT
from cd_provider.exceptions import CdProviderError, ClusterUnavailableError, MetricsRefusedError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cd_provider.core.judge.presets import Preset
    from cd_provider.core.judge.sides import Sides
    from cd_provider.core.probe import Probe
    from cd_provider.hooks.cluster_client import ClusterClient

log = logging.getLogger(__name__)
ANSWER_BYTES, ANSWER_S, MOST_AT_ONCE = 1024 * 1024, 10.0, 32


@asynccontextmanager
async def open_prober(conn_id: str, probe: Probe, preset: Preset, sides: Sides) -> AsyncIterator[Prober]:
    """
    Open one for these pods alone.

    :param conn_id: the Airflow connection of the cluster.
    :raises ConnectionFaultError: it is missing or cannot be used.
    """
    from cd_provider.hooks.cluster import ClusterHook

    async with ClusterHook(conn_id).client() as client:
        yield Prober(client, probe, preset, sides=lambda: sides)


class Prober:
    """
    Ask one pod of each side, again and again, each pod in its turn; what they answer they count themselves.

    :param client: of the cluster; it needs ``get pods/proxy``.
    :param sides: gives who is compared, at that moment.
    """

    def __init__(
        self, client: ClusterClient, probe: Probe, preset: Preset, *, sides: Callable[[], Sides]
    ) -> None:
        self.client, self.probe, self.sides = client, probe, sides
        self.port = probe.port or preset.port or PORT
        self.sent = 0  # to each side
        self._told = False

    async def run(self, wanted: Callable[[], bool]) -> None:
        """
        Ask until cancelled.

        :param wanted: says whether the candidate is to be asked now, or has no traffic.
        """
        clock, asking = asyncio.get_running_loop().time, set[asyncio.Task[None]]()
        try:
            due = clock()
            while True:
                if wanted() and len(asking) < MOST_AT_ONCE:
                    for task in self._both():
                        asking.add(task)
                        task.add_done_callback(asking.discard)
                due = max(clock(), due + 1.0 / self.probe.per_second)
                await asyncio.sleep(due - clock())
        finally:
            for task in asking:
                task.cancel()

    def _both(self) -> list[asyncio.Task[None]]:
        """Ask a pod of each side at once, or nobody: neither side is to get more than the other."""
        try:
            sides = self.sides()
        except CdProviderError as err:  # for a moment a pod may be on both; the judge tells of it
            log.debug("nobody is asked: %s", err)
            return []
        if not (sides.candidate_pods and sides.stable_pods):
            return []
        turns = [self._turn(pods) for pods in (sides.candidate_pods, sides.stable_pods)]
        self.sent += 1
        return [asyncio.create_task(self._ask(sides.namespace, pod)) for pod in turns]

    def _turn(self, pods: Sequence[str]) -> str:
        return sorted(pods)[self.sent % len(pods)]

    async def _ask(self, namespace: str, pod: str) -> None:
        try:
            await self.once(namespace, pod)
        except CdProviderError as err:  # whatever it answered, it has counted it
            if isinstance(err, MetricsRefusedError) and not self._told:
                self._told = True
                log.warning("%s", err)

    async def once(self, namespace: str, pod: str) -> None:
        """
        Ask one pod.

        :raises MetricsRefusedError: RBAC refuses. :raises CdProviderError: it answers with an error, or not at all.
        """
        path = proxy_path(namespace, pod, self.port, self.probe.path)
        try:
            async with asyncio.timeout(ANSWER_S):
                await self.client.page(path, accept="*/*", max_bytes=ANSWER_BYTES)
        except TimeoutError as err:
            raise ClusterUnavailableError(f"pod {namespace}/{pod}: no answer within {ANSWER_S:g} s.") from err
        except CdProviderError as err:
            what = f"pod {namespace}/{pod}: asking it"
            if no := refusal(err, namespace, what=what, instead="leave probes out"):
                raise no from err
            raise
