"""How long a delivery waited for pods, which Kubernetes and the app need and nobody else: looked at from outside."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from cd_provider.core.names import candidate_name
from cd_provider.exceptions import CdProviderError

EVERY_S = 0.1
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Look:
    """
    One look at both Deployments; ``at`` in epoch seconds.

    :param starting: the candidate wants more pods than are ready, or just began. :param rolling: stable's rollout
        is not over.
    """

    at: float
    starting: bool
    rolling: bool


def waited(looks: Sequence[Look], what: Callable[[Look], bool]) -> list[float]:
    """Give the length of each stretch of looks for which ``what`` held, in seconds, in order."""
    found: list[float] = []
    before = False
    for look, following in zip(looks, looks[1:], strict=False):
        if now := what(look):
            spell = following.at - look.at
            found = [*found[:-1], found[-1] + spell] if before else [*found, spell]
        before = now
    return found


def is_starting(candidate: Json | None) -> bool:
    """Whether a Deployment has fewer ready pods than it wants."""
    if candidate is None:
        return False
    return bool(candidate.get("status", {}).get("readyReplicas", 0) < candidate["spec"]["replicas"])


def is_rolling(stable: Json) -> bool:
    """Whether a Deployment's rollout is under way."""
    wanted, status = stable["spec"]["replicas"], stable.get("status", {})
    if status.get("observedGeneration", 0) < stable["metadata"]["generation"]:
        return True
    counts = (status.get(name, 0) for name in ("updatedReplicas", "availableReplicas", "replicas"))
    return any(count != wanted for count in counts)


class PodWatcher:
    """
    Look until the end of the ``with`` block; ``looks`` grows meanwhile.

    :param kubeconfig: of an account that may read Deployments.
    """

    def __init__(self, kubeconfig: Path, namespace: str, *, name: str = "shop") -> None:
        self.kubeconfig, self.looks = kubeconfig, list[Look]()
        folder = f"/apis/apps/v1/namespaces/{namespace}/deployments/"
        self._stable, self._candidate = folder + name, folder + candidate_name(name)
        self._ended = threading.Event()
        self._thread = threading.Thread(
            target=lambda: asyncio.run(self._look()), name="pod-watcher", daemon=True
        )

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
        self._thread.join(timeout=10)

    async def _look(self) -> None:
        from cd_provider.exceptions import ClusterNotFoundError
        from cd_provider.hooks.cluster import ClusterLogin, load
        from cd_provider.hooks.cluster_client import ClusterClient

        async def configuration() -> Any:
            return await load(ClusterLogin(kube_config_path=str(self.kubeconfig)), conn_id="benchmark")

        async with ClusterClient(configuration) as client:
            while not self._ended.is_set():
                with suppress(CdProviderError):
                    stable, candidate = await client.get(self._stable), None
                    with suppress(ClusterNotFoundError):
                        candidate = await client.get(self._candidate)
                    self.looks.append(Look(time.time(), is_starting(candidate), is_rolling(stable)))
                await asyncio.sleep(EVERY_S)
