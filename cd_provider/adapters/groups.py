"""Groups of pods that exist already: those that a Service selects, or whose names are of a pattern."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cd_provider.core.pod import pod_state
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.hooks.cluster_client import ClusterClient


@dataclass(frozen=True)
class Group:
    """
    Some pods of a namespace.

    :param service: that selects them. :param pattern: of their whole names, instead.
    """

    namespace: str
    service: str
    pattern: str | None = None


async def ready_pods(client: ClusterClient, group: Group) -> tuple[str, ...]:
    """
    Name the pods of the group that serve now, sorted; needs ``list pods``, and ``get services`` without a pattern.

    :raises ClusterNotFoundError: there is no such Service.
    :raises ArgumentError: it selects no pods.
    """
    labels = {} if group.pattern else {"labelSelector": await _selector(client, group)}
    found = await client.get(f"/api/v1/namespaces/{group.namespace}/pods", **labels)
    states = (pod_state(one, container="") for one in found["items"])
    return tuple(sorted(pod.name for pod in states if pod.serves and _is_of(group, pod.name)))


def _is_of(group: Group, pod: str) -> bool:
    return group.pattern is None or re.fullmatch(group.pattern, pod) is not None


async def _selector(client: ClusterClient, group: Group) -> str:
    service = await client.get(f"/api/v1/namespaces/{group.namespace}/services/{group.service}")
    selector = service.get("spec", {}).get("selector") or {}
    if not selector:
        raise ArgumentError(
            f"Service {group.namespace}/{group.service} selects no pods, so that nobody can tell whose they are; name "
            "them by a pattern."
        )
    return ",".join(f"{key}={value}" for key, value in sorted(selector.items()))
