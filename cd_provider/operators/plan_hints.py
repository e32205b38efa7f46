"""A plan's hints: what is no fault, and yet may surprise whoever watches the delivery."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from cd_provider.core import surroundings
from cd_provider.core.deployment import equalities
from cd_provider.core.release import Target
from cd_provider.core.surroundings import Sides
from cd_provider.core.template import candidate_labels, candidate_selector, candidate_service
from cd_provider.exceptions import CdProviderError, ClusterNotFoundError

if TYPE_CHECKING:
    from cd_provider.core.access import Permission
    from cd_provider.core.judge_gate import JudgeGate
    from cd_provider.hooks.cluster import ClusterClient

Json = Mapping[str, Any]
Read = Callable[[Sequence[Json]], Iterable[str]]


def experimental(judges: Iterable[JudgeGate]) -> list[str]:
    """Name the judges whose counters nobody has recorded from the real program."""
    return [
        f"gate {gate.name!r} reads counters by preset {gate.preset}, which is experimental: it is written by hand, and "
        "nobody has seen it judge. Let it observe first (mode='observe'), and compare what it counts with your own."
        for gate in judges
        if gate.counters().experimental
    ]


async def hints(
    client: ClusterClient, target: Target, *, service: str | None, app: str, lacking: Collection[Permission]
) -> list[str]:
    """
    Look around in the workload's namespace.

    :param lacking: permissions that only hints need, and that the account has not: what they are for is "not checked".
    :raises ArgumentError: the candidate's pods could not be told apart from stable's.
    :raises ClusterNotFoundError: stable's Service does not exist.
    """
    ref = target.ref
    found = await _busy(client, target)
    if service is None:
        return found
    stable, behind = await asyncio.gather(
        client.get(f"/apis/apps/v1/namespaces/{ref.namespace}/deployments/{ref.name}"),
        client.get(f"/api/v1/namespaces/{ref.namespace}/services/{service}"),
    )
    sides = _sides(stable, behind, app=app)
    looks: dict[tuple[str, str], Read] = {
        ("networking.k8s.io/v1", "networkpolicies"): lambda listed: surroundings.network_policies(
            listed, sides
        ),
        ("monitoring.coreos.com/v1", "podmonitors"): lambda listed: surroundings.pod_monitors(listed, sides),
        ("monitoring.coreos.com/v1", "servicemonitors"): lambda listed: surroundings.service_monitors(
            listed, sides
        ),
        ("policy/v1", "poddisruptionbudgets"): lambda listed: surroundings.disruption_budgets(listed, sides),
        ("autoscaling/v2", "horizontalpodautoscalers"): lambda listed: surroundings.autoscalers(
            listed, kind=ref.kind, name=ref.name
        ),
    }
    refused = {(one.group, one.resource): one for one in lacking}
    for (version, resource), read in looks.items():
        if permission := refused.get((version.partition("/")[0], resource)):
            found.append(f"{resource} were not checked: the account may not {permission}.")
        else:
            found += await _look(client, f"/apis/{version}/namespaces/{ref.namespace}/{resource}", read)
    return found


async def _look(client: ClusterClient, path: str, read: Read) -> list[str]:
    try:
        return list(read((await client.get(path))["items"]))
    except ClusterNotFoundError:
        return []  # the cluster does not know of such things
    except CdProviderError as err:
        return [f"{path.rpartition('/')[2]} were not checked: {err}"]


async def _busy(client: ClusterClient, target: Target) -> list[str]:
    """Say who delivers to the workload now: the canary will refuse, or wait."""
    from cd_provider.adapters.lease import Lease

    with suppress(CdProviderError):
        lease = await Lease.read(client, target.ref)
        if lease is not None and lease.holder:
            return [
                f"{target.ref} has a lock, of {lease.holder}: the canary waits, or refuses, while it is held."
            ]
    return []


def _sides(stable: Json, service: Json, *, app: str) -> Sides:
    ours = candidate_service(
        service, app=app, selector=candidate_selector(equalities(stable["spec"]["selector"]))
    )
    return Sides(
        stable=stable["spec"]["template"].get("metadata", {}).get("labels") or {},
        candidate=candidate_labels(stable, service, app=app),
        stable_service=service["metadata"].get("labels") or {},
        candidate_service=ours["metadata"]["labels"],
    )
