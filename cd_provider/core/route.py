"""
An HTTPRoute's JSON: whether it can be split, and how it is split now.

Source: Gateway API v1, HTTPRoute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cd_provider.core.template import selects
from cd_provider.core.traffic import ALL_STABLE, Weights
from cd_provider.exceptions import RouteError

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Sides:
    """The two Services that share a route's traffic; both are in ``namespace``."""

    namespace: str
    stable: str
    candidate: str

    def of(self, ref: Json, *, route: Json) -> str | None:
        """Say which side a backend is: ``"stable"``, ``"candidate"``, or None for somebody else's."""
        name = service_of(ref, route=route, namespace=self.namespace)
        return {self.stable: "stable", self.candidate: "candidate"}.get(name or "")


def service_of(ref: Json, *, route: Json, namespace: str) -> str | None:
    """Name the Service that a backend is; None when it is of another kind or namespace."""
    is_service = ref.get("kind", "Service") == "Service" and ref.get("group", "") == ""
    here = ref.get("namespace", route["metadata"].get("namespace")) == namespace
    return str(ref["name"]) if is_service and here else None


# --- can it be split? ---------------------------------------------------------------------------------------


def check_route(route: Json, sides: Sides) -> None:
    """
    Check that every rule that names stable can be split.

    :raises RouteError: no rule names stable's Service, one names it twice, or one has other backends beside
        it: how much of the traffic they should keep nobody said.
    """
    named = False
    for index, refs in rules_of(route):
        seen = [sides.of(ref, route=route) for ref in refs]
        if not any(seen):
            continue
        named = named or "stable" in seen
        where = f"{route_name(route)}, {_rule_name(route, index)}"
        if None in seen:
            others = ", ".join(str(ref["name"]) for ref, side in zip(refs, seen, strict=True) if side is None)
            raise RouteError(
                f"{where}: beside {sides.stable} it has the backends {others}, expected {sides.stable} "
                f"alone; "
                "give these their own rule."
            )
        if seen.count("stable") > 1:
            raise RouteError(f"{where}: names {sides.stable} twice, expected once.")
    if not named:
        raise RouteError(
            f"{route_name(route)}: no rule names the Service {sides.stable} (of namespace "
            f"{sides.namespace}), saw "
            f"{', '.join(_backends(route)) or 'no backends'}; name the right route or Service."
        )


def find_service(route: Json, services: Sequence[Json], pod_labels: Mapping[str, str]) -> str:
    """
    Tell which Service of a namespace is stable's: the one that selects its pods and that the route names.

    :param services: the Services of the workload's namespace.
    :param pod_labels: of stable's pod template.
    :raises RouteError: none, or several.
    """
    selecting = [one["metadata"] for one in services if _selects_pods(one, pod_labels)]
    found = sorted(
        meta["name"]
        for meta in selecting
        if any(
            service_of(ref, route=route, namespace=meta["namespace"]) == meta["name"]
            for _, refs in rules_of(route)
            for ref in refs
        )
    )
    if len(found) == 1:
        return str(found[0])
    if found:
        raise RouteError(
            f"{route_name(route)} names several Services that select the workload's pods: "
            f"{', '.join(found)}; "
            "name the one whose traffic is split with service=."
        )
    names = ", ".join(sorted(meta["name"] for meta in selecting)) or "no Service"
    raise RouteError(
        f"{route_name(route)} names {', '.join(_backends(route)) or 'no backends'}; the workload's pods are "
        f"selected "
        f"by {names}; expected one Service in both."
    )


def _selects_pods(service: Json, labels: Mapping[str, str]) -> bool:
    selector = service["spec"].get("selector")
    return bool(selector) and selects({"matchLabels": selector}, labels)


# --- how is it split? ---------------------------------------------------------------------------------------


def read_weights(route: Json, sides: Sides) -> Weights:
    """
    Read the split that is written, in percent; all is stable's while the candidate is no backend.

    Rules that disagree give the largest share of each side: together more than 100, so a split that nobody
    asked for, and that ``shift`` mends.
    """
    shares = [_share(route, refs, sides) for _, refs in rules_of(route)]
    split = [one for one in shares if one is not None]
    if not any(named for _, named in split):
        return ALL_STABLE
    return Weights(max(100 - share for share, _ in split), max(share for share, _ in split))


def _share(route: Json, refs: Sequence[Json], sides: Sides) -> tuple[int, bool] | None:
    """Give the candidate's percentage and whether it is named at all; None for a rule of others."""
    weights = {sides.of(ref, route=route): int(ref.get("weight", 1)) for ref in refs}
    if not {"stable", "candidate"} & set(weights):
        return None
    stable, candidate = weights.get("stable", 0), weights.get("candidate", 0)
    if candidate == 0:
        return 0, "candidate" in weights
    share = round(100 * candidate / (stable + candidate))
    return (100 if stable == 0 else min(99, max(1, share))), True


# --- small things -------------------------------------------------------------------------------------------


def rules_of(route: Json) -> Iterator[tuple[int, Sequence[Json]]]:
    """Give each rule that has backends, with its place."""
    for index, rule in enumerate(route["spec"].get("rules") or []):
        if rule.get("backendRefs"):
            yield index, rule["backendRefs"]


def sides_of(route: Json, refs: Sequence[Json], sides: Sides) -> list[str | None]:
    return [sides.of(ref, route=route) for ref in refs]


def _rule_name(route: Json, index: int) -> str:
    rule = route["spec"]["rules"][index]
    paths = [match.get("path", {}).get("value") for match in rule.get("matches") or []]
    said = rule.get("name") or ", ".join(path for path in paths if path)
    return f"rule {index + 1}" + (f" ({said})" if said else "")


def route_name(route: Json) -> str:
    return f"HTTPRoute {route['metadata']['name']} in {route['metadata'].get('namespace')}"


def _backends(route: Json) -> list[str]:
    return sorted({str(ref["name"]) for _, refs in rules_of(route) for ref in refs})
