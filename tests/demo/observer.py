"""An observer beside a delivery: what the route and the pods say, read as admin, ten times a second."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cd_provider.core.names import SIDE
from cd_provider.exceptions import CdProviderError

EVERY_S = 0.1


@dataclass(frozen=True)
class Sample:
    """
    One look.

    :param at: epoch seconds, when the answers were there. :param weight: the candidate's, in percent.
    :param stable: uid of each of stable's pods → how often its containers were restarted.
    """

    at: float
    weight: int
    stable: Mapping[str, int]


class Observer:
    """
    Look until the end of the ``with`` block; ``samples`` grows meanwhile.

    :param kubeconfig: of an account that may read routes and pods.
    """

    def __init__(self, kubeconfig: Path, namespace: str, *, name: str = "shop") -> None:
        self.kubeconfig, self.namespace, self.name = kubeconfig, namespace, name
        self.samples: list[Sample] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._look()), name="observer", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join(timeout=10)

    @property
    def weight(self) -> int:
        """The candidate's newest weight, in percent."""
        return self.samples[-1].weight if self.samples else 0

    async def _look(self) -> None:
        from cd_provider.hooks.cluster import ClusterLogin, load
        from cd_provider.hooks.cluster_client import ClusterClient

        async def configuration() -> Any:
            return await load(ClusterLogin(kube_config_path=str(self.kubeconfig)), conn_id="observer")

        route = f"/apis/gateway.networking.k8s.io/v1/namespaces/{self.namespace}/httproutes/{self.name}"
        pods = f"/api/v1/namespaces/{self.namespace}/pods"
        async with ClusterClient(configuration) as client:
            while not self._ended.is_set():
                with suppress(CdProviderError):
                    found = await asyncio.gather(client.get(route), client.get(pods))
                    self.samples.append(
                        Sample(time.time(), weight_of(found[0], self.name), stable_of(found[1]))
                    )
                await asyncio.sleep(EVERY_S)


def weight_of(route: Mapping[str, Any], name: str) -> int:
    """Read the candidate's weight off a route; 0 while it is no backend."""
    backends = route["spec"]["rules"][0]["backendRefs"]
    return sum(ref.get("weight", 1) for ref in backends if ref["name"] == f"{name}-candidate")


def stable_of(pods: Mapping[str, Any]) -> dict[str, int]:
    """Read stable's pods off a list of pods: uid → restarts of its containers."""
    stable = [pod for pod in pods["items"] if SIDE not in pod["metadata"].get("labels", {})]
    return {
        pod["metadata"]["uid"]: sum(one["restartCount"] for one in pod["status"].get("containerStatuses", []))
        for pod in stable
    }


def restarts(samples: list[Sample]) -> int:
    """Count stable's pods that are gone since the first look, and restarts of containers of those that are not."""
    if not samples:
        return 0
    before, after = samples[0].stable, samples[-1].stable
    return sum(after[uid] - count if uid in after else 1 for uid, count in before.items())
