"""Promotion as a task."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from cd_provider.core.gate import parse_gates
from cd_provider.core.order import CanaryOrder
from cd_provider.core.traffic import templated
from cd_provider.core.units import seconds
from cd_provider.operators.common import ReleaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReleasePromoteOperator(ReleaseOperator):
    """
    Give stable the image of a candidate that passed, then all the traffic, then remove the candidate.

    Refuses without a stored PASS (or OVERRIDE, or OBSERVED: see
    :class:`~cd_provider.operators.canary.CanaryOperator`) for exactly this release, these gates and the candidate's
    attempt, which goes by nothing older than an hour. While stable's pods are replaced the
    candidate keeps its share, so that capacity never drops, and both go on being judged. Success means that every
    ready pod runs the asked digest.

    :param gates: (templated) the same gates that the canary was given.
    :param max_s: (templated) seconds for the whole promotion.
    :param drain_s: (templated) seconds for requests under way before the candidate's pods end.
    :param prometheus_conn_id: (templated) where the gates' numbers come from.

    Returns ``{"line"}``, the sentence that people are told.
    """

    template_fields: Sequence[str] = (
        *ReleaseOperator.template_fields, "gates", "max_s", "drain_s", "prometheus_conn_id",
    )  # fmt: skip
    ui_color = "#d1e7dd"

    def __init__(
        self,
        *,
        gates: Sequence[Mapping[str, Any]],
        max_s: Any = 1800,
        drain_s: Any = 5,
        prometheus_conn_id: str = "prometheus_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not templated(gates):
            parse_gates(gates)
        self.gates = gates
        self.max_s = max_s
        self.drain_s = drain_s
        self.prometheus_conn_id = prometheus_conn_id

    async def aexecute(self, context: Context) -> Any:
        """Check, and hand over to the trigger."""
        from cd_provider.triggers.promote import PromoteTrigger

        max_s = seconds(self.max_s, name="max_s", least=10)
        drain_s = seconds(self.drain_s, name="drain_s")
        order = CanaryOrder(
            release=self.release(context).as_dict(),
            target=self.target().as_dict(),
            steps=[],
            gates=[gate.as_dict() for gate in parse_gates(self.gates)],
            attempt=context["ti"].try_number,
            deadline=time.time() + max_s,
            no_data_s=max_s,
            prometheus_conn_id=self.prometheus_conn_id,
        )
        self.defer(
            trigger=PromoteTrigger(order=order.as_dict(), drain_s=drain_s),
            method_name="execute_complete",
            timeout=timedelta(seconds=max_s + 120),
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Tell how it ended."""
        if event["kind"] != "PROMOTED":
            context["ti"].xcom_push(key="result", value={"kind": "FAIL", "line": event["line"]})
            raise AirflowFailException(event["line"])
        self.log.info("%s", event["line"])
        return {"line": event["line"]}
