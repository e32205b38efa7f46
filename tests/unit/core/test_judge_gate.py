"""The judge as a gate: what it is read from, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cd_provider.core.gate import Gate, parse_gates, promql
from cd_provider.core.judge_bounds import Bounds, ErrorBounds
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.judge_numbers import SENSITIVITY
from cd_provider.core.probe import Probe
from cd_provider.core.refuse import crowded_steps, late_judges
from cd_provider.core.traffic import parse_steps
from cd_provider.exceptions import ArgumentError


def test_it_stands_beside_bounds_and_comes_back_from_json() -> None:
    given = [judge(preset="envoy"), promql("errors", query="a{s='$candidate'}", max=0.1)]

    gates = parse_gates(json.loads(json.dumps(given)))

    assert [type(gate) for gate in gates] == [JudgeGate, Gate]
    assert parse_gates([gate.as_dict() for gate in gates]) == gates


def test_what_is_not_given_is_as_usual() -> None:
    gate = JudgeGate.parse(judge(preset="demo"))

    assert (gate.source, gate.sensitivity, gate.mode, gate.on_trip) == (
        "prometheus", "normal", "enforce", "retry_once",
    )  # fmt: skip
    assert (gate.errors, gate.latency) == (ErrorBounds(1.25, 2.0, never_above=0.02), Bounds(1.05, 1.25))
    assert gate.every_s == 2.0
    assert JudgeGate.parse(judge(preset="demo", source="direct")).every_s == 1.0


def test_a_gateway_that_is_read_directly_is_named() -> None:
    gate = JudgeGate.parse(judge(preset="envoy", source="direct", gateways="edge/app=envoy,tier=1"))

    assert gate.reading() == {"gateways": "edge/app=envoy,tier=1"}
    assert JudgeGate.parse(gate.as_dict()) == gate
    assert JudgeGate.parse(judge(preset="envoy")).reading() == {}


@pytest.mark.parametrize("word", sorted(SENSITIVITY))
def test_a_word_stands_for_the_chance_to_be_wrong(word: str) -> None:
    settings = JudgeGate.parse(judge(preset="demo", sensitivity=word)).settings(max_s=1800.0)

    assert settings.alpha == SENSITIVITY[word]


@pytest.mark.parametrize(("more", "judged"), [({}, False), ({"latency": "took"}, True)])
def test_counters_without_latency_need_none_to_pass(more: dict[str, str], judged: bool) -> None:
    counters = {"total": "calls", "errors": "failures", **more}
    gate = JudgeGate.parse(judge(preset="custom", options=counters))

    assert gate.settings(max_s=900.0).latency is judged


def test_two_numbers_of_a_metric_reach_the_judge() -> None:
    gate = JudgeGate.parse(judge(preset="demo", errors={"ignore": 1.9}, latency={"unacceptable": 1.5}))
    settings = gate.settings(max_s=900.0)

    assert (settings.ignore.errors, settings.unacceptable.errors) == (1.9, 2.0)
    assert (settings.ignore.latency, settings.unacceptable.latency) == (1.05, 1.5)
    assert settings.clear_at.errors == 1.9  # never stricter than what is ignored
    assert settings.max_s == 900.0


@pytest.mark.parametrize(
    ("given", "limit"), [({}, 0.02), ({"never_above": "0.1"}, 0.1), ({"ignore": 1.5}, 0.02)]
)
def test_a_share_that_never_passes_reaches_the_judge(given: dict[str, Any], limit: float) -> None:
    settings = JudgeGate.parse(judge(preset="demo", errors=given)).settings(max_s=900.0)

    assert settings.never_above == limit


@pytest.mark.parametrize(("role", "word"), [("advisory", "advisory"), ("dry_run", "dry run")])
def test_a_metric_that_does_not_decide_is_told_of_and_not_in_the_bound(role: str, word: str) -> None:
    gate = JudgeGate.parse(judge(preset="demo", latency={"role": role}))
    settings = gate.settings(max_s=900.0)

    assert (settings.errors, settings.latency, settings.aside) == (True, False, {"latency": word})
    assert gate.bound == "up to 1.25x the errors of stable"
    assert JudgeGate.parse(gate.as_dict()) == gate


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"preset": "nginx"}, "preset: saw 'nginx'"),
        ({"source": "graphite"}, "source: saw 'graphite', expected one of prometheus, direct"),
        ({"baseline": "old"}, "baseline: saw 'old', expected one of stable, fresh"),
        ({"gateways": "edge/app=envoy"}, "gateways: saw 'edge/app=envoy', but source is 'prometheus'"),
        (
            {"source": "direct", "gateways": "edge/app=envoy"},
            "gate 'judge', gateways: saw 'edge/app=envoy', but preset demo counts in the pods",
        ),
        ({"source": "direct", "preset": "envoy"}, "gate 'judge', gateways: nothing said; preset envoy"),
        ({"source": "direct", "preset": "envoy", "gateways": "edge"}, "gateways: saw 'edge', expected"),
        ({"sensitivity": "wild"}, "sensitivity: saw 'wild', expected one of calm, normal, keen"),
        ({"mode": "maybe"}, "mode: saw 'maybe'"),
        ({"on_trip": "shrug"}, "on_trip: saw 'shrug'"),
        ({"errors": {"ignore": 2, "unacceptable": 2}}, "ignore 2 and unacceptable 2"),
        ({"errors": {"ignore": 0.5}}, "ignore 0.5"),
        ({"latency": {"p99": 3}}, "latency: saw {'p99': 3}"),
        ({"latency": 3}, "latency: saw 3"),
        ({"errors": {"never_above": 0}}, "never_above 0, expected a share"),
        ({"errors": {"never_above": 2}}, "never_above 2, expected a share"),
        ({"errors": {"never_above": "few"}}, "errors, never_above"),
        ({"latency": {"never_above": 0.5}}, "latency: saw {'never_above': 0.5}"),
        (
            {"errors": {"role": "vital"}},
            "errors, role: saw 'vital', expected one of critical, advisory, dry_run",
        ),
        (
            {"errors": {"role": "advisory"}, "latency": {"role": "dry_run"}},
            "gate 'judge' cannot fail: errors are adv",
        ),
        ({"first_release": "ask"}, "first_release: saw 'ask', expected one of refuse, pods_and_floor"),
        ({"on_inconclusive": "shrug"}, "on_inconclusive: saw 'shrug', expected one of hold_then_abort, ask"),
        ({"ask_s": 600}, "ask_s: nobody is asked; say on_inconclusive='ask'"),
        ({"on_inconclusive": "ask", "ask_s": 59}, "ask_s: saw 59, expected seconds"),
        ({"low_traffic": "ask"}, "low_traffic: saw 'ask', expected one of refuse, pods_only, probe"),
        ({"low_traffic": "probe"}, "probe: saw None with low_traffic 'probe', expected"),
        ({"probe": {"path": "/"}}, "with low_traffic 'refuse', expected low_traffic='probe' with a path"),
        ({"low_traffic": "probe", "probe": {"path": "items"}}, "probe, path: saw 'items', expected one such"),
        (
            {"low_traffic": "probe", "probe": {"path": "/", "method": "POST"}},
            "probe: saw {'path': '/', 'method'",
        ),
        ({"low_traffic": "probe", "probe": {"path": "/", "per_second": 50}}, "per_second: saw 50, expected"),
        ({"low_traffic": "probe", "probe": {"path": "/", "port": 0}}, "probe, port: saw 0, expected"),
        (
            {"preset": "envoy", "low_traffic": "probe", "probe": {"path": "/"}},
            "probe: preset envoy counts in the gateway",
        ),
        (
            {"preset": "otel_http_server", "low_traffic": "probe", "probe": {"path": "/healthz?x=1"}},
            "probe, path: saw '/healthz?x=1', which preset otel_http_server leaves out",
        ),
        ({"shadow": "argo"}, "shadow: saw 'argo', expected one of none, kayenta"),
        ({"options": 3}, "options: saw 3, expected a mapping"),
        ({"every_s": 0.1}, "every_s"),
        ({"colour": "red"}, "unknown key 'colour'"),
        ({"name": ""}, "name ''"),
        ({"options": {"total": "x"}}, "preset"),
    ],
)
def test_what_cannot_be_read_is_named(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(ArgumentError) as found:
        parse_gates([judge(preset="demo") | changed])

    assert told in str(found.value)


def test_another_kind_is_named() -> None:
    with pytest.raises(ArgumentError, match="promql"):
        parse_gates([{"kind": "oracle", "name": "x"}])


@pytest.mark.parametrize(("max_s", "late"), [(299.0, True), (300.0, False)])
def test_one_that_cannot_decide_in_time_is_refused(max_s: float, late: bool) -> None:
    gates = parse_gates([judge(preset="demo")])

    assert bool(late_judges(gates, max_s)) is late


@pytest.mark.parametrize(("max_s", "late"), [(899.0, True), (900.0, False)])
def test_the_time_for_asking_is_kept(max_s: float, late: bool) -> None:
    gates = parse_gates([judge(preset="demo", on_inconclusive="ask", ask_s="10m")])

    found = late_judges(gates, max_s)

    assert bool(found) is late
    assert all("600 s are kept for asking a person" in one and "give it 900 s" in one for one in found)


def test_a_gate_that_asks_says_so_and_any_other_is_told_as_ever() -> None:
    asking = JudgeGate.parse(judge(preset="demo", on_inconclusive="ask"))
    plain = JudgeGate.parse(judge(preset="demo"))

    assert (asking.asking_s, asking.settings(max_s=900.0).asks) == (900.0, True)
    assert (plain.asking_s, plain.settings(max_s=900.0).asks) == (0.0, False)
    assert JudgeGate.parse(asking.as_dict()) == asking
    assert not {"ask_s", "on_inconclusive", "gateways"} & set(plain.as_dict())


def test_what_is_probed_is_read_with_its_numbers() -> None:
    gate = JudgeGate.parse(
        judge(preset="demo", low_traffic="probe", probe={"path": "/items?page=2", "per_second": "0.5"})
    )

    assert gate.probe == Probe("/items?page=2", 0.5, None)
    assert JudgeGate.parse(gate.as_dict()) == gate
    assert "probe" not in JudgeGate.parse(judge(preset="demo")).as_dict()


def test_a_baseline_that_is_not_asked_for_is_not_named() -> None:
    """A stored PASS knows its gates by what they say: one of before has to go on counting."""
    plain = JudgeGate.parse(judge(preset="demo"))

    assert plain == JudgeGate.parse(judge(preset="demo", baseline="stable"))
    assert "baseline" not in judge(preset="demo", baseline="stable")
    assert "baseline" not in plain.as_dict()


def test_a_fresh_baseline_reaches_the_judge_and_comes_back_from_json() -> None:
    gate = JudgeGate.parse(json.loads(json.dumps(judge(preset="demo", baseline="fresh"))))

    assert JudgeGate.parse(gate.as_dict()) == gate
    assert gate.settings(max_s=900.0).fresh
    assert gate.settings(max_s=900.0).least_s == 120.0
    assert JudgeGate.parse(judge(preset="demo")).settings(max_s=900.0).least_s == 180.0
    assert gate.bound.endswith("of the baseline")


@pytest.mark.parametrize(("max_s", "late"), [(239.0, True), (240.0, False)])
def test_beside_a_fresh_baseline_a_minute_less_is_enough(max_s: float, late: bool) -> None:
    gates = parse_gates([judge(preset="demo", baseline="fresh")])

    assert bool(late_judges(gates, max_s)) is late


@pytest.mark.parametrize(("last", "crowded"), [(50, False), (51, True)])
def test_steps_leave_a_fresh_baseline_as_much_as_the_candidate(last: int, crowded: bool) -> None:
    steps = parse_steps([10, last], step_s=60)

    assert bool(crowded_steps(parse_gates([judge(preset="demo", baseline="fresh")]), steps)) is crowded
    assert not crowded_steps(parse_gates([judge(preset="demo")]), steps)


@pytest.mark.parametrize(("last", "idle"), [(49, False), (50, True)])
def test_a_judge_beside_stable_needs_users_there(last: int, idle: bool) -> None:
    gates = parse_gates([judge("old", preset="demo"), judge("new", preset="demo", baseline="fresh")])

    found = crowded_steps(gates, parse_steps([last], step_s=60))

    assert [text.startswith("gate 'old' compares with stable") for text in found] == [True] * idle


def test_client_errors_have_bounds_of_their_own_and_no_latency_beside_them() -> None:
    gate = JudgeGate.parse(judge("lost routes", preset="envoy", ratio="client_errors"))
    settings = gate.settings(max_s=1800.0)

    assert gate.reading() == {"ratio": "client_errors"}
    assert (gate.errors.ignore, gate.errors.unacceptable, gate.errors.never_above) == (2.0, 3.0, 1.0)
    assert (settings.floor, settings.clear_at.share, settings.unacceptable.share) == (0.02, 0.02, 0.02)
    assert not settings.latency
    assert gate.bound == "up to 2x the client errors of stable"
    assert JudgeGate.parse(gate.as_dict()) == gate


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"latency": {"ignore": 1.1}}, "judges nothing else"),
        ({"errors": {"role": "advisory"}, "latency": {"role": "critical"}}, "judges nothing else"),
        ({"preset": "custom", "options": {"total": "calls", "errors": "failures"}}, "has no HTTP status"),
    ],
)
def test_what_a_judge_of_client_errors_cannot_do_is_refused(more: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        JudgeGate.parse(judge(**{"preset": "demo", "ratio": "client_errors", **more}))
