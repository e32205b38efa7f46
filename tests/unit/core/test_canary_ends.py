"""How a canary ends: a pass is earned by kept gates alone, silence is held, and a person's word is kept as theirs."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.canary import decide
from cd_provider.core.finding import Finding
from cd_provider.core.situation import Hold, Passed, Stop
from cd_provider.core.traffic import Weights
from tests.unit.core.canary_seen import (
    GATE,
    PLAN,
    candidate,
    last,
    pod,
    seen,
    state,
    stop_of,
)


def test_where_every_gate_only_observes_nothing_was_judged_and_it_says_so() -> None:
    plan = replace(PLAN, gates=(replace(GATE, mode="observe"),))

    found = decide(plan, last())

    assert isinstance(found, Passed)
    assert found.kind == "OBSERVED"
    assert found.line.startswith("nothing was judged, every gate only observes: errors 0 in 50 requests")


def test_without_gates_the_pods_are_what_was_judged() -> None:
    found = decide(replace(PLAN, gates=()), last(gates=[]))

    assert found == Passed("every pod stayed healthy (no gates were asked for)", "PASS")


@pytest.mark.parametrize("finding", [Finding.BLIND, Finding.THIN, Finding.GOING])
def test_what_cannot_be_judged_is_let_through_by_a_persons_word_alone(finding: Finding) -> None:
    unknown = [state(finding, at=1031, seen_at=0, requests=3, value=0.0)]

    found = decide(replace(PLAN, override=True), last(gates=unknown))

    assert isinstance(found, Passed)
    assert found.kind == "OVERRIDE"
    assert isinstance(decide(PLAN, last(gates=unknown)), Hold | Stop)


def test_a_persons_word_is_not_needed_where_every_gate_is_kept() -> None:
    found = decide(replace(PLAN, override=True), last())

    assert isinstance(found, Passed)
    assert found.kind == "PASS"


@pytest.mark.parametrize("finding", [Finding.FAILED, Finding.BREACH])
def test_a_persons_word_excuses_nothing_that_is_seen_to_be_bad(finding: Finding) -> None:
    bad = [state(finding, at=1031, value=0.3, requests=50)]

    assert isinstance(decide(replace(PLAN, override=True), last(gates=bad)), Hold | Stop)
    assert not isinstance(decide(replace(PLAN, override=True), last(pods=[pod(ready=False)])), Passed)
    assert stop_of(last(now=10_000.0, gates=bad), replace(PLAN, override=True)).kind in (
        "FAIL",
        "INCONCLUSIVE",
    )


def test_an_observed_gate_stops_nothing_and_holds_nothing() -> None:
    watching = replace(PLAN, gates=(replace(GATE, mode="observe"),))
    last = seen(
        step=1, now=1031.0, candidate=candidate(2), pods=[pod("a"), pod("b")], weights=Weights.of(50),
        gates=[state(Finding.FAILED, value=0.3)],
    )  # fmt: skip

    assert isinstance(decide(watching, last), Passed)


def test_silence_is_held_then_inconclusive() -> None:
    silent = [state(Finding.BLIND, seen_at=900.0, error="503")]

    assert isinstance(decide(PLAN, seen(now=1019.0, candidate=candidate(2), gates=silent)), Hold)
    stop = stop_of(seen(now=1020.0, gates=silent))
    assert stop.kind == "INCONCLUSIVE"
    assert "503" in stop.line


def test_few_requests_are_waited_for_until_after_the_steps_own_time() -> None:
    thin = [state(Finding.THIN, requests=3.0)]

    assert isinstance(decide(PLAN, seen(now=1149.0, candidate=candidate(2), gates=thin)), Hold)
    assert stop_of(seen(now=1150.0, gates=thin)).kind == "INCONCLUSIVE"


def test_a_cluster_that_gives_no_answer_is_silence_too() -> None:
    assert stop_of(seen(blind_since=880.0)).kind == "INCONCLUSIVE"


def test_without_gates_pod_health_alone_decides_and_says_so() -> None:
    last = seen(
        step=1,
        now=1031.0,
        candidate=candidate(2),
        pods=[pod("a"), pod("b")],
        weights=Weights.of(50),
        gates=[],
    )

    action = decide(replace(PLAN, gates=()), last)

    assert isinstance(action, Passed)
    assert "no gates" in action.line


@given(
    now=st.floats(0, 20_000),
    step=st.integers(-1, 1),
    started=st.one_of(st.none(), st.floats(0, 20_000)),
    weight=st.integers(0, 100),
    finding=st.sampled_from(list(Finding)),
    looked=st.floats(0, 20_000),
    ready=st.integers(0, 4),
    wanted=st.integers(0, 4),
    blind=st.one_of(st.none(), st.floats(0, 20_000)),
)
def test_nothing_but_a_kept_gate_in_the_last_step_ever_passes(
    now: float, step: int, started: float | None, weight: int, finding: Finding, looked: float, ready: int,
    wanted: int, blind: float | None,
) -> None:  # fmt: skip
    situation = seen(
        now=now, step=step, step_started=started, weights=Weights.of(weight), blind_since=blind,
        gates=[state(finding, at=looked, seen_at=looked, value=0.0, requests=50)],
        candidate=candidate(wanted), pods=[pod(str(number)) for number in range(ready)],
    )  # fmt: skip

    action = decide(PLAN, situation)

    if isinstance(action, Passed):
        assert finding is Finding.OK
        assert step == 1
        assert started is not None
        assert now >= started + 60
        assert looked >= started
        assert weight == 50
        assert ready >= 2
