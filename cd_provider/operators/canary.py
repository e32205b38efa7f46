"""The canary as a task: it defers at once, and its trigger shifts, watches and judges without a gap."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from cd_provider.core.gate import judges, parse_gates
from cd_provider.core.order import IF_BUSY, RESULT, CanaryOrder
from cd_provider.core.override import Override
from cd_provider.core.refuse import crowded_steps
from cd_provider.core.release import PASSING
from cd_provider.core.traffic import Step, parse_steps, templated
from cd_provider.core.units import seconds, whole
from cd_provider.exceptions import ArgumentError, CanaryFailedError
from cd_provider.operators.common import ReleaseOperator
from cd_provider.operators.links import GatesLink, VerdictLink, gates_url, verdict_url

if TYPE_CHECKING:
    from airflow.sdk import Context

    from cd_provider.core.gate import AnyGate

MARGIN_S = 120.0  # between the canary's own deadline and the end that Airflow would make of it


class CanaryOperator(ReleaseOperator):
    """
    Let a growing share of users have a candidate, judge it, and take it off traffic the moment it is bad.

    It always defers. The task succeeds on PASS (the candidate then keeps its last share, for promotion), and
    fails for good on a bad verdict; when it could not decide it fails in the ordinary way, so that the task's
    retries apply. In each case but PASS, and OVERRIDE or OBSERVED in its place, the candidate is off traffic before
    Airflow hears of it. OBSERVED: every gate only observes, so that nothing was judged.

    :param steps: (templated) rising shares in percent; ``{"weight": 50, "for_s": 120}`` sets a step's own time. With a
        judge that asks for a fresh baseline up to 50.
    :param step_s: (templated) seconds of a step that says none itself.
    :param gates: (templated) what has to hold, such as ``[promql(…)]``; ``[]`` means pod health only.
    :param no_data_s: (templated) seconds for which silence is waited out before the candidate is taken off.
    :param max_s: (templated) seconds after which the canary is over in any case; default: the steps, ``no_data_s``
        and 15 minutes.
    :param candidate_min: (templated) never fewer pods of the candidate than this.
    :param if_busy: another delivery holds the workload: ``refuse``, or ``wait`` for it.
    :param window: (templated) a release window; checked again right before the first write.
    :param prometheus_conn_id: (templated) where the gates' numbers come from.
    :param allow_downgrade: deliver although a release asked for later is running.
    :param stable_may_be_broken: deliver although stable has no ready pod.
    :param gitops_ignores_us: the GitOps agent that owns the workload is told to ignore the image.
    :param override: (templated) ``{"by": …, "reason": …}``, both or neither: a person takes on what cannot be judged. A
        gate without data, with too few requests or without a verdict then holds no step and stops nothing; what is
        seen to be bad stops the canary all the same. It ends with OVERRIDE, which names both, unless every gate was
        kept.

    Returns the stored verdict, which promotion asks for.
    """

    template_fields: Sequence[str] = (
        *ReleaseOperator.template_fields,
        "steps", "step_s", "gates", "no_data_s", "max_s", "candidate_min", "window", "prometheus_conn_id",
        "override",
    )  # fmt: skip
    operator_extra_links = (GatesLink(), VerdictLink())
    ui_color = "#fff3cd"

    def __init__(
        self,
        *,
        steps: Sequence[Any],
        gates: Sequence[Mapping[str, Any]],
        step_s: Any = 60,
        no_data_s: Any = 120,
        max_s: Any = None,
        candidate_min: Any = 1,
        if_busy: str = "refuse",
        window: Mapping[str, Any] | str | None = None,
        prometheus_conn_id: str = "prometheus_default",
        allow_downgrade: bool = False,
        stable_may_be_broken: bool = False,
        gitops_ignores_us: bool = False,
        override: Mapping[str, str] | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not templated(gates):
            parse_gates(gates)
        if not templated(override):
            Override.parse(override)
        if not templated(steps) and not templated(step_s):
            parsed = parse_steps(steps, step_s=step_s)
            if not templated(gates):
                check_room(parse_gates(gates), parsed)
        if if_busy not in IF_BUSY:
            raise ArgumentError(f"if_busy: saw {if_busy!r}, expected one of {', '.join(IF_BUSY)}.")
        self.steps = steps
        self.gates = gates
        self.step_s = step_s
        self.no_data_s = no_data_s
        self.max_s = max_s
        self.candidate_min = candidate_min
        self.if_busy = if_busy
        self.window = window
        self.prometheus_conn_id = prometheus_conn_id
        self.allow_downgrade = allow_downgrade
        self.stable_may_be_broken = stable_may_be_broken
        self.gitops_ignores_us = gitops_ignores_us
        self.override = override

    def gates_url(self) -> str:
        """Where the gates' queries can be looked at; "" when that cannot be told."""
        try:
            return gates_url(
                self.gates,
                workload=self.workload,
                namespace=self.namespace,
                service=self.service,
                conn_id=self.prometheus_conn_id,
            )
        except Exception as err:  # a button is no reason to fail
            self.log.info("no link to the gates: %s", err)
            return ""

    def verdict_url(self, ti: Any) -> str:
        """Where the verdict of one task instance is shown; "" where no gate is a judge, or that cannot be told."""
        try:
            return verdict_url(ti) if judges(parse_gates(self.gates)) else ""
        except Exception as err:  # a button is no reason to fail
            self.log.info("no link to the verdict: %s", err)
            return ""

    def execute(self, context: Context) -> Any:
        """Show the links from the start on, then hand over to the trigger."""
        ti = context["ti"]
        ti.xcom_push(key=GatesLink().xcom_key, value=self.gates_url())
        ti.xcom_push(key=VerdictLink().xcom_key, value=self.verdict_url(ti))
        return super().execute(context)

    def order(self, context: Context) -> CanaryOrder:
        """Put together what the trigger is told, every value rendered and checked."""
        steps = parse_steps(self.steps, step_s=self.step_s)
        gates = parse_gates(self.gates)
        check_room(gates, steps)
        no_data_s = seconds(self.no_data_s, name="no_data_s", least=5)
        max_s = canary_s(steps, gates, no_data_s=no_data_s, max_s=self.max_s)
        override = Override.parse(self.override)
        ti = context["ti"]
        return CanaryOrder(
            release=self.release(context).as_dict(),
            target=self.target().as_dict(),
            steps=[{"weight": step.weight, "for_s": step.for_s} for step in steps],
            gates=[gate.as_dict() for gate in gates],
            attempt=ti.try_number,
            deadline=time.time() + max_s,
            no_data_s=no_data_s,
            candidate_min=whole(self.candidate_min, name="candidate_min", least=1),
            if_busy=self.if_busy,
            window=self.window,
            prometheus_conn_id=self.prometheus_conn_id,
            notify=self.notify,
            thread=self.thread(),
            allow_downgrade=self.allow_downgrade,
            stable_may_be_broken=self.stable_may_be_broken,
            gitops_ignores_us=self.gitops_ignores_us,
            override=override.as_dict() if override else None,
            task={"dag_id": ti.dag_id, "run_id": ti.run_id, "task_id": ti.task_id, "map_index": ti.map_index},
        )

    async def aexecute(self, context: Context) -> Any:
        """Check, and hand over to the trigger."""
        from cd_provider.triggers.canary import CanaryTrigger

        order = self.order(context)
        check_run_timeout(context, order.deadline - time.time() + MARGIN_S)
        self.defer(
            trigger=CanaryTrigger(order=order.as_dict()),
            method_name="execute_complete",
            timeout=timedelta(seconds=order.deadline - time.time() + MARGIN_S),
        )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Tell what the trigger decided."""
        kind, line = event["kind"], event["line"]
        context["ti"].xcom_push(key="result", value={key: event.get(key) for key in RESULT})
        if kind in PASSING:
            self.log.info("%s: %s", kind, line)
            verdict: dict[str, Any] = event["verdict"]
            return verdict
        text = f"{kind}: {line.rstrip('.')}. {_AFTER[kind]}"
        if event.get("pod_log"):
            text += f" Last lines of the pod: {event['pod_log']}"
        if kind in ("REFUSED", "BUSY", "LOST"):
            context["ti"].xcom_push(key="fault", value=line)
        if kind == "INCONCLUSIVE":
            raise AirflowException(text)
        raise AirflowFailException(text) from CanaryFailedError(line)


_AFTER = {
    "FAIL": "The candidate is off traffic; stable was not touched.",
    "INCONCLUSIVE": "It could not be judged and is off traffic; stable was not touched. A retry starts at step one.",
    "ABORTED": "It was stopped and is off traffic; stable was not touched.",
    "REFUSED": "Nothing was touched.",
    "BUSY": "Nothing was touched.",
    "LOST": "Another delivery has taken the lock over and cleans up; nothing more was written.",
}


def check_room(gates: Sequence[AnyGate], steps: Sequence[Step]) -> None:
    """
    Refuse steps that leave a baseline no share as large as the candidate's.

    :raises ArgumentError: a judge asks for a fresh baseline, and a step is beyond 50.
    """
    if found := crowded_steps(gates, steps):
        raise ArgumentError(" ".join(found))


def canary_s(steps: Sequence[Step], gates: Sequence[AnyGate], *, no_data_s: float, max_s: Any) -> float:
    """
    Say how long a canary may take, in seconds.

    Without ``max_s``: 15 minutes and ``no_data_s`` beyond the steps, and the time for asking a person where one does.

    :raises ArgumentError: ``max_s`` leaves no time for the steps.
    """
    least = sum(step.for_s for step in steps)
    if max_s is None:
        return least + no_data_s + 900.0 + max((gate.asking_s for gate in judges(gates)), default=0.0)
    given = seconds(max_s, name="max_s")
    if given <= least:
        raise ArgumentError(f"max_s: saw {given:g}, but the steps alone take {least:g} seconds.")
    return given


def check_run_timeout(context: Context, needed_s: float) -> None:
    """
    Refuse a Dag whose runs may end while a canary has traffic.

    :raises ArgumentError: at ``dagrun_timeout`` Airflow skips every unfinished task, teardowns too.
    """
    limit = getattr(context["dag"], "dagrun_timeout", None)
    if limit is not None and limit.total_seconds() < needed_s:
        raise ArgumentError(
            f"dagrun_timeout of {context['dag'].dag_id} is {limit.total_seconds():.0f} s, but this delivery may take "
            f"{needed_s:.0f} s: at the time-out Airflow would skip the way back too. Raise it, or set max_s lower."
        )
