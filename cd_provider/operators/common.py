"""What the tasks of one delivery share: who is released, where it goes, and how errors reach Airflow."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseAsyncOperator, conf
from airflow.sdk.exceptions import AirflowFailException

from cd_provider.core.names import delivery_id
from cd_provider.core.release import Release, Target, Verified, check_app, check_keys, json_object
from cd_provider.core.traffic import templated
from cd_provider.core.workload import WorkloadRef
from cd_provider.exceptions import (
    ArgumentError,
    CdProviderError,
    ClusterForbiddenError,
    PermanentError,
    TransientError,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from cd_provider.core.message import ReleaseMessage

log = logging.getLogger(__name__)

ROUTER_KEYS = {"gateway_api": ("kind", "route")}


@contextmanager
def airflow_errors(context: Context | None = None) -> Iterator[None]:
    """
    Turn an error that no retry would mend into Airflow's own word for that.

    :param context: where the sentence is left (XCom ``fault``) for the delivery's outcome to tell.
    """
    try:
        yield
    except PermanentError as err:
        if isinstance(err, ClusterForbiddenError) and tries_left(context):
            raise  # an API server that just started refuses everybody for a moment
        _leave(context, err)
        raise AirflowFailException(str(err)) from err
    except TransientError as err:
        _leave(context, err)  # forgotten when the task is tried again: Airflow clears its XComs then
        raise


def _leave(context: Context | None, err: CdProviderError) -> None:
    if context is not None and (ti := context.get("ti")) is not None:
        ti.xcom_push(key="fault", value=str(err))


def tries_left(context: Context | None) -> bool:
    """Say whether Airflow would try this task again."""
    ti = context.get("ti") if context is not None else None
    return ti is not None and ti.try_number <= getattr(ti, "max_tries", 0)


def check_router(value: Any) -> Mapping[str, Any]:
    """
    Check what ``gateway_api(…)`` gives.

    :raises ArgumentError: there is none: pods alone cannot split traffic finely (one replica and a share of 10 %).
    """
    if value is None:
        raise ArgumentError(
            "router: saw None, expected what gateway_api(route=…) gives. Without one, traffic follows the number of "
            "pods: beside one replica of stable a candidate would get half of it, whatever the steps say."
        )
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if not isinstance(kind, str) or kind not in ROUTER_KEYS:
        raise ArgumentError(f"router: saw {value!r}, expected what gateway_api(route=…) gives.")
    known = ROUTER_KEYS[kind]
    return check_keys(value, name=f"router {kind}", needed=known, known=known)


class ReleaseOperator(BaseAsyncOperator):
    """
    A task of a delivery.

    :param app: (templated) the app's name: lower-case letters, digits and ``-``.
    :param image: (templated) what ``ImageVerifyOperator`` gave, or ``repository@sha256:…``.
    :param workload: (templated) such as ``deployment/shop``.
    :param namespace: (templated) where it runs.
    :param router: (templated) what ``gateway_api(…)`` gives.
    :param container: (templated) which container; may be left out when there is one.
    :param service: (templated) stable's Service; may be left out when the route names one that selects its pods.
    :param kubernetes_conn_id: (templated) a connection of type ``kubernetes``.
    :param notify: (templated) what ``slack(…)`` gives; None: nobody is told.
    :param message: (templated) what plan gave: where the release's message is.
    """

    template_fields: Sequence[str] = (
        "app", "image", "workload", "namespace", "router", "container", "service", "kubernetes_conn_id",
        "notify", "message",
    )  # fmt: skip

    def __init__(
        self,
        *,
        app: str,
        image: Any,
        workload: str,
        namespace: str,
        router: Mapping[str, Any],
        container: str | None = None,
        service: str | None = None,
        kubernetes_conn_id: str = "kubernetes_default",
        notify: Mapping[str, Any] | None = None,
        message: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not templated(app):
            check_app(app)
        if not templated(workload) and not templated(namespace):
            WorkloadRef.parse(workload, namespace=namespace)
        if not templated(router):
            check_router(router)
        self.app = app
        self.image = image
        self.workload = workload
        self.namespace = namespace
        self.router = router
        self.container = container
        self.service = service
        self.kubernetes_conn_id = kubernetes_conn_id
        self.notify = notify
        self.message = message

    def execute(self, context: Context) -> Any:
        """Run :meth:`aexecute`; what is told to Airflow is told outside of its event loop, which Airflow insists on."""
        with airflow_errors(context):
            return super().execute(context)

    def target(self) -> Target:
        """Where the release goes, with every value rendered and checked."""
        target = Target(
            workload=self.workload,
            namespace=self.namespace,
            router=dict(check_router(self.router)),
            container=self.container or None,
            service=self.service or None,
            kubernetes_conn_id=self.kubernetes_conn_id,
        )
        WorkloadRef.parse(self.workload, namespace=self.namespace)
        return target

    def thread(self) -> Mapping[str, str] | None:
        """Where the release's message is; None when nobody was told."""
        message = json_object(self.message)
        return message.get("thread") if isinstance(message, Mapping) else None

    def delivery(self, context: Context) -> str:
        """Name this delivery: one app's way to one workload within one Dag run."""
        run = context["dag_run"]
        group = f"{check_app(self.app)} {self.target().ref}"
        return delivery_id(dag_id=run.dag_id, run_id=run.run_id, group=group)

    def release(self, context: Context) -> Release:
        """Which release this is, the same in each task."""
        found, run = Verified.parse(self.image), context["dag_run"]
        asked = run.run_after or run.start_date
        return Release(
            app=check_app(self.app),
            image=found.image,
            digests=found.digests,
            tag=found.tag,
            delivery=self.delivery(context),
            asked_at=asked.timestamp() if asked else 0.0,
            dag_id=run.dag_id,
            run_id=run.run_id,
            asked_by=getattr(run, "triggering_user_name", None),
            url=run_url(run.dag_id, run.run_id),
            source_commit=found.source_commit,
        )


def run_url(dag_id: str, run_id: str) -> str:
    """Give the run's page in the Airflow UI."""
    from urllib.parse import quote

    base = conf.get("api", "base_url", fallback="").rstrip("/")
    return f"{base}/dags/{quote(dag_id)}/runs/{quote(run_id)}"


def send(
    notify: Mapping[str, Any], message: ReleaseMessage, *, thread: Mapping[str, str] | None
) -> dict[str, str] | None:
    """
    Tell people; whoever cannot be told changes nothing about the release.

    :param thread: where the message is already; None posts it.
    :returns: where it is now; None when it could not be sent.
    """
    from cd_provider.adapters.notifiers import open_notifier

    async def told() -> dict[str, str]:
        async with open_notifier(notify) as notifier:
            return dict(await notifier.send(message, thread=thread))

    try:
        return asyncio.run(told())
    except Exception as err:
        log.warning("people could not be told: %s: %s", type(err).__name__, err)
        return None
