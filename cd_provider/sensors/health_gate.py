"""Watch the health of something, in any Dag."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator
from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowSensorTimeout

from cd_provider.core.health import OVERTIME_S
from cd_provider.core.health_order import HealthOrder, parse_health_gates
from cd_provider.core.traffic import templated
from cd_provider.core.units import from_json, seconds
from cd_provider.exceptions import ArgumentError
from cd_provider.operators.common import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

MARGIN_S = 600.0  # that a trigger may be late: one that comes up again reads everything anew
GREEN, FINAL = ("PASS", "OBSERVED"), ("FAIL", "ERROR")


class HealthGateSensor(BaseSensorOperator):
    """
    Let the Dag go on when what is watched is healthy.

    Two groups of pods that exist already are compared by ``judge(…)``; one thing is held to bounds by ``promql(…)``;
    one thing's own counters before and after a moment are compared by ``before_after(…)``, which is weak, since time
    is confounded. PASS is success. FAIL, or what a person has to put right first, fails the task for good.
    INCONCLUSIVE and NO_DATA fail it in the ordinary way, so that its ``retries`` apply: never success, never a skip.

    :param gates: (templated) what ``judge(…)``, ``promql(…)`` and ``before_after(…)`` give, one at least. A judge ends
        the watch as soon as it knows; bounds alone are looked at for ``max_s``. Gates with ``mode="observe"`` stop
        nothing; when all are such, the task succeeds with what it would have been.
    :param candidate: (templated) name of the Service that is judged; for ``before_after``, value of its label.
    :param stable: (templated) name of the Service that it is compared with.
    :param namespace: (templated) where both are; needed by judges, and by queries that speak of it.
    :param candidate_pods: (templated) pattern of the whole names of the candidate's pods, such as ``shop-v2-.*``;
        default: those that its Service selects. Asked for only when a gate reads pods.
    :param stable_pods: (templated) the same of stable's.
    :param max_s: (templated) seconds after which it is over; default half an hour.
    :param no_data_s: (templated) seconds of silence of one gate that end it as NO_DATA.
    :param weak_is_enough: let ``before_after`` pass alone; else it needs a bound or a judge beside it.
    :param prometheus_conn_id: (templated) a connection of type ``prometheus``.
    :param kubernetes_conn_id: (templated) a connection of type ``kubernetes``; used when a gate reads pods.
    :param deferrable: wait in the triggerer (default), or in a worker.

    Returns, and leaves as XCom ``result`` whatever the end, ``{"kind", "line", "at", "lane", "reason", "need"}``.
    ``kind`` is PASS or OBSERVED, FAIL, INCONCLUSIVE, NO_DATA or ERROR; ``line`` the sentence for people; ``at`` the
    seconds that it took; ``lane`` which part of a judge spoke; ``reason`` a short word that stays as it is; ``need``
    what was missing.
    """

    template_fields: Sequence[str] = (
        "gates", "candidate", "stable", "namespace", "candidate_pods", "stable_pods", "max_s", "no_data_s",
        "prometheus_conn_id", "kubernetes_conn_id",
    )  # fmt: skip
    ui_color = "#d2f4ea"

    def __init__(
        self,
        *,
        gates: Sequence[Mapping[str, Any]] | str,
        candidate: str,
        stable: str | None = None,
        namespace: str = "",
        candidate_pods: str | None = None,
        stable_pods: str | None = None,
        max_s: float | str = 1800,
        no_data_s: float | str = 120,
        weak_is_enough: bool = False,
        prometheus_conn_id: str = "prometheus_default",
        kubernetes_conn_id: str = "kubernetes_default",
        deferrable: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.soft_fail or self.never_fail:
            raise ArgumentError(
                f"{self.task_id}: saw soft_fail or never_fail, expected neither: they would skip what could not be "
                "judged. For a gate that stops nothing write mode='observe'."
            )
        self.gates = gates
        self.candidate = candidate
        self.stable = stable
        self.namespace = namespace
        self.candidate_pods = candidate_pods
        self.stable_pods = stable_pods
        self.max_s = max_s
        self.no_data_s = no_data_s
        self.weak_is_enough = weak_is_enough
        self.prometheus_conn_id = prometheus_conn_id
        self.kubernetes_conn_id = kubernetes_conn_id
        self.deferrable = deferrable
        if not templated(
            [gates, candidate, stable, namespace, candidate_pods, stable_pods, max_s, no_data_s]
        ):
            self.order(0.0)

    def order(self, now: float) -> HealthOrder:
        """
        Put together what the trigger is told, every value rendered and checked.

        :param now: epoch seconds.
        :raises ArgumentError: a wrong shape, or a gate that asks for what is not named.
        """
        max_s = seconds(self.max_s, name="max_s", least=1)
        gates = parse_health_gates(from_json(self.gates, name="gates"))
        order = HealthOrder(
            gates=[gate.as_dict() for gate in gates],
            candidate=self.candidate,
            began_at=now,
            until=now + max_s,
            no_data_s=seconds(self.no_data_s, name="no_data_s", least=5),
            stable=self.stable or None,
            namespace=self.namespace or "",
            candidate_pods=self.candidate_pods or None,
            stable_pods=self.stable_pods or None,
            weak_is_enough=self.weak_is_enough,
            prometheus_conn_id=self.prometheus_conn_id,
            kubernetes_conn_id=self.kubernetes_conn_id,
        )
        return HealthOrder.parse(order.as_dict())

    def execute(self, context: Context) -> Any:
        """Watch, in the triggerer or here."""
        from cd_provider.triggers.health_gate import HealthGateTrigger, watch_health

        with airflow_errors(context):
            order = self.order(time.time())
            order.check_moments()
        if not self.deferrable:
            return self.execute_complete(context, asyncio.run(watch_health(order.as_dict())))
        self.defer(
            trigger=HealthGateTrigger(order=order.as_dict()),
            method_name="execute_complete",
            timeout=timedelta(seconds=order.max_s + OVERTIME_S + MARGIN_S),
        )

    def resume_execution(self, next_method: str, next_kwargs: dict[str, Any] | None, context: Context) -> Any:
        """Go on after the trigger; one that never said anything is no reason to give up for good."""
        try:
            return super().resume_execution(next_method, next_kwargs, context)
        except AirflowSensorTimeout as err:
            raise AirflowException(
                f"NO_DATA: the triggerer said nothing within max_s and {OVERTIME_S + MARGIN_S:.0f} s more, expected a "
                "verdict; see whether a triggerer runs."
            ) from err

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Tell what was seen."""
        context["ti"].xcom_push(key="result", value=event)
        if event["kind"] in GREEN:
            self.log.info("%s", event["line"])
            return event
        text = event["line"] + (f" Needed: {event['need']}." if event["need"] else "")
        if event["kind"] in FINAL:
            raise AirflowFailException(text)
        raise AirflowException(text)
