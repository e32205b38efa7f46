"""Gateway API: the weights of an HTTPRoute's backends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from cd_provider.core.names import candidate_name
from cd_provider.core.route import Sides, check_route, find_service, read_weights
from cd_provider.core.route_patch import is_touched, reset_patch, shift_patch, takes_off
from cd_provider.core.route_status import refusal, unresolved_parents, unsettled
from cd_provider.core.traffic import ALL_STABLE, Weights
from cd_provider.exceptions import ClusterConflictError, ClusterNotFoundError, RouteError, TransientError

if TYPE_CHECKING:
    from cd_provider.hooks.cluster_client import ClusterClient

_TRIES = 10
_FIRST_POLL_S, _LAST_POLL_S = 0.02, 0.1
Json = Mapping[str, Any]


class GatewayApiRouter:
    """
    A door ``TrafficRouter``.

    Rules that do not name stable, and everything of a rule but its backends' weights, stay as they are.

    :param route: the HTTPRoute's name.
    :param stable_service: the Service whose traffic is split; it and the candidate's are in ``namespace``.
    :param baseline_service: the baseline's Service, where it is known to be ours. :param fresh: whether a shift makes
        it a backend.
    :param settle_s: how long the gateways may take to act on a change.
    """

    def __init__(
        self,
        client: ClusterClient,
        *,
        namespace: str,
        route: str,
        stable_service: str,
        candidate_service: str | None = None,
        baseline_service: str | None = None,
        fresh: bool = False,
        settle_s: float = 10.0,
    ) -> None:
        self._client, self._path, self._settle_s = client, _route_path(namespace, route), settle_s
        self._sides = Sides(
            namespace,
            stable_service,
            candidate_service or candidate_name(stable_service),
            baseline_service,
            fresh,
        )

    async def weights(self) -> Weights:
        """
        Read the split that every gateway has taken; all is stable's while nothing of ours is a backend.

        Rules that disagree give the largest share of each side: a split that nobody asked for, and that
        ``shift`` mends.

        :raises RouteError: nothing of ours is in the route, and it cannot be split.
        :raises TransientError: a gateway has not acted on the newest spec in time.
        """
        route = await self._client.get(self._path)
        if not is_touched(route, self._sides):
            check_route(route, self._sides)
        return read_weights(await self._settled(route), self._sides)

    async def shift(self, weights: Weights) -> None:
        """
        Set the split in every rule that names stable, and return once every gateway has taken it.

        That is the word of the gateways' controllers (conditions of the newest generation); the data plane follows
        within milliseconds.

        :raises RouteError: the route cannot be split, or is refused; taking traffic off is done all the same.
        :raises TransientError: a gateway did not act in time, or somebody else writes all the time.
        """
        before, after = await self._change(lambda route: shift_patch(route, self._sides, weights))
        if takes_off(before, self._sides, weights):
            await self._settled(after)
            return
        route = await self._settled(after, ignore_refs_of=unresolved_parents(before))
        if said := refusal(route):
            raise RouteError(said)

    async def clean(self) -> bool:
        """Say whether the route neither names candidate or baseline nor carries our notes."""
        return not is_touched(await self._client.get(self._path), self._sides)

    async def reset(self) -> None:
        """Weight 0 first, confirmed; then our entries go and stable's own weights come back."""
        try:
            if read_weights(await self._client.get(self._path), self._sides) != ALL_STABLE:
                await self.shift(ALL_STABLE)
            _, after = await self._change(lambda route: reset_patch(route, self._sides))
        except ClusterNotFoundError:
            return  # no route, no traces
        await self._settled(after)

    async def _change(self, patch: Callable[[Json], list[dict[str, Any]]]) -> tuple[Json, Json]:
        """Read, patch what was read; again when somebody was quicker. Gives the route before and after."""
        for left in reversed(range(_TRIES)):
            before = await self._client.get(self._path)
            operations = patch(before)
            if not operations:
                return before, before
            try:
                return before, await self._client.patch(self._path, operations, how="json")
            except ClusterConflictError:
                if not left:
                    raise
        raise AssertionError("unreachable")

    async def _settled(self, route: Json, *, ignore_refs_of: frozenset[str] | None = None) -> Json:
        """Read again until every gateway has acted on the newest spec."""
        deadline, pause = time.monotonic() + self._settle_s, _FIRST_POLL_S
        while late := unsettled(route, ignore_refs_of=ignore_refs_of):
            if time.monotonic() > deadline:
                raise TransientError(
                    f"HTTPRoute {route['metadata']['name']} in {self._sides.namespace}: not in force "
                    f"{self._settle_s:g} s after it was written: {'; '.join(late)}. Does the gateway's "
                    f"controller run?"
                )
            await asyncio.sleep(pause)
            pause = min(pause * 1.5, _LAST_POLL_S)
            route = await self._client.get(self._path)
        return route


async def find_stable_service(
    client: ClusterClient, *, namespace: str, route: str, pod_labels: Mapping[str, str]
) -> str:
    """
    Tell which Service of the namespace selects stable's pods and is named by the route.

    :param pod_labels: of stable's pod template.
    :raises RouteError: none, or several: the caller has to name it.
    """
    found, services = await asyncio.gather(
        client.get(_route_path(namespace, route)), client.get(f"/api/v1/namespaces/{namespace}/services")
    )
    return find_service(found, services["items"], pod_labels)


async def read_marks(client: ClusterClient, *, namespace: str, route: str) -> dict[str, str]:
    """Give the route's labels and annotations in one mapping."""
    meta = (await client.get(_route_path(namespace, route)))["metadata"]
    return {**(meta.get("labels") or {}), **(meta.get("annotations") or {})}


def _route_path(namespace: str, route: str) -> str:
    return f"/apis/gateway.networking.k8s.io/v1/namespaces/{namespace}/httproutes/{route}"
