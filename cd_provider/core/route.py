"""
An HTTPRoute's JSON: whether it can be split, and how it is split now.

Source: Gateway API v1, HTTPRoute.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cd_provider.core.names import ROUTE_BASELINE
from cd_provider.core.template import selects
from cd_provider.core.traffic import ALL_STABLE, Weights
from cd_provider.exceptions import RouteError

Json = Mapping[str, Any]
OURS = ("candidate", "baseline")  # the sides that we made


@dataclass(frozen=True)
class Sides:
    """
    The Services that share a route's traffic; all are in ``namespace``.

    :param baseline: the third one, where it is known to be ours. Else only a route that bears our mark
        (:data:`~cd_provider.core.names.ROUTE_BASELINE`) tells it from somebody's Service of that name.
    :param fresh: whether a shift makes the baseline a backend.
    """

    namespace: str
    stable: str
    candidate: str
    baseline: str | None = None
    fresh: bool = False

    def of(self, ref: Json, *, route: Json) -> str | None:
        """Say which side a backend is: ``stable``, ``candidate``, ``baseline``, or None for somebody else's."""
        name = service_of(ref, route=route, namespace=self.namespace)
        if name is None:
            return None
        marked = (route["metadata"].get("annotations") or {}).get(ROUTE_BASELINE)
        names = {self.stable: "stable", self.candidate: "candidate"}
        return names.get(name) or ("baseline" if name in (self.baseline, marked) else None)


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
    split = [one for _, refs in rules_of(route) if (one := _share(route, refs, sides)) is not None]
    if not any(named for _, named in split):
        return ALL_STABLE
    return Weights(
        max(weights.stable for weights, _ in split),
        max(weights.candidate for weights, _ in split),
        max(weights.baseline for weights, _ in split),
    )


def _share(route: Json, refs: Sequence[Json], sides: Sides) -> tuple[Weights, bool] | None:
    """Give one rule's split, and whether something of ours is named at all; None for a rule of others."""
    weights = {sides.of(ref, route=route): int(ref.get("weight", 1)) for ref in refs}
    if not {"stable", *OURS} & set(weights):
        return None
    whole = sum(weights.get(side, 0) for side in ("stable", *OURS))
    candidate, baseline = (_percent(weights.get(side, 0), whole) for side in OURS)
    return Weights(100 - candidate - baseline, candidate, baseline), bool(set(OURS) & set(weights))


def _percent(weight: int, whole: int) -> int:
    """Give a weight in percent; a little is not nothing, and nearly all is not all."""
    if weight in (0, whole):
        return 100 if weight else 0
    return min(99, max(1, round(100 * weight / whole)))


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
