"""A Deployment as the stable side: read, and given new images; all else of the user's stays untouched."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cd_provider.core.deployment import applied, workload_state
from cd_provider.core.names import PREFIX
from cd_provider.core.workload import WorkloadRef, WorkloadState

if TYPE_CHECKING:
    from cd_provider.hooks.cluster_client import ClusterClient


class DeploymentWorkload:
    """
    A door ``Workload``.

    Written by server-side apply under our own field manager: images and our annotations, never replicas (an
    autoscaler may own them), strategy, paused or minReadySeconds.
    """

    def __init__(self, client: ClusterClient, ref: WorkloadRef) -> None:
        self._client = client
        self._path = f"/apis/apps/v1/namespaces/{ref.namespace}/deployments/{ref.name}"

    async def state(self) -> WorkloadState:
        """Read it now."""
        return workload_state(await self._client.get(self._path))

    async def apply(self, *, images: Mapping[str, str], annotations: Mapping[str, str | None]) -> int:
        """
        Set images and annotations in one write; the same call again changes nothing.

        :param annotations: under our prefix; None removes one.
        :returns: the generation to wait for.
        :raises ArgumentError: the pod template has no such container.
        """
        body = applied(await self._client.get(self._path), images=images, annotations=annotations)
        after = await self._client.patch(self._path, body, how="apply")
        # somebody who took our annotations over (an exported manifest, applied again) keeps them alive
        notes = after["metadata"].get("annotations") or {}
        if left := {key: None for key, text in annotations.items() if text is None and key in notes}:
            after = await self._client.patch(self._path, {"metadata": {"annotations": left}}, how="merge")
        generation: int = after["metadata"]["generation"]
        return generation

    async def remove(self) -> None:
        """Take our annotations away; the images stay as they are."""
        raw: Mapping[str, Any] = await self._client.get(self._path)
        ours = [key for key in raw["metadata"].get("annotations") or {} if key.startswith(PREFIX)]
        if ours:
            await self.apply(images={}, annotations=dict.fromkeys(ours))
