"""``canary_delivery``: a whole delivery as one TaskGroup, put together from the operators."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator, TaskGroup, chain

from cd_provider.core.release import check_keys
from cd_provider.core.traffic import templated
from cd_provider.exceptions import ArgumentError
from cd_provider.operators.abort import ReleaseAbortOperator
from cd_provider.operators.canary import CanaryOperator
from cd_provider.operators.common import check_router
from cd_provider.operators.image import ImageVerifyOperator
from cd_provider.operators.outcome import ReleaseOutcomeOperator
from cd_provider.operators.plan import ReleasePlanOperator
from cd_provider.operators.promote import ReleasePromoteOperator

if TYPE_CHECKING:
    from cd_provider.operators.smoke import ImageSmokeOperator

VERIFY_KEYS = ("platforms", "max_size", "max_age")
SURE = {"execution_timeout": None, "retry_delay": timedelta(seconds=5), "email_on_failure": False}


def gateway_api(route: str) -> dict[str, Any]:
    """
    Split traffic by the weights of a Gateway API ``HTTPRoute`` in the workload's namespace.

    :param route: its name (templated).
    """
    return {"kind": "gateway_api", "route": route}


def canary_delivery(
    *,
    app: str,
    image: str,
    workload: str,
    namespace: str,
    router: Mapping[str, Any],
    steps: Sequence[Any],
    gates: Sequence[Mapping[str, Any]],
    step_s: Any = 60,
    container: str | None = None,
    service: str | None = None,
    group_id: str | None = None,
    if_busy: str = "refuse",
    no_data_s: Any = 120,
    max_s: Any = None,
    candidate_min: Any = 1,
    drain_s: Any = 5,
    verify: Mapping[str, Any] | None = None,
    smoke: Mapping[str, Any] | None = None,
    approval: Mapping[str, Any] | None = None,
    window: Mapping[str, Any] | str | None = None,
    notify: Mapping[str, Any] | None = None,
    allow_downgrade: bool = False,
    stable_may_be_broken: bool = False,
    gitops_ignores_us: bool = False,
    override: Mapping[str, str] | str | None = None,
    kubernetes_conn_id: str = "kubernetes_default",
    registry_conn_id: str = "registry_default",
    prometheus_conn_id: str = "prometheus_default",
    docker_conn_id: str = "docker_engine_default",
) -> TaskGroup:
    """
    Deliver an image to one workload by canary: plan, verify, (smoke), (approval), (window), canary, promote.

    Behind them stand abort, which takes back whatever an unfinished delivery left, and outcome, which alone decides
    the colour of the run. What is behind the group runs after a promotion only.

    :param app: the app's name.
    :param image: (templated) what to deliver, by tag or digest, such as ``"{{ params.image }}"``.
    :param workload: (templated) such as ``deployment/shop``, in ``namespace``.
    :param router: what :func:`gateway_api` gives.
    :param steps: rising shares of the traffic in percent, each held for ``step_s`` seconds;
        ``{"weight": 50, "for_s": 120}`` sets a step's own time.
    :param gates: such as ``[promql(…)]``; ``[]`` means pod health only.
    :param container: needed when the pods have several.
    :param group_id: default: the app's name.
    :param if_busy: another delivery of this workload runs: ``refuse``, or ``wait``.
    :param no_data_s: seconds of silence after which the candidate is taken off.
    :param max_s: seconds after which the canary is over in any case.
    :param override: (templated) ``{"by": …, "reason": …}``: who takes on what cannot be judged, and why.
    :param verify: rules for the image: ``platforms``, ``max_size``, ``max_age``.
    :param smoke: what ``smoke(…)`` gives: try the image out in Docker first.
    :param approval: what ``approval(…)`` gives: a person has to agree.
    :param window: what ``window(…)`` gives: the canary begins only while it is open.
    :param notify: what ``slack(…)`` gives.
    :raises ArgumentError: a value of wrong shape, as far as it does not wait for templates.
    """
    if group_id is None and templated(app):
        raise ArgumentError(
            f"app: saw the template {app!r}; give group_id, since a task group's name is no template."
        )
    where: dict[str, Any] = {
        "app": app, "workload": workload, "namespace": namespace, "router": dict(check_router(router)),
        "container": container, "service": service, "kubernetes_conn_id": kubernetes_conn_id,
        "notify": dict(notify) if notify else None,
    }  # fmt: skip
    canary_like: dict[str, Any] = {
        "steps": list(steps), "step_s": step_s, "gates": list(gates), "no_data_s": no_data_s, "max_s": max_s,
        "window": window, "prometheus_conn_id": prometheus_conn_id, "override": override,
        "allow_downgrade": allow_downgrade, "stable_may_be_broken": stable_may_be_broken,
        "gitops_ignores_us": gitops_ignores_us,
    }  # fmt: skip
    with TaskGroup(group_id=group_id or app, tooltip=f"deliver {app} to {workload} by canary") as group:
        plan = ReleasePlanOperator(
            task_id="plan", image=image, registry_conn_id=registry_conn_id, **where, **canary_like
        )
        verified = ImageVerifyOperator(
            task_id="verify", image=image, registry_conn_id=registry_conn_id, **_verify(verify)
        )
        told: dict[str, Any] = {**where, "image": _given_by(verified), "message": _given_by(plan)}
        canary = CanaryOperator(
            task_id="canary",
            if_busy=if_busy,
            candidate_min=candidate_min,
            **told,
            **canary_like,
        )
        promote = ReleasePromoteOperator(
            task_id="promote",
            gates=list(gates),
            drain_s=drain_s,
            prometheus_conn_id=prometheus_conn_id,
            **told,
            retries=2,  # after a worker's death only: a verdict is final, and a promotion knows how far it got
            retry_delay=timedelta(seconds=5),
        )
        abort = ReleaseAbortOperator(task_id="abort", drain_s=drain_s, **told, retries=5, **SURE)
        tried = _smoke(smoke, _given_by(verified), registry_conn_id, docker_conn_id)
        outcome = ReleaseOutcomeOperator(
            task_id="outcome",
            asked=image,
            smoke_task=tried.task_id if tried else None,
            docker_conn_id=tried.docker_conn_id if tried else docker_conn_id,
            **told,
            retries=2,
            **SURE,
        )
        before = [
            *([tried] if tried else []),
            *_approval(approval, app=app, verify=verified.task_id),
            *_window(window),
        ]
        chain(plan, verified, *before, canary, promote, abort, outcome)
        abort.as_teardown()
        outcome.as_teardown(on_failure_fail_dagrun=True)
    return group


def _given_by(task: BaseOperator) -> str:
    """What an earlier task of the group handed on, as JSON; unlike ``task.output`` it draws no line in the graph."""
    return "{{ " + _pulled(task.task_id) + " | tojson }}"


def _pulled(task_id: str) -> str:
    return f"ti.xcom_pull(task_ids='{task_id}')"


def _verify(rules: Mapping[str, Any] | None) -> Mapping[str, Any]:
    return check_keys(rules or {}, name="verify", needed=(), known=VERIFY_KEYS)


def _smoke(
    smoke: Mapping[str, Any] | None, image: Any, registry_conn_id: str, docker_conn_id: str
) -> ImageSmokeOperator | None:
    if smoke is None:
        return None
    from cd_provider.core.smoke import smoke_arguments  # what is off costs no Dag file anything
    from cd_provider.operators.smoke import ImageSmokeOperator

    given = {"registry_conn_id": registry_conn_id, "docker_conn_id": docker_conn_id, **smoke_arguments(smoke)}
    return ImageSmokeOperator(task_id="smoke", image=image, **given)


def _approval(approval: Mapping[str, Any] | None, *, app: str, verify: str) -> list[Any]:
    if approval is None:
        return []
    from cd_provider.core.approval import approval_arguments, release_question
    from cd_provider.operators.approval import ReleaseApprovalOperator

    found = f"({_pulled(verify)} or {{}})"
    image, tag = "{{ " + found + "['image'] }}", "{{ " + found + "['tag'] or 'digest' }}"
    question: dict[str, Any] = {**release_question(app=app, image=image, tag=tag)}
    return [ReleaseApprovalOperator(task_id="approval", **question, **approval_arguments(approval))]


def _window(window: Mapping[str, Any] | str | None) -> list[Any]:
    if window is None:
        return []
    from cd_provider.sensors.window import ReleaseWindowSensor

    return [ReleaseWindowSensor(task_id="window", window=window)]
