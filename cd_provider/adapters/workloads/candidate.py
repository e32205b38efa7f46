"""The candidate (or the baseline) beside a Deployment: a Deployment and a Service of its own, made from stable's."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cd_provider.core.deployment import workload_state
from cd_provider.core.names import CANDIDATE, side_name
from cd_provider.core.refuse import strangers
from cd_provider.core.template import candidate_deployment, candidate_service, under_judgement
from cd_provider.core.workload import WorkloadRef, WorkloadState
from cd_provider.exceptions import (
    ClusterConflictError,
    ClusterNotFoundError,
    ClusterRefusedError,
    TransientError,
)

if TYPE_CHECKING:
    from cd_provider.hooks.cluster_client import ClusterClient

_TRIES = 5
_POLL_S = 0.05
Json = Mapping[str, Any]


class DeploymentCandidate:
    """
    A door ``Candidate``.

    Both objects are ours alone, so they are created and replaced whole: what stable's template no longer has
    goes from the candidate too. They carry no owner reference: deleting stable must not delete what users may
    be on.

    :param service: stable's Service; None when the router needs none.
    :param side: ``candidate`` or ``baseline``. :param gone_s: how long ``remove`` waits for the objects to be gone.
    """

    def __init__(
        self,
        client: ClusterClient,
        ref: WorkloadRef,
        *,
        service: str | None,
        app: str,
        side: str = CANDIDATE,
        gone_s: float = 60.0,
    ) -> None:
        self._client, self._ref, self._service, self._app = client, ref, service, app
        self._side, self._gone_s = side, gone_s
        self._deployments = f"/apis/apps/v1/namespaces/{ref.namespace}/deployments"
        self._services = f"/api/v1/namespaces/{ref.namespace}/services"

    async def state(self) -> WorkloadState | None:
        """
        Read it now; None when there is none.

        :raises ClusterRefusedError: an object of this name is there and is not ours.
        """
        found = await self._find(f"{self._deployments}/{side_name(self._ref.name, self._side)}")
        return workload_state(found) if found else None

    async def apply(self, *, images: Mapping[str, str], replicas: int, annotations: Mapping[str, str]) -> int:
        """
        Make it or move it.

        :param images: container → image text; the others keep stable's.
        :returns: the generation to wait for.
        :raises ClusterRefusedError: an object of this name is there and is not ours.
        :raises ArgumentError: stable has no such container, or its selector cannot be told apart.
        """
        stable, service = await asyncio.gather(
            self._client.get(f"{self._deployments}/{self._ref.name}"), self._stable_service()
        )

        def deployment(live: Json) -> dict[str, Any]:
            notes = {**_annotations(live), **annotations}
            made = candidate_deployment(
                stable,
                service,
                app=self._app,
                images=images,
                replicas=replicas,
                annotations=notes,
                side=self._side,
            )
            return under_judgement(live, made) if live else made

        made = await self._put(self._deployments, side_name(self._ref.name, self._side), deployment)
        if service and self._service:
            wanted = candidate_service(
                service, app=self._app, selector=made["spec"]["selector"]["matchLabels"], side=self._side
            )
            name = side_name(self._service, self._side)
            await self._put(self._services, name, lambda live: _noted(wanted, _annotations(live)))
        generation: int = made["metadata"]["generation"]
        return generation

    async def remove(self) -> None:
        """
        Delete Deployment and Service, and wait until the Deployment is gone; its pods go at their own pace.

        :raises ClusterRefusedError: an object of such a name is there and is not ours; ours are gone by then.
        :raises TransientError: an object is still there after ``gone_s``.
        """
        paths = [f"{self._deployments}/{side_name(self._ref.name, self._side)}"]
        if self._service:
            paths.append(f"{self._services}/{side_name(self._service, self._side)}")
        outcomes = await asyncio.gather(*map(self._delete, paths), return_exceptions=True)
        if errors := [one for one in outcomes if isinstance(one, BaseException)]:
            raise errors[0]

    async def _stable_service(self) -> Json | None:
        return await self._client.get(f"{self._services}/{self._service}") if self._service else None

    async def _find(self, path: str) -> Json | None:
        try:
            found = await self._client.get(path)
        except ClusterNotFoundError:
            return None
        if refused := strangers([found], self._side):
            raise ClusterRefusedError(refused[0])
        return found

    async def _put(self, collection: str, name: str, make: Callable[[Json], dict[str, Any]]) -> Json:
        """Create what is not there, else replace just the object that was read, whatever its version."""
        for _ in range(_TRIES):
            live = await self._find(f"{collection}/{name}")
            body = make(live or {})
            try:
                if live is None:
                    return await self._client.create(collection, body)
                if "deletionTimestamp" in live["metadata"]:
                    await self._until_gone(f"{collection}/{name}")
                    continue
                body["metadata"]["uid"] = live["metadata"]["uid"]
                return await self._client.replace(f"{collection}/{name}", body)
            except (ClusterConflictError, ClusterNotFoundError):
                continue  # made or deleted by somebody else since it was read
        raise ClusterConflictError(
            f"{name} in {self._ref.namespace} is made and deleted by somebody else all the time."
        )

    async def _delete(self, path: str) -> None:
        found = await self._find(path)
        if found is None:
            return
        same = {"preconditions": {"uid": found["metadata"]["uid"]}}
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background", **same}
        with suppress(ClusterNotFoundError, ClusterConflictError):  # gone, or another object by now
            await self._client.delete(path, options)
        await self._until_gone(path, uid=found["metadata"]["uid"])

    async def _until_gone(self, path: str, *, uid: str | None = None) -> None:
        deadline = time.monotonic() + self._gone_s
        while found := await self._find(path):
            if uid and found["metadata"]["uid"] != uid:
                return
            if time.monotonic() > deadline:
                held = ", ".join(found["metadata"].get("finalizers") or []) or "no finalizer"
                raise TransientError(
                    f"{path} is still there {self._gone_s:g} s after it was deleted (held by {held})."
                )
            await asyncio.sleep(_POLL_S)


def _annotations(live: Json) -> Mapping[str, str]:
    return live["metadata"].get("annotations") or {} if live else {}


def _noted(body: Mapping[str, Any], notes: Mapping[str, str]) -> dict[str, Any]:
    """Keep what others noted on an object of ours (a cloud's load balancer, for one)."""
    meta = {**body["metadata"], "annotations": {**notes, **body["metadata"]["annotations"]}}
    return {**body, "metadata": meta}
