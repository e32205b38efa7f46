"""Ask the cluster what the connection's account may do."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cd_provider.core.access import Permission

if TYPE_CHECKING:
    from cd_provider.hooks.cluster_client import ClusterClient

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


async def missing(
    client: ClusterClient, namespace: str, permissions: Sequence[Permission]
) -> tuple[Permission, ...]:
    """
    Give those ``permissions`` that the account lacks in ``namespace``, in their order; nothing is tried out.

    Every account may ask this about itself (Kubernetes, "Checking API access").
    """
    answers = await asyncio.gather(*(_allowed(client, namespace, one) for one in permissions))
    return tuple(one for one, allowed in zip(permissions, answers, strict=True) if not allowed)


async def _allowed(client: ClusterClient, namespace: str, permission: Permission) -> bool:
    attributes = {
        "namespace": namespace,
        "verb": permission.verb,
        "group": permission.group,
        "resource": permission.resource,
        "subresource": permission.subresource,
    }
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    answer = await client.create(REVIEWS, review)
    return bool(answer["status"].get("allowed"))
