"""Things in a cluster that run an image: the stable side, and the candidate beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeVar

from cd_provider.core.names import CANDIDATE
from cd_provider.core.workload import WorkloadRef
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.ports import Candidate, Workload
    from cd_provider.hooks.cluster_client import ClusterClient

Opener = TypeVar("Opener")


def open_workload(client: ClusterClient, ref: WorkloadRef) -> Workload:
    """
    Open the stable side.

    :raises ArgumentError: the kind is not one of :data:`WORKLOADS`.
    """
    return _known(WORKLOADS, ref)(client, ref)


def open_candidate(
    client: ClusterClient, ref: WorkloadRef, *, service: str | None, app: str, side: str = CANDIDATE
) -> Candidate:
    """
    Open the candidate beside a stable workload, or the baseline (``side``).

    :param service: stable's Service; None when the router needs none.
    :param app: the app's name, for the label.
    :raises ArgumentError: the kind is not one of :data:`CANDIDATES`.
    """
    return _known(CANDIDATES, ref)(client, ref, service, app, side)


def _known(table: Mapping[str, Opener], ref: WorkloadRef) -> Opener:
    if ref.kind not in table:
        raise ArgumentError(
            f"workload: saw the kind {ref.kind!r}, expected one of {', '.join(sorted(table))}."
        )
    return table[ref.kind]


def _deployment(client: ClusterClient, ref: WorkloadRef) -> Workload:
    from cd_provider.adapters.workloads.deployment import DeploymentWorkload

    return DeploymentWorkload(client, ref)


def _deployment_candidate(
    client: ClusterClient, ref: WorkloadRef, service: str | None, app: str, side: str
) -> Candidate:
    from cd_provider.adapters.workloads.candidate import DeploymentCandidate

    return DeploymentCandidate(client, ref, service=service, app=app, side=side)


WORKLOADS: Mapping[str, Callable[[ClusterClient, WorkloadRef], Workload]] = {"deployment": _deployment}
CANDIDATES: Mapping[str, Callable[[ClusterClient, WorkloadRef, str | None, str, str], Candidate]] = {
    "deployment": _deployment_candidate
}
