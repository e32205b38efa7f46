"""
The JSON schema of a gate, made from its dataclass and its words: for editors, and for whoever keeps gates in files.

It says which keys, words and kinds of value are possible, and which numbers. What takes two values to tell (``ignore``
below ``unacceptable``, a bound at all) or a look into a query, only reading the gate tells.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_args, get_type_hints

from cd_provider.core.gate import Gate
from cd_provider.core.judge.gateways import FORM
from cd_provider.core.judge.presets import EXPERIMENTAL, PRESETS, Preset
from cd_provider.core.judge_bounds import ROLES
from cd_provider.core.judge_gate import WORDS, JudgeGate
from cd_provider.core.units import MODES

Schema = dict[str, Any]

DRAFT = "https://json-schema.org/draft/2020-12/schema"
NUMBER = r"^\s*[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?\s*$"
DURATION = r"^\s*([0-9]+(\.[0-9]+)?\s*[smhd]\s*)+$"
ENUMS: Mapping[str, tuple[str, ...]] = {
    **WORDS, "mode": MODES, "role": tuple(ROLES), "preset": (*PRESETS, *EXPERIMENTAL, "custom"),
}  # fmt: skip


def judge_schema() -> Schema:
    """Give the schema of what ``judge(…)`` gives."""
    given = {"name", "unit"}  # of a custom preset, whoever gives it
    needed = [one.name for one in fields(Preset) if one.default is MISSING and one.name not in given]
    options = {"properties": {"options": {"required": needed}}, "required": ["options"]}
    none = {"properties": {"options": {"maxProperties": 0}}}
    rules = [
        {"if": _is("preset", "custom"), "then": options, "else": none},
        {"if": _is("on_inconclusive", "ask"), "else": _only_null("ask_s")},
        {"if": _is("source", "direct"), "else": _only_null("gateways")},
        {"if": _is("low_traffic", "probe"), "then": _needs("probe"), "else": _only_null("probe")},
        *_gateways(),
    ]
    return {**_gate(JudgeGate), "allOf": rules}


def _gateways() -> list[Schema]:
    """Say which presets, read directly, need to know where the gateway is; of a custom one only reading tells."""
    known = {**PRESETS, **EXPERIMENTAL}
    edge = [name for name, one in known.items() if one.unit != "backend_pod"]
    own = [name for name in known if name not in edge]
    named = {"properties": {"gateways": {"type": "string"}}, "required": ["gateways"]}
    return [
        {"if": {"allOf": [_is("source", "direct"), _is("preset", *some)]}, "then": then}
        for some, then in ((edge, named), (own, _only_null("gateways")))
    ]


def _is(key: str, *words: str) -> Schema:
    return {"properties": {key: {"enum": list(words)}}, "required": [key]}


def _needs(key: str) -> Schema:
    return {"properties": {key: {"not": {"type": "null"}}}, "required": [key]}


def _only_null(key: str) -> Schema:
    return {"properties": {key: {"type": "null"}}}


def promql_schema() -> Schema:
    """Give the schema of what ``promql(…)`` gives."""
    return {**_gate(Gate), "anyOf": [{"required": ["max"]}, {"required": ["min"]}]}


def gates_schema() -> Schema:
    """Give the schema of a list of gates."""
    kinds = [
        {key: value for key, value in one.items() if key != "$schema"}
        for one in (judge_schema(), promql_schema())
    ]
    return {"$schema": DRAFT, "title": "gates", "type": "array", "items": {"oneOf": kinds}}


def _gate(kind: type[Any]) -> Schema:
    (of,) = (one for one in fields(kind) if one.name == "kind")
    found = _object(kind, always=("kind",))
    found["properties"]["kind"] = {"const": of.default}
    return {"$schema": DRAFT, "title": str(of.default), **found}


def _object(kind: type[Any], *, always: tuple[str, ...] = ()) -> Schema:
    """Give a dataclass as an object; what has no default has to be there."""
    hints = get_type_hints(kind)
    needed = [one.name for one in fields(kind) if one.default is MISSING and one.default_factory is MISSING]
    values = {one.name: _value(one.name, hints[one.name], one.metadata) for one in fields(kind)}
    return {
        "type": "object",
        "properties": {
            one.name: values[one.name] if one.name in needed else _optional(values[one.name], one)
            for one in fields(kind)
        },
        "required": [*always, *needed],
        "additionalProperties": False,
    }


def _value(name: str, hint: Any, limits: Mapping[str, Any]) -> Schema:
    if name in ENUMS:
        return {"enum": list(ENUMS[name])}
    (kind,) = [kind for kind in get_args(hint) if kind is not type(None)][:1] or [hint]
    if is_dataclass(kind) and isinstance(kind, type):
        whole = _object(kind)
        needed = [] if name in ("errors", "latency") else whole["required"]
        values = whole["properties"].items()
        every = {key: one if key in needed else _or_null(one) for key, one in values}
        return {**whole, "properties": every, "required": needed}
    if name == "options":
        keys = {one.name: True for one in fields(Preset)}
        return {"type": "object", "properties": keys, "additionalProperties": False}
    if name == "gateways":
        return {"type": "string", "pattern": f"^{FORM.pattern}$"}
    if name == "among":  # which nobody writes
        return {"type": "integer", **limits}
    if kind is str:
        return {"type": "string", "pattern": r"\S", **limits}
    texts = [NUMBER, DURATION] if name.endswith("_s") else [NUMBER]
    return {"anyOf": [{"type": "number", **limits}, *({"type": "string", "pattern": one} for one in texts)]}


def _optional(value: Schema, one: Field[Any]) -> Schema:
    """Allow null, which is as if nothing were given, and say what is taken then."""
    plain = isinstance(one.default, str | float)
    return {**_or_null(value), **({"default": one.default} if plain else {})}


def _or_null(value: Schema) -> Schema:
    if "anyOf" in value:
        nulled = [] if {"type": "null"} in value["anyOf"] else [{"type": "null"}]
        return {**value, "anyOf": [*value["anyOf"], *nulled]}
    return {"anyOf": [value, {"type": "null"}]}
