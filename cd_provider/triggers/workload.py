"""Wait until a workload's rollout is over."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from cd_provider.core.workload import Rollout, WorkloadRef, judge_rollout
from cd_provider.exceptions import PermanentError, TransientError, WorkloadFailedError
from cd_provider.triggers.settled import settled

log = logging.getLogger(__name__)


class WorkloadReadyTrigger(BaseTrigger):
    """
    Wait until every pod of a workload runs its newest template and is available.

    :param workload: such as ``deployment/shop``, in ``namespace``.
    :param poke_s: seconds between two readings.
    """

    def __init__(
        self, *, workload: str, namespace: str, kubernetes_conn_id: str, poke_s: float = 2.0
    ) -> None:
        super().__init__()
        self.workload, self.namespace = workload, namespace
        self.kubernetes_conn_id, self.poke_s = kubernetes_conn_id, poke_s

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what a triggerer needs to make this again."""
        names = ("workload", "namespace", "kubernetes_conn_id", "poke_s")
        return "cd_provider.triggers.workload.WorkloadReadyTrigger", {
            name: getattr(self, name) for name in names
        }

    @settled
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait; an outage of the cluster is waited out."""
        try:
            found = await watch_workload(
                self.workload, self.namespace, conn_id=self.kubernetes_conn_id, poke_s=self.poke_s
            )
            yield TriggerEvent({"ready": True, **found})
        except PermanentError as err:
            yield TriggerEvent({"ready": False, "message": str(err)})


async def watch_workload(workload: str, namespace: str, *, conn_id: str, poke_s: float) -> dict[str, Any]:
    """
    Read until the rollout is over.

    :returns: ``{"generation", "replicas", "images"}``.
    :raises WorkloadFailedError: the cluster says that the rollout does not get on.
    """
    from cd_provider.adapters.workloads import open_workload
    from cd_provider.hooks.cluster import ClusterHook

    ref = WorkloadRef.parse(workload, namespace=namespace)
    while True:
        try:
            async with ClusterHook(conn_id).client() as client:
                while True:
                    state = await open_workload(client, ref).state()
                    match judge_rollout(state, generation=state.generation):
                        case Rollout.DONE:
                            images = dict(state.images)
                            return {
                                "generation": state.generation,
                                "replicas": state.wanted,
                                "images": images,
                            }
                        case Rollout.STALLED:
                            raise WorkloadFailedError(f"{ref}: the rollout does not get on: {state.stalled}")
                    await asyncio.sleep(poke_s)
        except TransientError as err:
            log.warning("%s could not be read: %s", ref, err)
            await asyncio.sleep(poke_s)
