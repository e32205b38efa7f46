"""
The JSON patches that move an HTTPRoute's traffic between stable, candidate and baseline.

A rule's ``backendRefs`` are an atomic list, which server-side apply would take over whole; so each change is
a JSON patch that first tests what was read.

Source: RFC 6902; Gateway API v1, HTTPRoute.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cd_provider.core.names import PREFIX, ROUTE_BASELINE, short_hash
from cd_provider.core.route import OURS, Json, Sides, check_route, rules_of, sides_of
from cd_provider.core.traffic import ALL_STABLE, Weights

ROUTE_BEFORE = PREFIX + "route-before"  # annotation: JSON, stable's own weight in each rule before us


def shift_patch(route: Json, sides: Sides, weights: Weights) -> list[dict[str, Any]]:
    """
    Give the JSON patch that sets the split in every rule that names stable; empty when it is as asked.

    The candidate (and the baseline, where one is asked for) becomes a backend where it is none, as a copy of stable's
    whole entry under its own name. Stable's own weight is noted down first. Taking traffic off never fails on how
    others changed the route since: only our own entries are then moved.

    :raises RouteError: the route cannot be split; never when what we made, already a backend, gets 0.
    """
    off = takes_off(route, sides, weights)
    if not off:
        check_route(route, sides)
    changed, before = {}, _before(route)
    for index, refs in rules_of(route):
        seen = set(sides_of(route, refs, sides))
        if not seen & ({*OURS} if off else {"stable", *OURS}):
            continue
        if not seen & {*OURS}:
            before.append([_fingerprint(route, index), _weight_of_stable(route, refs, sides)])
        changed[index] = _split(route, refs, sides, weights, off=off)
    marked = sides.baseline if sides.fresh and not off else _marked(route)
    return _patch(route, changed, before, marked)


def takes_off(route: Json, sides: Sides, weights: Weights) -> bool:
    """Say whether this split takes what we made off traffic where the route already names it."""
    return weights.ours == 0 and _has_ours(route, sides)


def is_touched(route: Json, sides: Sides) -> bool:
    """Say whether something of ours is in the route: candidate or baseline as a backend, or a note."""
    return bool(_before(route)) or bool(_marked(route)) or _has_ours(route, sides)


def reset_patch(route: Json, sides: Sides) -> list[dict[str, Any]]:
    """Give the JSON patch that takes our entries and notes away; empty when there are none."""
    changed, before = {}, _before(route)
    for index, refs in rules_of(route):
        seen, mark = set(sides_of(route, refs, sides)), _fingerprint(route, index)
        noted = next((entry for entry in before if entry[0] == mark), None)
        if not seen & {*OURS} and not (noted and "stable" in seen):
            continue
        if noted:
            before.remove(noted)
        whole = _split(route, refs, sides, ALL_STABLE, off=True)
        kept = [ref for ref in whole if sides.of(ref, route=route) not in OURS]
        changed[index] = [_own_weight(ref, route, sides, noted[1] if noted else None) for ref in kept]
    return _patch(route, changed, [], None)


def _split(
    route: Json, refs: Sequence[Json], sides: Sides, weights: Weights, *, off: bool
) -> list[dict[str, Any]]:
    """Give a rule's backends in the asked split; of what we made, what is missing is added unless it goes ``off``."""
    parts = {"stable": weights.stable, "candidate": weights.candidate, "baseline": weights.baseline}
    made = []
    for ref in refs:
        side = sides.of(ref, route=route)
        made.append({**ref, "weight": parts[side]} if side else dict(ref))
    seen: list[str | None] = sides_of(route, refs, sides)
    added = () if off else (("candidate", "baseline") if sides.fresh else ("candidate",))
    for side in ("stable", *added):
        if side not in seen:
            at = max(place for place, one in enumerate(seen) if one)
            copied = {**made[at], "name": getattr(sides, side), "weight": parts[side]}
            place = seen.index(next(filter(None, seen))) if side == "stable" else at + 1
            made.insert(place, copied)
            seen.insert(place, side)
    return made


def _own_weight(ref: Json, route: Json, sides: Sides, weight: int | None) -> dict[str, Any]:
    if sides.of(ref, route=route) != "stable":
        return dict(ref)
    bare = {key: value for key, value in ref.items() if key != "weight"}
    return bare if weight is None else {**ref, "weight": weight}


def _patch(
    route: Json, changed: Mapping[int, list[dict[str, Any]]], before: list[list[Any]], marked: str | None
) -> list[dict[str, Any]]:
    notes: dict[str, str | None] = {}
    if before != _before(route):
        notes[ROUTE_BEFORE] = json.dumps(before, separators=(",", ":")) if before else None
    if marked != _marked(route):
        notes[ROUTE_BASELINE] = marked
    moves = [_annotate(route, notes)] if notes else []
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


def _annotate(route: Json, notes: Mapping[str, str | None]) -> list[dict[str, Any]]:
    """Write annotations; None removes one."""
    read = route["metadata"].get("annotations")
    if not read:
        return [
            {"op": "test", "path": "/metadata/annotations", "value": None},
            {"op": "add", "path": "/metadata/annotations", "value": dict(notes)},
        ]
    operations = []
    for key, text in notes.items():
        path = "/metadata/annotations/" + key.replace("/", "~1")
        if text is None:
            operations.append({"op": "test", "path": path, "value": read[key]})
            operations.append({"op": "remove", "path": path})
        else:
            operations.append({"op": "add", "path": path, "value": text})
    return operations


def _marked(route: Json) -> str | None:
    """Read which backend is noted down as our baseline."""
    found: str | None = (route["metadata"].get("annotations") or {}).get(ROUTE_BASELINE)
    return found


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


def _has_ours(route: Json, sides: Sides) -> bool:
    return any({*OURS} & {*sides_of(route, refs, sides)} for _, refs in rules_of(route))


def _fingerprint(route: Json, index: int) -> str:
    """Know a rule again when others were put before it: by everything but its backends."""
    rule = route["spec"]["rules"][index]
    return short_hash({key: value for key, value in rule.items() if key != "backendRefs"})
