"""
The lock of one workload: a Lease object of the cluster, so that it ends with its holder, whatever happens.

Every change names the version that was read (``resourceVersion``), so of two that race exactly one wins.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cd_provider.core.names import DELIVERY, INSTANCE, LEASE_S, lease_name
from cd_provider.core.workload import WorkloadRef
from cd_provider.exceptions import (
    CdProviderError,
    ClusterConflictError,
    ClusterNotFoundError,
    LeaseLostError,
    ReleaseBusyError,
)

if TYPE_CHECKING:
    from cd_provider.hooks.cluster_client import ClusterClient

log = logging.getLogger(__name__)

RENEW_S = 20.0
RETRY_S = 2.0  # a renewal that failed is tried again after this long
_RACES = 10  # how often one call reads again because somebody else was quicker


@dataclass(frozen=True)
class LeaseState:
    """One reading of the lock; times in epoch seconds, by the holder's clock."""

    delivery: str
    attempt: int
    instance: str
    about: str  # for people: which Dag, run, task
    acquired_at: float
    renewed_at: float
    duration_s: float
    raw: Mapping[str, Any]

    @classmethod
    def of(cls, raw: Mapping[str, Any]) -> LeaseState:
        """Read a Lease as the API server gives it; a holder of another form than ours is kept as it is."""
        spec, notes = raw.get("spec") or {}, raw["metadata"].get("annotations") or {}
        delivery, _, attempt = str(spec.get("holderIdentity") or "").rpartition("#")
        if not delivery or not attempt.isdigit():
            delivery, attempt = str(spec.get("holderIdentity") or ""), "0"
        return cls(
            delivery=delivery,
            attempt=int(attempt),
            instance=notes.get(INSTANCE, ""),
            about=notes.get(DELIVERY, ""),
            acquired_at=_epoch(spec.get("acquireTime")),
            renewed_at=_epoch(spec.get("renewTime")),
            duration_s=float(spec.get("leaseDurationSeconds") or LEASE_S),
            raw=raw,
        )

    @property
    def holder(self) -> str:
        """Who holds it, as people are told."""
        return str((self.raw.get("spec") or {}).get("holderIdentity") or "")

    @property
    def ends_at(self) -> float:
        """When it runs out unless it is renewed."""
        return self.renewed_at + self.duration_s

    def live(self, now: float) -> bool:
        """Tell whether somebody holds it."""
        return bool(self.holder) and now < self.ends_at


class Lease:
    """
    The lock as one attempt of one delivery sees it.

    :param delivery: the delivery's id; each of its tasks and attempts uses the same.
    :param attempt: a higher attempt of the same delivery takes over from a lower one at once.
    :param instance: another text in each process, so that two runs of one attempt do not both write.
    :param clock: the wall clock, epoch seconds. The clocks of machines that deliver must agree within some
        seconds: that a lease has run out is told by its holder's stamp and the reader's clock.
    :param about: for people: which Dag, run, task, address.
    """

    def __init__(
        self,
        client: ClusterClient,
        ref: WorkloadRef,
        *,
        delivery: str,
        attempt: int,
        instance: str,
        clock: Callable[[], float],
        about: str = "",
    ) -> None:
        self.client, self.ref, self.delivery, self.attempt = client, ref, delivery, attempt
        self.instance, self.clock, self.about = instance, clock, about
        self.lost = asyncio.Event()
        self._lost_to = ""

    @staticmethod
    async def read(client: ClusterClient, ref: WorkloadRef) -> LeaseState | None:
        """Read the lock of a workload; None when there is none."""
        try:
            return LeaseState.of(await client.get(_path(ref, lease_name(ref.kind, ref.name))))
        except ClusterNotFoundError:
            return None

    async def acquire(self) -> str | None:
        """
        Take the lock; what this very instance holds already is renewed.

        :returns: the holder whose lease had run out, so that its candidate can be cleaned up; None when the
            lock was free, or came from this delivery.
        :raises ReleaseBusyError: another delivery holds it, or a higher attempt of this one.
        """
        for _ in range(_RACES):
            with suppress(ClusterConflictError):
                before = await self.read(self.client, self.ref)
                found = await self._take(before)
                self.lost.clear()
                return found
        raise ClusterConflictError(f"the lock of {self.ref} changed {_RACES} times while it was to be taken.")

    async def check(self) -> None:
        """
        Make sure that the lock is ours; renew it when more than half of it has gone by.

        :raises LeaseLostError: it is not.
        """
        if self.lost.is_set():
            raise LeaseLostError(self._lost_to)
        state = await self._ours()
        if self.clock() > state.renewed_at + state.duration_s / 2:
            await self.renew()

    async def renew(self) -> None:
        """Begin the lease's time anew; errors as :meth:`check`."""
        for _ in range(_RACES):
            state = await self._ours()
            with suppress(ClusterConflictError):
                await self._write(
                    state.raw, state.acquired_at, int(state.raw["spec"].get("leaseTransitions") or 0)
                )
                return
        raise ClusterConflictError(
            f"the lock of {self.ref} changed {_RACES} times while it was to be renewed."
        )

    @asynccontextmanager
    async def keep(self, every_s: float = RENEW_S) -> AsyncIterator[None]:
        """
        Renew every ``every_s`` seconds while the context is open; :attr:`lost` is set once it is not ours.

        A renewal that fails is tried again until it succeeds; an API server that is away takes no lock away.
        """
        renewing = asyncio.create_task(self._renew_for_ever(every_s), name=f"lease of {self.ref}")
        try:
            yield
        finally:
            renewing.cancel()
            with suppress(asyncio.CancelledError):
                await renewing

    async def release(self) -> None:
        """Free the lock if it is ours; else, and the second time, do nothing."""
        for _ in range(_RACES):
            with suppress(ClusterConflictError):
                state = await self.read(self.client, self.ref)
                if state is None or not self._is_ours(state):
                    return
                meta = state.raw["metadata"]
                exactly = {"uid": meta["uid"], "resourceVersion": meta["resourceVersion"]}
                with suppress(ClusterNotFoundError):
                    await self.client.delete(self._path, {"preconditions": exactly})
                return
        raise ClusterConflictError(f"the lock of {self.ref} changed {_RACES} times while it was to be freed.")

    async def _take(self, before: LeaseState | None) -> str | None:
        now = self.clock()
        if before is None:
            await self._write(None, now, 0)
            return None
        if self._is_ours(before):
            await self._write(before.raw, before.acquired_at, _transitions(before))
            return None
        same = before.delivery == self.delivery
        if before.live(now) and not (same and before.attempt <= self.attempt):
            raise ReleaseBusyError(_busy(self.ref, before))
        await self._write(before.raw, now, _transitions(before) + 1)
        return None if same and before.attempt <= self.attempt else before.holder or None

    async def _write(self, before: Mapping[str, Any] | None, acquired_at: float, transitions: int) -> None:
        meta: dict[str, Any] = {"name": self._name, "namespace": self.ref.namespace}
        meta |= before["metadata"] if before else {}
        notes = {**(meta.get("annotations") or {}), INSTANCE: self.instance, DELIVERY: self.about}
        body = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {**meta, "annotations": notes},
            "spec": {
                "holderIdentity": f"{self.delivery}#{self.attempt}",
                "leaseDurationSeconds": LEASE_S,
                "acquireTime": _micro_time(acquired_at),
                "renewTime": _micro_time(self.clock()),
                "leaseTransitions": transitions,
            },
        }
        if before is None:
            await self.client.create(_path(self.ref), body)
        else:
            await self.client.replace(self._path, body)

    async def _ours(self) -> LeaseState:
        """Read the lock; once it is found not to be ours, that is final until :meth:`acquire`."""
        state = await self.read(self.client, self.ref)
        if state is not None and self._is_ours(state):
            return state
        now_held = f"held by {_who(state)} since {_clock_text(state.acquired_at)}" if state else "gone"
        self._lost_to = (
            f"the lock of {self.ref} is no longer ours ({self.delivery}#{self.attempt}): it is {now_held}. "
            "Nothing more is written by this attempt."
        )
        self.lost.set()
        raise LeaseLostError(self._lost_to)

    def _is_ours(self, state: LeaseState) -> bool:
        ours = (self.delivery, self.attempt, self.instance)
        return (state.delivery, state.attempt, state.instance) == ours

    async def _renew_for_ever(self, every_s: float) -> None:
        wait_s = every_s
        while True:
            await asyncio.sleep(wait_s)
            try:
                await self.renew()
                wait_s = every_s
            except LeaseLostError as err:
                log.warning("%s", err)
                return
            except CdProviderError as err:
                wait_s = min(RETRY_S, every_s)
                log.warning("the lock of %s could not be renewed; trying again: %s", self.ref, err)

    @property
    def _name(self) -> str:
        return lease_name(self.ref.kind, self.ref.name)

    @property
    def _path(self) -> str:
        return _path(self.ref, self._name)


def _path(ref: WorkloadRef, name: str = "") -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{ref.namespace}/leases{'/' if name else ''}{name}"


def _transitions(state: LeaseState) -> int:
    return int((state.raw.get("spec") or {}).get("leaseTransitions") or 0)


def _busy(ref: WorkloadRef, state: LeaseState) -> str:
    return (
        f"{ref} is busy: {_who(state)} holds its lock since {_clock_text(state.acquired_at)}, until "
        f"{_clock_text(state.ends_at)} unless it goes on. Nothing was touched; wait for it, or stop it."
    )


def _who(state: LeaseState) -> str:
    return f"delivery {state.holder or 'nobody'}" + (f" ({state.about})" if state.about else "")


def _micro_time(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _epoch(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0


def _clock_text(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
