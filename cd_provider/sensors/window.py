"""Wait until a release may begin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseSensorOperator, PokeReturnValue
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout
from airflow.sdk.timezone import utcnow

from cd_provider.core.traffic import templated
from cd_provider.core.window import Opening, ReleaseWindow
from cd_provider.exceptions import PermanentError

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReleaseWindowSensor(BaseSensorOperator):
    """
    Wait until a release window is open.

    It says in its log why it is closed and when it opens next, and gives ``{"open": True, "closes_at": …}``
    (ISO 8601 in UTC; None when that is more than a year away). A window may close again later: what changes
    the world looks once more right before it does.

    :param window: (templated) what ``window(…)`` gives, or the same as JSON text. One that cannot be read, or
        that never opens, counts as closed: the task fails and says why.
    :param timeout: seconds (or a timedelta) after which it gives up, red, whether deferred or not.
    :param deferrable: wait in the triggerer (the default), else in a worker, by the sensor's ``mode``. While
        it is deferred the window is as it was rendered; clear the task to have a changed calendar read at
        once.
    """

    template_fields: Sequence[str] = ("window",)

    def __init__(self, *, window: Mapping[str, Any] | str, deferrable: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if not templated(window):
            ReleaseWindow.parse(window)
        self.window = window
        self.deferrable = deferrable

    def look(self) -> Opening:
        """Look once; an unreadable window is a closed one."""
        try:
            opening = ReleaseWindow.parse(self.window).look(utcnow())
        except PermanentError as err:
            raise AirflowFailException(f"{err} The window counts as closed; nothing was released.") from err
        self.log.info("Release window: %s", opening.reason)
        return opening

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once, for Airflow's own ways of waiting in a worker."""
        opening = self.look()
        return PokeReturnValue(opening.open, told(opening) if opening.open else None)

    def execute(self, context: Context) -> Any:
        """Wait: deferred, or as sensors do."""
        return self.execute_complete(context) if self.deferrable else super().execute(context)

    def execute_complete(
        self, context: Context, event: Any = None, until: str | None = None
    ) -> dict[str, Any]:
        """Look (again): open, too late, or wait for the next opening."""
        from airflow.providers.standard.triggers.temporal import DateTimeTrigger

        from cd_provider.triggers.settled import SETTLED_S

        opening, ends = self.look(), datetime.fromisoformat(until) if until else utcnow() + self.limit
        if opening.opens_at is None:
            return told(opening)
        if ends <= utcnow():
            raise AirflowSensorTimeout(
                f"Waited {self.limit} for the release window, which is {opening.reason}."
            )
        self.defer(
            trigger=DateTimeTrigger(moment=max(opening.opens_at, utcnow() + timedelta(seconds=SETTLED_S))),
            method_name="execute_complete",
            kwargs={"until": ends.isoformat()},
            timeout=ends - utcnow(),
        )

    @property
    def limit(self) -> timedelta:
        """For how long it waits in all."""
        return timedelta(seconds=self.timeout)


def told(opening: Opening) -> dict[str, Any]:
    """Give what the next task may want to know of an open window."""
    return {"open": True, "closes_at": opening.closes_at.isoformat() if opening.closes_at else None}
