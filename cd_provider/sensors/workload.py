"""Wait for a workload, in any Dag."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowFailException

from cd_provider.core.traffic import templated
from cd_provider.core.workload import WorkloadRef
from cd_provider.operators.common import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context


class WorkloadReadySensor(BaseSensorOperator):
    """
    Wait until every pod of a workload runs its newest template and is available.

    Fails for good when the cluster says that the rollout does not get on; ``timeout`` bounds the wait.

    :param workload: (templated) such as ``deployment/shop``.
    :param namespace: (templated) where it runs.
    :param kubernetes_conn_id: (templated) a connection of type ``kubernetes``.
    :param deferrable: wait in the triggerer (default), or in a worker.

    Returns ``{"generation", "replicas", "images"}``.
    """

    template_fields: Sequence[str] = ("workload", "namespace", "kubernetes_conn_id")
    ui_color = "#d2f4ea"

    def __init__(
        self,
        *,
        workload: str,
        namespace: str,
        kubernetes_conn_id: str = "kubernetes_default",
        deferrable: bool = True,
        poke_interval: float = 2.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(poke_interval=poke_interval, **kwargs)
        if not templated([workload, namespace]):
            WorkloadRef.parse(workload, namespace=namespace)
        self.workload = workload
        self.namespace = namespace
        self.kubernetes_conn_id = kubernetes_conn_id
        self.deferrable = deferrable

    def execute(self, context: Context) -> Any:
        """Wait, in the triggerer or here."""
        from cd_provider.triggers.workload import WorkloadReadyTrigger, watch_workload

        with airflow_errors(context):
            WorkloadRef.parse(self.workload, namespace=self.namespace)
            if not self.deferrable:
                watching = watch_workload(
                    self.workload, self.namespace, conn_id=self.kubernetes_conn_id, poke_s=self.poke_interval
                )
                return asyncio.run(asyncio.wait_for(watching, self.timeout))
        trigger = WorkloadReadyTrigger(
            workload=self.workload,
            namespace=self.namespace,
            kubernetes_conn_id=self.kubernetes_conn_id,
            poke_s=self.poke_interval,
        )
        self.defer(trigger=trigger, method_name="execute_complete", timeout=timedelta(seconds=self.timeout))

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Tell what the trigger saw."""
        if not event.pop("ready"):
            raise AirflowFailException(event["message"])
        self.log.info("%s: %s pods run %s", self.workload, event["replicas"], event["images"])
        return event
