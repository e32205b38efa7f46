"""Tell people about a release from a callback of any Dag."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseNotifier, conf

from cd_provider.adapters.notifiers import check_notify, open_notifier, slack
from cd_provider.core.message import Outcome, ReleaseMessage
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from airflow.sdk import Context

RUNNING = (
    "running",
    "deferred",
    "queued",
    "scheduled",
    "up_for_retry",
    "up_for_reschedule",
    "awaiting_input",
)
BY_STATE = {
    **dict.fromkeys(RUNNING, Outcome.RUNNING),
    "success": Outcome.PROMOTED,
    "failed": Outcome.ABORTED,
}


class ReleaseNotifier(BaseNotifier):
    """
    Send one message about a release: ``on_failure_callback=ReleaseNotifier(app="shop", line="…")``.

    A message that cannot be sent is logged and never fails what it tells about. ``canary_delivery`` needs
    none of this: it keeps one message of its own up to date.

    :param app: what is released (templated).
    :param line: the one sentence that matters (templated).
    :param image: which image (templated); empty: none is shown.
    :param outcome: running, promoted, aborted, inconclusive or refused (templated). None: from the task's
        state, or the run's in a Dag's callback: success is promoted, failed is aborted.
    :param notify: what ``slack(…)`` gives (templated); None: ``slack(channel, slack_conn_id=slack_conn_id)``.
    """

    template_fields: Sequence[str] = ("app", "line", "image", "outcome", "to")

    def __init__(
        self,
        *,
        app: str,
        line: str,
        image: str = "",
        outcome: str | None = None,
        notify: Mapping[str, Any] | None = None,
        channel: str = "#releases",
        slack_conn_id: str = "slack_default",
        context: Any = None,
    ) -> None:
        super().__init__(context)
        self.app, self.line, self.image, self.outcome = app, line, image, outcome
        self.to = check_notify(notify if notify is not None else slack(channel, slack_conn_id=slack_conn_id))

    def __call__(self, *args: Any) -> None:
        """Render and send, for the callbacks of tasks and Dags; ``args``: the context."""
        try:
            mine = self._rendered(args[0])
            # Its own thread: where Airflow calls us, a loop may be running already.
            with ThreadPoolExecutor(1) as pool:
                pool.submit(asyncio.run, mine.async_notify(args[0])).result()
        except Exception as err:
            self._nobody_was_told(err)

    def __await__(self) -> Generator[Any, None, None]:
        """Render and send, for a deadline's callback in the triggerer."""
        return self._send(self.context).__await__()

    def notify(self, context: Context) -> None:
        """Send what is rendered already."""
        asyncio.run(self.async_notify(context))

    async def async_notify(self, context: Context) -> None:
        """Send what is rendered already."""
        async with open_notifier(self.to) as notifier:
            await notifier.send(self.message(context))

    def message(self, context: Mapping[str, Any]) -> ReleaseMessage:
        """Put together what is told; called on a rendered notifier."""
        dag_id, run_id, task_id = _where(context)
        facts = {"Dag": dag_id, "Run": run_id, "Task": task_id, "Error": str(context.get("exception") or "")}
        return ReleaseMessage(
            app=self.app,
            image=self.image,
            outcome=_outcome(self.outcome or BY_STATE.get(_state(context), Outcome.INCONCLUSIVE)),
            line=self.line,
            facts={name: text for name, text in facts.items() if text},
            url=_url(dag_id, run_id),
        )

    async def _send(self, context: Context) -> None:
        try:
            await self._rendered(context).async_notify(context)
        except Exception as err:
            self._nobody_was_told(err)

    def _rendered(self, context: Context) -> ReleaseNotifier:
        """Render a copy: Airflow renders in place, and one notifier may serve many tasks in one process."""
        mine = copy.copy(self)
        mine.render_template_fields(context)
        return mine

    def _nobody_was_told(self, err: Exception) -> None:
        self.log.warning("%s: nobody was told: %s: %s", type(self).__name__, type(err).__name__, err)


def _outcome(text: str) -> Outcome:
    try:
        return Outcome(text)
    except ValueError as err:
        raise ArgumentError(f"outcome: saw {text!r}, expected one of {', '.join(Outcome)}.") from err


def _state(context: Mapping[str, Any]) -> str:
    """Give the state of what is told about: of the run in a Dag's callback, which alone has a reason."""
    if "reason" in context:
        return "success" if context["reason"] == "success" else "failed"
    state = _get(context.get("ti"), "state") or _get(context.get("dag_run"), "state")
    return str(getattr(state, "value", state))


def _where(context: Mapping[str, Any]) -> tuple[str, str, str]:
    """Give ids of Dag, run and task; "" where the context has none."""
    ti, run = context.get("ti"), context.get("dag_run")
    dag_id = _get(ti, "dag_id") or _get(run, "dag_id") or _get(context.get("dag"), "dag_id")
    run_id = _get(ti, "run_id") or _get(run, "run_id") or _get(run, "dag_run_id") or context.get("run_id")
    task_id = "" if "reason" in context else _get(ti, "task_id")
    return str(dag_id or ""), str(run_id or ""), str(task_id or "")


def _get(thing: Any, name: str) -> Any:
    """Read a field of an object, or of the plain JSON that a deadline's callback is given."""
    return thing.get(name) if isinstance(thing, Mapping) else getattr(thing, name, None)


def _url(dag_id: str, run_id: str) -> str | None:
    base = conf.get("api", "base_url", fallback="") or ""
    return f"{base.rstrip('/')}/dags/{dag_id}/runs/{quote(run_id)}" if base and dag_id and run_id else None
