"""One word at the end of a watch: what counts for it, and what never counts as a pass."""

from __future__ import annotations

from typing import Any

import pytest

from cd_provider.core.before_after import before_after
from cd_provider.core.finding import Finding, GateState, Reading
from cd_provider.core.gate import promql
from cd_provider.core.health import OVERTIME_S, HealthRule, Outcome, Seen
from cd_provider.core.health_order import HealthOrder, parse_health_gates
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.exceptions import ArgumentError

BEGAN, MAX_S = 1000.0, 600.0
BOUND = promql("errors", query='bad{job="$candidate"}', max=0.01)
ROWS = before_after("rows", total="rows", bad="bad")
JUDGE = judge(preset="envoy")


def seen(
    given: dict[str, Any],
    finding: Finding,
    *,
    kind: str = "",
    seen_at: float = BEGAN,
    trips: int = 0,
    **more: Any,
) -> Seen:
    (gate,) = parse_health_gates([given])
    verdict = Judged(kind, 60.0, f"{kind} said", **more) if kind else None  # type: ignore[arg-type]
    state = GateState(finding, Reading(seen_at, 0.0), seen_at, line="so far", trips=trips)
    return Seen(gate, state, verdict)


def decided(*every: Seen, after_s: float = 60.0, since: float = BEGAN, weak: bool = False) -> Outcome | None:
    rule = HealthRule(BEGAN, BEGAN + MAX_S, 120.0, weak)
    return rule.decide(every, now=BEGAN + after_s, looking_since=since)


def kind(*every: Seen, **more: Any) -> str | None:
    found = decided(*every, **more)
    return found.kind if found else None


def test_a_judge_that_passes_ends_it_at_once_and_bounds_beside_it_have_to_be_kept() -> None:
    passed = seen(JUDGE, Finding.OK, kind="PASS", seen_at=BEGAN + 59)

    assert kind(passed) == "PASS"
    assert kind(passed, seen(BOUND, Finding.OK)) == "PASS"
    for not_yet in (Finding.BREACH, Finding.THIN, Finding.BLIND):
        assert kind(passed, seen(BOUND, not_yet)) is None


def test_bounds_alone_are_looked_at_to_the_end() -> None:
    kept = seen(BOUND, Finding.OK)

    assert kind(kept, after_s=MAX_S - 1) is None
    assert kind(kept, after_s=MAX_S) == "PASS"


@pytest.mark.parametrize(
    "failing",
    [
        pytest.param(seen(BOUND, Finding.FAILED), id="a bound"),
        pytest.param(seen(JUDGE, Finding.FAILED, kind="FAIL", lane="clear errors"), id="a judge"),
        pytest.param(seen(ROWS, Finding.FAILED, kind="FAIL", lane="clear errors"), id="before and after"),
        pytest.param(seen({**JUDGE, "on_trip": "fail"}, Finding.GOING, trips=1), id="a trip that is final"),
    ],
)
def test_whoever_fails_ends_it_whatever_the_others_say(failing: Seen) -> None:
    other = seen({**BOUND, "name": "other"}, Finding.OK)

    found = decided(other, failing)

    assert found is not None
    assert found.kind == "FAIL"
    assert found.line.startswith(f"FAIL 00:01:00: {failing.line}; other ")
    assert found.lane == (
        "" if failing.gate.name == "errors" else "emergency" if failing.state.trips else "clear errors"
    )


def test_a_first_trip_is_told_and_looked_at_again() -> None:
    assert kind(seen(JUDGE, Finding.GOING, kind="TRIP", trips=1)) is None


def test_a_pass_that_leans_towards_worse_now_is_none() -> None:
    leaning = seen(JUDGE, Finding.BREACH, kind="PASS")

    assert kind(leaning, after_s=MAX_S) is None
    assert kind(leaning, after_s=MAX_S + OVERTIME_S) == "INCONCLUSIVE"


def test_silence_of_one_gate_ends_it_and_never_as_a_pass() -> None:
    silent, passed = seen(BOUND, Finding.BLIND), seen(JUDGE, Finding.OK, kind="PASS")

    assert kind(silent, passed, after_s=119) is None
    found = decided(silent, passed, after_s=120)
    assert found is not None
    assert (found.kind, found.reason) == ("NO_DATA", "no data")


@pytest.mark.parametrize("word", ["INCONCLUSIVE", "NO_DATA"])
def test_what_a_judge_could_not_tell_comes_out_with_what_was_missing(word: str) -> None:
    unclear = seen(JUDGE, Finding.GOING, kind=word, reason="too few requests", need="about 9,000 requests")

    found = decided(unclear, after_s=MAX_S)

    assert found is not None
    assert (found.kind, found.reason, found.need) == (word, "too few requests", "about 9,000 requests")


@pytest.mark.parametrize(
    ("open_", "kind_", "reason"),
    [
        pytest.param(seen(BOUND, Finding.THIN), "INCONCLUSIVE", "too few requests", id="thin"),
        pytest.param(
            seen(BOUND, Finding.BREACH), "INCONCLUSIVE", "leaning", id="broken, not for long enough"
        ),
        pytest.param(seen(BOUND, Finding.BLIND, seen_at=BEGAN + MAX_S), "NO_DATA", "no data", id="blind"),
        pytest.param(seen(JUDGE, Finding.GOING), "NO_DATA", "no data", id="its last samples never came"),
    ],
)
def test_after_its_time_it_is_over_and_says_why(open_: Seen, kind_: str, reason: str) -> None:
    assert decided(open_, after_s=MAX_S + OVERTIME_S - 1) is None
    found = decided(open_, after_s=MAX_S + OVERTIME_S)

    assert found is not None
    assert (found.kind, found.reason) == (kind_, reason)
    assert found.need


def test_one_that_comes_up_after_the_end_gets_its_look() -> None:
    late = MAX_S + 5 * OVERTIME_S

    assert kind(seen(BOUND, Finding.THIN), after_s=late, since=BEGAN + late - 1) is None


def test_before_and_after_alone_never_pass_unless_asked_to() -> None:
    passed = seen(ROWS, Finding.OK, kind="PASS")

    found = decided(passed)
    assert found is not None
    assert (found.kind, found.reason) == ("INCONCLUSIVE", "weak")
    assert "weak_is_enough=True" in found.need
    assert kind(passed, weak=True) == "PASS"
    assert kind(passed, seen(BOUND, Finding.OK)) == "PASS"


def test_an_observed_bound_is_no_company_for_before_and_after() -> None:
    assert (
        kind(seen(ROWS, Finding.OK, kind="PASS"), seen({**BOUND, "mode": "observe"}, Finding.OK))
        == "INCONCLUSIVE"
    )


def test_observed_gates_decide_nothing_beside_others_and_are_told() -> None:
    found = decided(seen(JUDGE, Finding.OK, kind="PASS"), seen({**BOUND, "mode": "observe"}, Finding.FAILED))

    assert found is not None
    assert found.kind == "PASS"
    assert "errors 0, allowed at most 0.01: broken" in found.line


def test_when_all_are_observed_it_tells_what_it_would_have_been() -> None:
    found = decided(seen({**JUDGE, "mode": "observe"}, Finding.FAILED, kind="FAIL", lane="clear errors"))

    assert found is not None
    assert (found.kind, found.lane) == ("OBSERVED", "clear errors")
    assert found.line.startswith(
        "OBSERVED, and nothing was stopped; it would have been FAIL 00:01:00: judge: FAIL"
    )


def order(*gates: Any, **more: Any) -> HealthOrder:
    given = {
        "candidate": "shop-v2",
        "stable": "shop",
        "namespace": "web",
        "began_at": BEGAN,
        "until": BEGAN + MAX_S,
    }
    return HealthOrder.parse({"gates": list(gates), **given, **more})


@pytest.mark.parametrize(
    ("gate", "more", "said"),
    [
        pytest.param(JUDGE, {"stable": None}, "saw no `stable`", id="nobody to compare with"),
        pytest.param(JUDGE, {"namespace": ""}, "saw no `namespace`", id="nowhere"),
        pytest.param(
            {**BOUND, "query": "a{b='$pods'}"}, {"namespace": ""}, "no `namespace`", id="pods of nowhere"
        ),
        pytest.param(
            {**BOUND, "query": "$candidate / $stable"}, {"stable": None}, "no `stable`", id="in a query"
        ),
        pytest.param(
            JUDGE, {"until": BEGAN + 200}, "passes nothing before 300 s", id="too short for a judge"
        ),
        pytest.param(
            judge(preset="demo", on_inconclusive="ask"), {}, "saw 'ask', but this sensor", id="nobody to ask"
        ),
        pytest.param(BOUND, {"stable_pods": "shop-["}, "stable_pods: saw 'shop-\\['", id="no pattern"),
    ],
)
def test_an_order_that_cannot_work_is_refused(gate: Any, more: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        order(gate, **more)


def test_no_gate_at_all_could_only_be_green() -> None:
    with pytest.raises(ArgumentError, match="at least one"):
        order()


def test_two_gates_of_one_name_are_refused() -> None:
    with pytest.raises(ArgumentError, match="two are called 'errors'"):
        order(BOUND, BOUND)


def test_pods_are_asked_for_only_where_a_gate_reads_them() -> None:
    def needs(gate: Any) -> list[bool]:
        return [order(gate).needs_pods(side) for side in ("candidate", "stable")]

    assert needs(JUDGE) == [False, False]
    assert needs(judge(preset="demo")) == [True, True]
    assert needs({**BOUND, "query": "a{pod=~'$pods'}"}) == [True, False]
    assert needs(ROWS) == [False, False]


def test_a_moment_that_is_left_open_is_the_beginning_and_stays_it() -> None:
    (gate,) = order(ROWS).asked

    assert getattr(gate, "moment", None) == BEGAN


def test_a_moment_without_an_after_is_refused_when_the_watch_begins() -> None:
    late = order({**ROWS, "moment": BEGAN + MAX_S})

    with pytest.raises(
        ArgumentError, match="saw a moment 600 s from now, expected one before the watch is over"
    ):
        late.check_moments()
    order({**ROWS, "moment": BEGAN - 50, "after_s": 10}).check_moments()


def test_judges_of_one_sensor_share_its_chance_to_be_wrong() -> None:
    gates = parse_health_gates([judge("pods", preset="demo"), judge("gateway", preset="envoy")])

    assert [one.settings(max_s=900.0).alpha for one in gates if isinstance(one, JudgeGate)] == [0.03, 0.03]
