"""The schema says what reading says: neither lets through what the other refuses."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from cd_provider.core.gate import Gate, parse_gate, promql
from cd_provider.core.gate_schema import gates_schema, judge_schema, promql_schema
from cd_provider.core.judge.presets import Preset
from cd_provider.core.judge_gate import WORDS, JudgeGate, judge
from cd_provider.exceptions import ArgumentError

CUSTOM = {"total": "requests_total", "status": "code"}
BASES = {
    "judge": judge(
        preset="demo",
        errors={"ignore": 1.5, "never_above": 0.5},
        latency={"role": "advisory"},
        min_s="5m",
        every_s=2,
    ),
    "custom": judge(preset="custom", options=CUSTOM),
    "gateway": judge(preset="envoy", source="direct", gateways="edge/app=envoy"),
    "probing": judge(preset="demo", low_traffic="probe", probe={"path": "/", "port": 8080}),
    "asking": judge(preset="istio", on_inconclusive="ask", ask_s="10m"),
    "clients": judge(preset="demo", ratio="client_errors", errors={"ignore": 1.5}),
    "promql": promql("errors", query="bad{s='$candidate'} / all{s='$candidate'}", max=0.5, min_requests=10),
}
ODD: tuple[Any, ...] = (
    None, True, "", " ", "many", -1, 0, 0.5, 7, 1e9, "1.5", " 2 ", "1e3", "5m", "1h30m", "5x", [], {}, {"x": 1},
    "custom", "observe", "dry_run", CUSTOM, "direct", "ask", "demo", "edge/app=envoy", "edge/",
)  # fmt: skip
VALIDATORS = {"judge": Draft202012Validator(judge_schema()), "promql": Draft202012Validator(promql_schema())}


def read(gate: Any) -> str:
    """Give why it cannot be read; empty: it can."""
    try:
        parse_gate(gate)
    except ArgumentError as err:
        return str(err)
    return ""


def fits(gate: dict[str, Any]) -> bool:
    return bool(VALIDATORS[gate["kind"]].is_valid(gate))


def places(gate: dict[str, Any]) -> list[tuple[str, ...]]:
    """Name every key of a gate, those below a metric too, and one that there is not."""
    kind = JudgeGate if gate["kind"] == "judge" else Gate
    below = [
        (metric, key)
        for metric in ("errors", "latency")
        for key in ("ignore", "never_above", "role", "colour")
    ]
    below += [("probe", key) for key in ("path", "per_second", "port", "colour") if gate.get("probe")]
    names: list[tuple[str, ...]] = [
        (name,) for name in (*kind.__dataclass_fields__, "colour") if name != "kind"
    ]
    return [*names, *below] if kind is JudgeGate else names


def changed(gate: dict[str, Any], place: tuple[str, ...], value: Any) -> dict[str, Any]:
    if len(place) == 1:
        return {**gate, place[0]: value}
    return {**gate, place[0]: {**(gate.get(place[0]) or {}), place[1]: value}}


# What takes two values to tell, or a look into a query; only reading tells.
TOGETHER = (
    "cannot fail",
    "unacceptable",
    "speaks neither",
    "min_requests is",
    "is above max",
    "query",
    "preset custom",
    "judges nothing else",
    "has no HTTP status",
)


def ranged(why: str, value: Any) -> bool:
    """Say whether it was the size of a number that is written as a text."""
    below = ("saw never_above", "ask_s: saw", "per_second: saw", "port: saw")
    return isinstance(value, str) and any(one in why for one in below)


@pytest.mark.parametrize("base", BASES)
@pytest.mark.parametrize("value", ODD, ids=repr)
def test_every_value_in_every_place_is_allowed_by_both_or_by_neither(base: str, value: Any) -> None:
    for place in places(BASES[base]):
        gate = changed(BASES[base], place, value)
        why = read(gate)
        if not why:
            assert fits(gate), place
        elif not any(word in why for word in TOGETHER) and not ranged(why, value):
            assert not fits(gate), (place, why)


@pytest.mark.parametrize("base", BASES)
def test_what_reading_gives_back_fits(base: str) -> None:
    again = json.loads(json.dumps(parse_gate(BASES[base]).as_dict()))

    assert fits(again)
    assert Draft202012Validator(gates_schema()).is_valid([again])


@pytest.mark.parametrize("base", BASES)
def test_without_a_key_it_is_allowed_by_both_or_by_neither(base: str) -> None:
    for key in set(BASES[base]) - {"kind"}:
        gate = {name: value for name, value in BASES[base].items() if name != key}
        assert fits(gate) == (not read(gate)), (key, read(gate))


@given(st.sampled_from(sorted(WORDS)), st.text(max_size=12))
def test_a_word_is_one_of_some(key: str, word: str) -> None:
    gate = {**BASES["judge"], key: word}

    assert fits(gate) == (not read(gate)) == (word in WORDS[key])


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["every_s", "min_s", "ask_s"]))
def test_a_number_is_in_its_range(value: float, key: str) -> None:
    gate = {**BASES["judge"], key: value}

    assert fits(gate) == (not read(gate))


def test_they_are_schemas_of_the_draft_that_they_name() -> None:
    for schema in (judge_schema(), promql_schema(), gates_schema()):
        Draft202012Validator.check_schema(schema)
        assert schema["$schema"] == Draft202012Validator.META_SCHEMA["$id"]


def test_it_says_what_is_taken_when_nothing_is_given() -> None:
    known = judge_schema()["properties"]

    assert (known["mode"]["default"], known["errors"]["anyOf"][0]["properties"]["never_above"]["default"]) == (
        "enforce", 0.02,
    )  # fmt: skip
    assert set(known["options"]["anyOf"][0]["properties"]) == set(Preset.__dataclass_fields__)
