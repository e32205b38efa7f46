"""A person says yes, through Airflow's own human-in-the-loop page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator

from cd_provider.core.approval import approval, approval_arguments, release_question
from cd_provider.core.traffic import templated
from cd_provider.core.units import from_json, seconds
from cd_provider.exceptions import ArgumentError, NotApprovedError
from cd_provider.operators.common import airflow_errors

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["ReleaseApprovalOperator", "approval", "approval_arguments", "release_question"]

SHOWN = ("subject", "body", "assigned_users")
OURS = (
    "defaults", "execution_timeout", "fail_on_reject", "ignore_downstream_trigger_rules", "multiple",
    "options", "response_timeout",
)  # fmt: skip


class ReleaseApprovalOperator(ApprovalOperator):
    """
    Hold a release until a person approves it.

    Waits without a worker, on the *Required Actions* page. Green only when a person approved: a reject,
    silence until the time-out (which Airflow sees up to 15 s late), and a cleared task whose text has changed
    since (Airflow would show the old one) are red and not retried. Gives ``{"approved": True, "by": name,
    "at": ISO 8601}``.

    A reply in the very second in which the task begins to wait can make Airflow fail the attempt, so at least
    one retry is always allowed: the question is then asked again.

    :param subject: (templated) the question.
    :param body: (templated) Markdown below it; :func:`release_question` makes both.
    :param timeout_s: (templated) seconds (or a text such as ``"4h"``) to wait for a person.
    :param assigned_users: (templated) who may answer: ids of Airflow's auth manager, or ``{"id", "name"}``;
        an administrator who is not among them may not. Nobody named: all who may.
    :param four_eyes: the person who triggered the run may not approve it; their *no* counts.
    """

    template_fields: Sequence[str] = ("subject", "body", "timeout_s", "assigned_users")

    def __init__(
        self,
        *,
        subject: str,
        timeout_s: float | str,
        body: str | None = None,
        assigned_users: Sequence[str | Mapping[str, str]] | str | Mapping[str, str] | None = None,
        four_eyes: bool = False,
        **kwargs: Any,
    ) -> None:
        if taken := sorted(set(kwargs) & set(OURS)):
            raise ArgumentError(
                f"approval: {taken[0]} cannot be set, expected timeout_s for how long to wait."
            )
        # Named one by one, so that no default_args of a Dag can slip in an answer of its own.
        super().__init__(
            subject=subject,
            body=body,
            defaults=None,
            fail_on_reject=True,
            ignore_downstream_trigger_rules=False,
            response_timeout=timedelta(days=1) if templated(timeout_s) else wait(timeout_s),
            assigned_users=None,
            **kwargs,
        )
        if not templated(assigned_users):
            users(assigned_users)
        self.timeout_s = timeout_s
        self.assigned_users = assigned_users  # type: ignore[assignment]  # read once it is rendered
        self.four_eyes = four_eyes
        if not self.retries:
            self.retries, self.retry_delay = 1, timedelta(seconds=5)

    def execute(self, context: Context) -> Any:
        """Ask, and wait without a worker."""
        with airflow_errors(context):
            self.response_timeout = wait(self.timeout_s)
            self.assigned_users = users(self.assigned_users)  # type: ignore[assignment]
            self._check_text(context)
        return super().execute(context)

    def _check_text(self, context: Context) -> None:
        """Refuse to ask with an old text: Airflow keeps the one that an earlier attempt has shown."""
        from airflow.sdk.api.datamodels._generated import HITLUser
        from airflow.sdk.execution_time.comms import CreateHITLDetailPayload
        from airflow.sdk.execution_time.task_runner import SUPERVISOR_COMMS

        payload = CreateHITLDetailPayload(
            ti_id=context["task_instance"].id,
            subject=self.subject,
            body=self.body,
            options=self.options,
            multiple=False,
            params=self.serialized_params,
            assigned_users=[HITLUser(**user) for user in self.assigned_users or []],
        )
        kept = SUPERVISOR_COMMS.send(msg=payload)
        if changed := [
            name for name in SHOWN if (getattr(kept, name) or None) != (getattr(payload, name) or None)
        ]:
            raise NotApprovedError(
                f"{self.subject!r} was asked before in this run with another {' and '.join(changed)}, and "
                "Airflow would show that old question. Nothing was approved; trigger a new run."
            )

    def execute_complete(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        """Take the answer; everything but a person's yes is a no."""
        with airflow_errors(context):
            return self._take(context, event)

    def _take(self, context: Context, event: dict[str, Any]) -> dict[str, Any]:
        if event.get("error_type") == "timeout":
            raise NotApprovedError(
                f"{self.subject!r}: nobody answered within {self.timeout_s} s; not approved."
            )
        if "error" in event:
            raise NotApprovedError(f"{self.subject!r}: no usable answer ({event['error']}); not approved.")
        person = event["responded_by_user"] or {}
        name = person.get("name") or person.get("id")
        if not name:
            raise NotApprovedError(f"{self.subject!r} was answered by nobody; not approved.")
        if event["chosen_options"] != [self.APPROVE]:
            raise NotApprovedError(f"{self.subject!r} was rejected by {name}.")
        self._check_four_eyes(context, person)
        super().execute_complete(context, event)
        return {"approved": True, "by": name, "at": event["responded_at"].isoformat()}

    def _check_four_eyes(self, context: Context, person: Mapping[str, Any]) -> None:
        run = context["dag_run"]
        asked_by = run.triggering_user_name
        if not self.four_eyes or (asked_by is None and run.run_type != "manual"):
            return
        if asked_by is None:
            raise NotApprovedError(
                f"{self.subject!r}: it is not known who asked, so that four eyes prove nothing."
            )
        if asked_by in (person.get("id"), person.get("name")):
            raise NotApprovedError(
                f"{self.subject!r}: {asked_by} asked for it, and may not approve it (four_eyes)."
            )


def wait(timeout_s: Any) -> timedelta:
    """Read the time-out."""
    return timedelta(seconds=seconds(timeout_s, name="approval, timeout_s", least=1))


def users(value: Any) -> list[dict[str, str]] | None:
    """
    Read who may answer; None for all.

    :raises ArgumentError: somebody without an id, which a template that renders empty would make of a
        restriction.
    """
    if isinstance(value, str) and value.lstrip().startswith("["):
        value = from_json(value, name="approval, assigned_users")
    given = [value] if isinstance(value, str | Mapping) else value or []
    found = [{"id": one, "name": one} if isinstance(one, str) else dict(one) for one in given]
    for one in found:
        if set(one) != {"id", "name"} or not all(
            isinstance(text, str) and text.strip() for text in one.values()
        ):
            raise ArgumentError(
                f"approval, assigned_users: saw {one!r}, expected an id, or a mapping of id and name."
            )
    return found or None
