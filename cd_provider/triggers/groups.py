"""Who is compared now: two groups of pods that come and go, read again every few seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TYPE_CHECKING

from cd_provider.core.health_order import HealthOrder
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.query import QueryNames
from cd_provider.exceptions import CdProviderError

if TYPE_CHECKING:
    from cd_provider.hooks.cluster_client import ClusterClient

log = logging.getLogger(__name__)
EVERY_S = 5.0


class Groups:
    """
    Both groups as they were last seen; an outage of the cluster leaves them so.

    :param client: of the cluster; None: no gate asks for pods.
    """

    def __init__(self, order: HealthOrder, client: ClusterClient | None) -> None:
        self.order, self.client = order, client
        self.candidate: tuple[str, ...] = ()
        self.stable: tuple[str, ...] = ()

    async def read(self) -> None:
        """
        Look once.

        :raises ArgumentError: a pod is in both groups, or a Service selects none.
        :raises ClusterNotFoundError: a Service does not exist.
        """
        from cd_provider.adapters.groups import Group, ready_pods

        if self.client is None:
            return
        order = self.order
        if order.needs_pods("candidate"):
            group = Group(order.namespace, order.candidate, order.candidate_pods)
            self.candidate = await ready_pods(self.client, group)
        if order.needs_pods("stable"):
            self.stable = await ready_pods(
                self.client, Group(order.namespace, order.stable or "", order.stable_pods)
            )
        for gate in order.asked:
            if isinstance(gate, JudgeGate):
                self.sides(gate)

    async def run(self) -> None:
        """Look again and again until cancelled."""
        while True:
            await asyncio.sleep(EVERY_S)
            try:
                await self.read()
            except CdProviderError as err:
                log.warning("the groups could not be read again: %s", err)

    def sides(self, gate: JudgeGate) -> Sides:
        """Give a judge's two sides."""
        return self.order.sides(gate, candidate=self.candidate, stable=self.stable)

    def names(self) -> QueryNames:
        """Give what a query's placeholders stand for."""
        return self.order.names(pods=self.candidate)


@asynccontextmanager
async def open_groups(order: HealthOrder) -> AsyncIterator[Groups]:
    """
    Read the groups once, and again as long as this is open.

    :raises CdProviderError: see :meth:`Groups.read`; the cluster is asked only when a gate needs pods.
    """
    from cd_provider.hooks.cluster import ClusterHook

    async with AsyncExitStack() as stack:
        client = None
        if order.needs_pods("candidate") or order.needs_pods("stable"):
            client = await stack.enter_async_context(ClusterHook(order.kubernetes_conn_id).client())
        groups = Groups(order, client)
        await groups.read()
        if client is not None:
            reading = asyncio.create_task(groups.run())
            stack.callback(reading.cancel)
        yield groups
