"""Things that split requests between the stable release and the candidate."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from cd_provider.core.release import check_keys
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.ports import TrafficRouter
    from cd_provider.hooks.cluster_client import ClusterClient


def open_router(
    client: ClusterClient,
    namespace: str,
    router: Mapping[str, Any],
    *,
    stable: str,
    candidate: str,
    baseline: str | None = None,
    fresh: bool = False,
) -> TrafficRouter:
    """
    Open a router.

    :param router: ``{"kind": …}`` and what that kind needs, as ``gateway_api(…)`` gives it.
    :param stable: the Service whose traffic is split; ``candidate`` the one that gets a share.
    :param baseline: the baseline's Service, where it is known to be ours. :param fresh: whether it is to get a share.
    :raises ArgumentError: an unknown kind or key, or one that is missing.
    """
    found = known(router)
    return found.open(
        client, namespace, router, stable=stable, candidate=candidate, baseline=baseline, fresh=fresh
    )


async def find_stable_service(
    client: ClusterClient, namespace: str, router: Mapping[str, Any], pod_labels: Mapping[str, str]
) -> str:
    """
    Tell which Service the router splits traffic of, for pods with these labels.

    :raises RouteError: none, or several: the caller has to name it.
    """
    return await known(router).find(client, namespace, router, pod_labels)


async def read_marks(client: ClusterClient, namespace: str, router: Mapping[str, Any]) -> Mapping[str, str]:
    """Give the labels and annotations of the object that splits the traffic: they tell who else owns it."""
    return await known(router).marks(client, namespace, router)


def known(router: Any) -> Router:
    """
    Give the router of a kind, its keys checked; opens nothing.

    :raises ArgumentError: an unknown kind or key, or one that is missing.
    """
    kind = router.get("kind") if isinstance(router, Mapping) else None
    if not isinstance(kind, str) or kind not in ROUTERS:
        raise ArgumentError(f"router: saw the kind {kind!r}, expected one of {', '.join(sorted(ROUTERS))}.")
    found = ROUTERS[kind]
    check_keys(router, name=f"router {kind}", needed=found.keys, known=("kind", *found.keys))
    return found


class Router(Protocol):
    """What a kind of router needs, and how it is opened."""

    @property
    def keys(self) -> tuple[str, ...]:
        """Name what ``gateway_api(…)`` and the like have to give, beside ``kind``."""
        ...

    def open(
        self,
        client: ClusterClient,
        namespace: str,
        router: Mapping[str, Any],
        *,
        stable: str,
        candidate: str,
        baseline: str | None,
        fresh: bool,
    ) -> TrafficRouter:
        """Open it."""
        ...

    def find(
        self, client: ClusterClient, namespace: str, router: Mapping[str, Any], pod_labels: Mapping[str, str]
    ) -> Awaitable[str]:
        """Find stable's Service."""
        ...

    def marks(
        self, client: ClusterClient, namespace: str, router: Mapping[str, Any]
    ) -> Awaitable[Mapping[str, str]]:
        """Read labels and annotations of the object that splits."""
        ...


class _GatewayApi:
    keys = ("route",)

    def open(
        self,
        client: ClusterClient,
        namespace: str,
        router: Mapping[str, Any],
        *,
        stable: str,
        candidate: str,
        baseline: str | None,
        fresh: bool,
    ) -> TrafficRouter:
        from cd_provider.adapters.routers.gateway_api import GatewayApiRouter

        return GatewayApiRouter(
            client,
            namespace=namespace,
            route=router["route"],
            stable_service=stable,
            candidate_service=candidate,
            baseline_service=baseline,
            fresh=fresh,
        )

    def find(
        self, client: ClusterClient, namespace: str, router: Mapping[str, Any], pod_labels: Mapping[str, str]
    ) -> Awaitable[str]:
        from cd_provider.adapters.routers.gateway_api import find_stable_service

        return find_stable_service(client, namespace=namespace, route=router["route"], pod_labels=pod_labels)

    def marks(
        self, client: ClusterClient, namespace: str, router: Mapping[str, Any]
    ) -> Awaitable[Mapping[str, str]]:
        from cd_provider.adapters.routers.gateway_api import read_marks

        return read_marks(client, namespace=namespace, route=router["route"])


ROUTERS: Mapping[str, Router] = {"gateway_api": _GatewayApi()}
