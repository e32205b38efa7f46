"""The way back as a task of its own: it runs whatever happened before it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from airflow.sdk.exceptions import AirflowSkipException

from cd_provider.core.names import ATTEMPT, RECORD
from cd_provider.core.release import Record
from cd_provider.core.units import seconds
from cd_provider.exceptions import LeaseLostError
from cd_provider.operators.common import ReleaseOperator

if TYPE_CHECKING:
    from airflow.sdk import Context

    from cd_provider.triggers.session import Session


_TRIES = 3


class ReleaseAbortOperator(ReleaseOperator):
    """
    Take back what an unfinished delivery left: traffic to stable, stable's own image, the candidate removed.

    It reads the cluster, and skips itself when nothing is left to do, so that a good release shows no "abort".
    It never touches another delivery's candidate. Put it before ``ReleaseOutcomeOperator`` as a teardown.

    :param drain_s: (templated) seconds for requests under way before the candidate's pods end.

    Returns ``{"line", "off_at"}``; ``off_at`` is when weight 0 was confirmed, epoch seconds.
    """

    template_fields: Sequence[str] = (*ReleaseOperator.template_fields, "drain_s")
    ui_color = "#f8d7da"

    def __init__(self, *, drain_s: Any = 5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.drain_s = drain_s

    async def aexecute(self, context: Context) -> dict[str, Any]:
        """Look, and take back what is ours."""
        from cd_provider.triggers.session import open_session

        drain_s = seconds(self.drain_s, name="drain_s")
        delivery, attempt = self.delivery(context), context["ti"].try_number
        async with open_session(self.target(), app=self.app, delivery=delivery, attempt=attempt) as session:
            for _ in range(_TRIES):
                with suppress(
                    LeaseLostError
                ):  # to this delivery's own trigger, which was stopped and takes back too
                    return await self._take_back(session, delivery, drain_s)
            return await self._take_back(session, delivery, drain_s)

    async def _take_back(self, session: Session, delivery: str, drain_s: float) -> dict[str, Any]:
        from cd_provider.triggers.cleanup import leftovers, sweep, take_back

        holder = await leftovers(session)
        if holder is None or (holder != delivery and not await _free(session, delivery)):
            await release_if_ours(session, delivery)
            raise AirflowSkipException(
                "nothing is left to take back"
                if holder is None
                else f"what is there belongs to delivery {holder}"
            )
        await take_over(session)
        record = Record.read((await session.stable.state()).annotations.get(RECORD))
        if record and record.state == "promoted" and record.release.get("delivery") == delivery:
            await sweep(session, drain_s=drain_s)
            return {"line": "promoted; only the candidate was left to remove", "off_at": None}
        off_at = await take_back(session, drain_s=drain_s)
        self.log.info("the candidate is off traffic and removed")
        return {"line": "the candidate is off traffic and removed", "off_at": off_at}


async def take_over(session: Session) -> None:
    """Hold the lock as the attempt whose candidate is there: a trigger of that attempt stops writing."""
    from cd_provider.adapters.lease import Lease

    candidate = await session.candidate.state()
    notes = candidate.annotations if candidate else {}
    held = await Lease.read(session.client, session.ref)
    attempts = [
        int(notes.get(ATTEMPT) or 0),
        held.attempt if held and held.delivery == session.lease.delivery else 0,
    ]
    session.lease.attempt = max([session.lease.attempt, *attempts])
    await session.lease.acquire()


async def _free(session: Session, delivery: str) -> bool:
    """Say whether leftovers without an owner's name may be ours to clean: nobody else holds the lock."""
    from cd_provider.adapters.lease import Lease

    held = await Lease.read(session.client, session.ref)
    return held is not None and held.delivery == delivery


async def release_if_ours(session: Session, delivery: str) -> None:
    """Free the lock when this delivery holds it and has nothing left to do."""
    from cd_provider.adapters.lease import Lease

    held = await Lease.read(session.client, session.ref)
    if held is not None and held.delivery == delivery:
        await take_over(session)
        await session.lease.release()
