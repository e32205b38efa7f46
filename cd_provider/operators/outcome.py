"""The end of a delivery: it alone decides the colour of the run."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowFailException

from cd_provider.core.message import Outcome, ReleaseMessage
from cd_provider.core.names import RECORD
from cd_provider.core.release import Record, Release
from cd_provider.core.story import short_image, tell
from cd_provider.exceptions import (
    ArgumentError,
    CdProviderError,
    ClusterForbiddenError,
    NotPromotedError,
    TransientError,
)
from cd_provider.operators.abort import release_if_ours
from cd_provider.operators.common import ReleaseOperator, run_url, send, tries_left

if TYPE_CHECKING:
    from airflow.sdk import Context

    from cd_provider.triggers.session import Session

WAIT_S = 30.0
_BY_KIND = {"FAIL": Outcome.ABORTED, "ABORTED": Outcome.ABORTED, "INCONCLUSIVE": Outcome.INCONCLUSIVE}


@dataclass(frozen=True)
class Ending:
    """How a delivery ended, and the sentence that says why."""

    outcome: Outcome
    line: str


class ReleaseOutcomeOperator(ReleaseOperator):
    """
    Fail unless the asked digest was promoted and runs; tell people; free the lock.

    Make it a teardown with ``on_failure_fail_dagrun=True`` behind everything else: a rejected approval, a skipped
    or a hand-marked task then cannot end green. It reads the cluster, not the task states; those only say why.

    :param asked: (templated) the image as it was asked for, for the message when it was never verified.
    :param smoke_task: id of the task that tried the image out in Docker; what it left after a kill is removed.
    :param docker_conn_id: (templated) the Docker engine that it used.
    """

    template_fields: Sequence[str] = (*ReleaseOperator.template_fields, "asked", "docker_conn_id")
    ui_color = "#cfe2ff"

    def __init__(
        self,
        *,
        asked: str | None = None,
        smoke_task: str | None = None,
        docker_conn_id: str = "docker_engine_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.asked = asked
        self.smoke_task = smoke_task
        self.docker_conn_id = docker_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, free the lock, tell, and say it by the task's state."""
        try:
            promoted: str | None = super().execute(context)
            ending = Ending(Outcome.PROMOTED, promoted) if promoted else why(context, self.task_group)
        except (CdProviderError, AirflowFailException) as err:  # no promotion, whatever the tasks say
            if isinstance(err, TransientError | ClusterForbiddenError) and tries_left(context):
                raise
            told = why(context, self.task_group)
            ending = replace(told, line=f"{told.line} ({err})")
        context["ti"].xcom_push(key="outcome", value={"outcome": ending.outcome.value, "line": ending.line})
        if self.notify:
            send(self.notify, self._message(context, ending), thread=self.thread())
        if ending.outcome is not Outcome.PROMOTED:
            error = NotPromotedError(f"{ending.outcome.value}: {ending.line}")
            raise AirflowFailException(str(error)) from error
        self.log.info("promoted: %s", ending.line)
        return {"outcome": ending.outcome.value, "line": ending.line}

    async def aexecute(self, context: Context) -> str | None:
        """Read the cluster: say which pods run the asked digest; None when the release was not promoted."""
        from cd_provider.triggers.session import open_session

        delivery, attempt = self.delivery(context), context["ti"].try_number
        await self._clean_engine(context)
        async with open_session(self.target(), app=self.app, delivery=delivery, attempt=attempt) as session:
            promoted = await self._promoted(session, delivery)
            await release_if_ours(session, delivery)
        return promoted

    async def _promoted(self, session: Session, delivery: str) -> str | None:
        """Say which pods run the asked digest; None when they do not, or when another release is there."""
        until = asyncio.get_running_loop().time() + WAIT_S
        while True:
            state = await session.stable.state()
            record = Record.read(state.annotations.get(RECORD))
            if record is None or record.state != "promoted" or record.release.get("delivery") != delivery:
                return None
            asked = set(record.release.get("digests", ()))
            pods = [pod for pod in await session.pods.states() if pod.side is None and not pod.deleting]
            ready = [pod for pod in pods if pod.ready]
            if len(ready) >= state.wanted and all(pod.digests & asked for pod in ready):
                image = short_image(Release.from_dict(record.release))
                return f"{len(ready)} of {state.wanted} pods are ready and run {image}{record.remark}"
            if asyncio.get_running_loop().time() >= until:
                return None
            await session.pods.wait(1.0)

    def _message(self, context: Context, ending: Ending) -> ReleaseMessage:
        run = context["dag_run"]
        try:
            release = self.release(context)
        except ArgumentError:  # it was never verified: there is only the text that was asked for
            release = Release(
                self.app, str(self.asked or self.image), (), None, self.delivery(context), 0.0, run.dag_id, run.run_id,
                getattr(run, "triggering_user_name", None), run_url(run.dag_id, run.run_id),
            )  # fmt: skip
        return tell(release, self.target(), outcome=ending.outcome, line=ending.line)

    async def _clean_engine(self, context: Context) -> None:
        """Remove what a smoke run left whose worker was killed; an engine that is away changes no colour."""
        if self.smoke_task is None:
            return
        from cd_provider.adapters.smoke import remove_leftovers
        from cd_provider.hooks.docker import DockerEngineHook
        from cd_provider.operators.smoke import smoke_delivery

        label = smoke_delivery(context, task_id=self.smoke_task)
        try:
            with (await DockerEngineHook(self.docker_conn_id).settings()).open() as engine:
                await asyncio.to_thread(remove_leftovers, engine, label)
        except CdProviderError as err:
            self.log.warning("the Docker engine could not be cleaned: %s", err)


def why(context: Context, group: Any) -> Ending:
    """
    Say why nothing was promoted, from what the tasks left behind.

    The first that speaks wins: the canary's own result, then a task's fault, then bare states.
    """
    ti = context["ti"]
    states = _states(context, group)
    for task_id in states:
        if (result := ti.xcom_pull(task_ids=task_id, key="result")) and result.get("kind") in _BY_KIND:
            return Ending(_BY_KIND[result["kind"]], str(result["line"]))
    for task_id in states:
        if fault := ti.xcom_pull(task_ids=task_id, key="fault"):
            return Ending(Outcome.REFUSED, f"{task_id.rpartition('.')[2]}: {fault}")
    bad = [f"{task_id.rpartition('.')[2]} is {state}" for task_id, state in states.items() if state in _BAD]
    touched = any(
        task_id.endswith("canary") and state in ("success", "failed") for task_id, state in states.items()
    )
    return Ending(
        Outcome.ABORTED if touched else Outcome.REFUSED, ", ".join(bad) or "the release was not promoted"
    )


_BAD = ("failed", "skipped", "upstream_failed", "removed")


def _states(context: Context, group: Any) -> dict[str, str]:
    ti = context["ti"]
    found = ti.get_task_states(
        dag_id=ti.dag_id, run_ids=[ti.run_id], task_group_id=getattr(group, "group_id", None) or None
    )
    return {
        task_id: str(state) for task_id, state in found.get(ti.run_id, {}).items() if task_id != ti.task_id
    }
