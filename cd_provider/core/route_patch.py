"""
The JSON patches that move an HTTPRoute's traffic between stable and candidate.

A rule's ``backendRefs`` are an atomic list, which server-side apply would take over whole; so each change is
a JSON patch that first tests what was read.

Source: RFC 6902; Gateway API v1, HTTPRoute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cd_provider.core.names import PREFIX, short_hash
from cd_provider.core.route import Json, Sides, check_route, rules_of, sides_of
from cd_provider.core.traffic import ALL_STABLE, Weights

ROUTE_BEFORE = PREFIX + "route-before"  # annotation: JSON, stable's own weight in each rule before us
_BEFORE_PATH = "/metadata/annotations/" + ROUTE_BEFORE.replace("/", "~1")


def shift_patch(route: Json, sides: Sides, weights: Weights) -> list[dict[str, Any]]:
    """
    Give the JSON patch that sets the split in every rule that names stable; empty when it is as asked.

    The candidate becomes a backend where it is none, as a copy of stable's whole entry under its own name.
    Stable's own weight is noted down first. Taking traffic off never fails on how others changed the route
    since: only the candidate's entries are then moved.

    :raises RouteError: the route cannot be split; never when the candidate, already a backend, gets 0.
    """
    off = takes_off(route, sides, weights)
    if not off:
        check_route(route, sides)
    changed, before = {}, _before(route)
    for index, refs in rules_of(route):
        seen = sides_of(route, refs, sides)
        if not ({"candidate"} if off else {"stable", "candidate"}) & set(seen):
            continue
        if "candidate" not in seen:
            before.append([_fingerprint(route, index), _weight_of_stable(route, refs, sides)])
        changed[index] = _split(route, refs, sides, weights)
    return _patch(route, changed, before)


def takes_off(route: Json, sides: Sides, weights: Weights) -> bool:
    """Say whether this split takes a candidate off traffic that the route already names."""
    return weights.candidate == 0 and _has_candidate(route, sides)


def is_touched(route: Json, sides: Sides) -> bool:
    """Say whether something of ours is in the route: the candidate as a backend, or our note."""
    return bool(_before(route)) or _has_candidate(route, sides)


def reset_patch(route: Json, sides: Sides) -> list[dict[str, Any]]:
    """Give the JSON patch that takes the candidate's entries and our note away; empty when there are none."""
    changed, before = {}, _before(route)
    for index, refs in rules_of(route):
        seen, mark = sides_of(route, refs, sides), _fingerprint(route, index)
        noted = next((entry for entry in before if entry[0] == mark), None)
        if "candidate" not in seen and not (noted and "stable" in seen):
            continue
        if noted:
            before.remove(noted)
        whole = _split(route, refs, sides, ALL_STABLE)
        kept = [ref for ref in whole if sides.of(ref, route=route) != "candidate"]
        changed[index] = [_own_weight(ref, route, sides, noted[1] if noted else None) for ref in kept]
    return _patch(route, changed, [])


def _split(route: Json, refs: Sequence[Json], sides: Sides, weights: Weights) -> list[dict[str, Any]]:
    parts = {"stable": weights.stable, "candidate": weights.candidate}
    made = []
    for ref in refs:
        side = sides.of(ref, route=route)
        made.append({**ref, "weight": parts[side]} if side else dict(ref))
    seen = sides_of(route, refs, sides)
    for side, other in (("stable", "candidate"), ("candidate", "stable")):
        if side not in seen:
            at = seen.index(other)
            copied = {**made[at], "name": getattr(sides, side), "weight": parts[side]}
            made.insert(at if side == "stable" else at + 1, copied)
            seen = sides_of(route, made, sides)
    return made


def _own_weight(ref: Json, route: Json, sides: Sides, weight: int | None) -> dict[str, Any]:
    if sides.of(ref, route=route) != "stable":
        return dict(ref)
    bare = {key: value for key, value in ref.items() if key != "weight"}
    return bare if weight is None else {**ref, "weight": weight}


def _patch(
    route: Json, changed: Mapping[int, list[dict[str, Any]]], before: list[list[Any]]
) -> list[dict[str, Any]]:
    moves = [_annotate(route, before)] if before != _before(route) else []
    for index, refs in changed.items():
        path, read = f"/spec/rules/{index}/backendRefs", route["spec"]["rules"][index]["backendRefs"]
        if refs != read:
            moves.append(
                [{"op": "test", "path": path, "value": read}, {"op": "replace", "path": path, "value": refs}]
            )
    if not moves:
        return []
    # the generation changes with each change of the spec: a rule added meanwhile must not be missed
    unchanged = {"op": "test", "path": "/metadata/generation", "value": route["metadata"]["generation"]}
    return [unchanged, *(operation for move in moves for operation in move)]


def _annotate(route: Json, before: list[list[Any]]) -> list[dict[str, Any]]:
    notes = route["metadata"].get("annotations")
    text = json.dumps(before, separators=(",", ":"))
    if not before:
        return [
            {"op": "test", "path": _BEFORE_PATH, "value": (notes or {})[ROUTE_BEFORE]},
            {"op": "remove", "path": _BEFORE_PATH},
        ]
    if notes:
        return [{"op": "add", "path": _BEFORE_PATH, "value": text}]
    return [
        {"op": "test", "path": "/metadata/annotations", "value": None},
        {"op": "add", "path": "/metadata/annotations", "value": {ROUTE_BEFORE: text}},
    ]


def _before(route: Json) -> list[list[Any]]:
    """Read our note: pairs of a rule's fingerprint and stable's own weight there (None: it had none)."""
    text = (route["metadata"].get("annotations") or {}).get(ROUTE_BEFORE)
    try:
        found = json.loads(text) if text else []
    except ValueError:
        return []
    return [list(one) for one in found if isinstance(one, list) and len(one) == 2]


def _weight_of_stable(route: Json, refs: Sequence[Json], sides: Sides) -> int | None:
    return next((ref.get("weight") for ref in refs if sides.of(ref, route=route) == "stable"), None)


def _has_candidate(route: Json, sides: Sides) -> bool:
    return any("candidate" in sides_of(route, refs, sides) for _, refs in rules_of(route))


def _fingerprint(route: Json, index: int) -> str:
    """Know a rule again when others were put before it: by everything but its backends."""
    rule = route["spec"]["rules"][index]
    return short_hash({key: value for key, value in rule.items() if key != "backendRefs"})
