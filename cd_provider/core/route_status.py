"""
Whether the gateways have taken an HTTPRoute's newest spec.

Source: Gateway API v1, "RouteParentStatus": a condition speaks of the spec of its ``observedGeneration``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cd_provider.core.route import Json, route_name


def unsettled(route: Json, *, ignore_refs_of: frozenset[str] | None = None) -> list[str]:
    """
    Say what still speaks against the newest spec being in force; an empty list: every gateway has taken it.

    :param ignore_refs_of: parents whose ``ResolvedRefs`` may be False; None: all of them.
    """
    generation, parents = route["metadata"]["generation"], list(_parents(route))
    if not parents:
        return ["no gateway has reported on it"]
    found = []
    for name, conditions in parents:
        if late := [kind for kind in ("Accepted", "ResolvedRefs") if _is_late(conditions, kind, generation)]:
            found.append(f"{name} has not acted on generation {generation} ({', '.join(late)})")
        elif ignore_refs_of is not None and name not in ignore_refs_of and _unresolved(conditions):
            found.append(f"{name}: {_words(conditions['ResolvedRefs'])}")
    return found


def refusal(route: Json) -> str | None:
    """Say why no gateway accepts the route; None when one does. Read a settled one."""
    parents = list(_parents(route))
    if any(
        conditions["Accepted"].get("status") == "True"
        for _, conditions in parents
        if "Accepted" in conditions
    ):
        return None
    said = "; ".join(f"{name}: {_words(conditions.get('Accepted') or {})}" for name, conditions in parents)
    return f"{route_name(route)}: refused by every gateway: {said}"


def unresolved_parents(route: Json) -> frozenset[str]:
    """Name the gateways that already say that some backend of the route is missing, whoever's it is."""
    return frozenset(name for name, conditions in _parents(route) if _unresolved(conditions))


def _parents(route: Json) -> Iterator[tuple[str, Mapping[str, Json]]]:
    wanted = [_parent_key(ref, route) for ref in route["spec"].get("parentRefs") or []]
    for one in (route.get("status") or {}).get("parents") or []:
        if _parent_key(one["parentRef"], route) in wanted:
            ref = one["parentRef"]
            name = f"{ref.get('kind', 'Gateway')} {ref['name']} ({one['controllerName']})"
            yield name, {condition["type"]: condition for condition in one.get("conditions") or []}


def _parent_key(ref: Json, route: Json) -> tuple[Any, ...]:
    namespace = ref.get("namespace", route["metadata"].get("namespace"))
    return ref.get("kind", "Gateway"), namespace, ref["name"], ref.get("sectionName"), ref.get("port")


def _is_late(conditions: Mapping[str, Json], kind: str, generation: int) -> bool:
    if kind not in conditions:
        return kind == "Accepted"
    return bool(conditions[kind].get("observedGeneration", 0) < generation)


def _unresolved(conditions: Mapping[str, Json]) -> bool:
    return bool((conditions.get("ResolvedRefs") or {}).get("status") == "False")


def _words(condition: Json) -> str:
    return f"{condition.get('reason')}: {condition.get('message', '')}".rstrip(": ")
