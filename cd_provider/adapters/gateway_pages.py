"""Finds a gateway's pods, whose pages hold what its users saw."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cd_provider.core.judge.sides import PORT, Page
from cd_provider.exceptions import (
    ClusterForbiddenError,
    MetricQueryError,
    MetricsRefusedError,
    MetricsUnavailableError,
    TransientError,
)

if TYPE_CHECKING:
    from cd_provider.core.judge.gateways import Gateways
    from cd_provider.core.judge.presets import Preset
    from cd_provider.hooks.cluster_client import ClusterClient

FRESH_S = 10.0  # gateways come and go seldom; one that is gone shows at once, by its page


class GatewayPages:
    """
    The pages of the gateway's running pods, looked up again every ten seconds.

    :param client: of the cluster; it needs ``list pods`` in the gateway's namespace.
    """

    def __init__(self, client: ClusterClient, gateways: Gateways, preset: Preset) -> None:
        self.client, self.gateways, self.preset = client, gateways, preset
        self._known: tuple[Page, ...] = ()
        self._asked = -FRESH_S

    async def find(self) -> tuple[Page, ...]:
        """
        Give them, by name; through an outage those that were there before.

        :raises MetricQueryError: no pod runs there. :raises MetricsRefusedError: RBAC refuses.
        :raises MetricsUnavailableError: the API server does not answer, and none is known yet.
        """
        if time.monotonic() - self._asked >= FRESH_S:
            try:
                self._known = await self._list()
                self._asked = time.monotonic()
            except TransientError as err:
                if not self._known:
                    raise MetricsUnavailableError(f"gateway {self.gateways}: {err}") from err
        return self._known

    def gone(self) -> None:
        """Look them up again at the next read: one of them is not there any more."""
        self._asked = -FRESH_S

    async def _list(self) -> tuple[Page, ...]:
        where, port = self.gateways, self.preset.port or PORT
        try:
            answer = await self.client.get(
                f"/api/v1/namespaces/{where.namespace}/pods", labelSelector=where.selector
            )
        except ClusterForbiddenError as err:
            raise MetricsRefusedError(
                f"gateway {where}: finding its pods needs the RBAC verb list on pods in namespace {where.namespace}; "
                f"grant it, or read from Prometheus. {err}"
            ) from err
        names = sorted(
            pod["metadata"]["name"]
            for pod in answer["items"]
            if pod.get("status", {}).get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]
        )
        if not names:
            raise MetricQueryError(
                f"gateway {where}: no pod with these labels runs in namespace {where.namespace}; name where the "
                "gateway's pods are."
            )
        return tuple(Page(where.namespace, name, port, self.preset.page) for name in names)
