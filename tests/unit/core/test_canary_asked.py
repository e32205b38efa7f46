"""A canary that asks a person: the weight is held, and a yes covers what was asked alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cd_provider.core.canary import decide
from cd_provider.core.finding import Finding, sentence
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.override import Answer, Override
from cd_provider.core.situation import Hold, Passed, Situation, Stop
from cd_provider.core.traffic import Weights
from tests.unit.core.canary_seen import (
    GATE,
    PLAN,
    candidate,
    pod,
    seen,
    state,
)

ASKS = JudgeGate.parse(judge(preset="demo", on_inconclusive="ask", ask_s=300))
ASKING = replace(PLAN, gates=(ASKS,), deadline=2000.0)
YES = Answer(Override("ada", "nobody shops at night"))


def asked(finding: Finding, *, now: float = 1100.0, seen_at: float | None = None, **more: Any) -> Situation:
    """Give a canary whose last step's time is over, and what its judge says."""
    said = state(finding, at=now, seen_at=now if seen_at is None else seen_at)
    whole = {
        "step": 1,
        "step_started": 1000.0,
        "weights": Weights.of(50),
        "pods": [pod(), pod("b"), pod("c")],
    }
    return seen(**{**whole, "candidate": candidate(3), "now": now, "gates": [said], **more})


def test_a_judge_that_cannot_decide_asks_and_holds_the_weight() -> None:
    action = decide(ASKING, asked(Finding.ASKED))

    assert isinstance(action, Hold)
    assert (action.asks, action.left_s) == (True, 900.0)
    assert action.reason.startswith("a person is asked whether it goes on all the same: judge")


def test_a_yes_is_taken_for_the_gate_and_stands_as_theirs() -> None:
    action = decide(ASKING, asked(Finding.ASKED, answer=YES))

    assert isinstance(action, Passed)
    assert action.kind == "OVERRIDE"


@pytest.mark.parametrize("finding", [Finding.BLIND, Finding.THIN])
def test_silence_is_asked_about_and_then_taken_off(finding: Finding) -> None:
    heard = 1060.0 if finding is Finding.THIN else 1050.0  # too few requests count from the step's end

    def at(silent_s: float, **more: Any) -> Any:
        return decide(ASKING, asked(finding, now=heard + silent_s, seen_at=heard, **more))

    before, question, end = at(119.0), at(120.0), at(420.0)

    assert isinstance(before, Hold)
    assert not before.asks
    assert isinstance(question, Hold)
    assert (question.asks, question.left_s) == (True, 300.0)
    assert end == Stop("INCONCLUSIVE", f"{sentence(ASKS, state(finding))}, for 420 s, and nobody took it on")
    assert isinstance(at(120.0, answer=YES), Passed)
    assert isinstance(at(420.0, answer=YES), Passed)


def test_the_question_ends_with_the_canarys_time() -> None:
    action = decide(ASKING, asked(Finding.ASKED, now=2000.0))

    assert isinstance(action, Stop)
    assert action.kind == "INCONCLUSIVE"


@pytest.mark.parametrize("finding", [Finding.FAILED, Finding.BREACH])
def test_a_yes_does_not_cover_what_is_seen_to_be_bad(finding: Finding) -> None:
    action = decide(ASKING, asked(finding, answer=YES))

    assert isinstance(action, Stop if finding is Finding.FAILED else Hold)


def test_a_yes_covers_no_gate_that_did_not_ask() -> None:
    both = replace(ASKING, gates=(GATE, ASKS))
    blind = [state(Finding.BLIND, at=1100.0, seen_at=1090.0), state(Finding.ASKED, at=1100.0, seen_at=1100.0)]

    action = decide(both, asked(Finding.ASKED, gates=blind, answer=YES))

    assert isinstance(action, Hold)
    assert "errors: no data" in action.reason


def test_an_answer_that_was_not_understood_is_told_with_the_question() -> None:
    action = decide(ASKING, asked(Finding.ASKED, answer=Override.answer({"by": "ada"})))

    assert isinstance(action, Hold)
    assert "not understood: override: reason is missing" in action.reason


def test_nobody_is_asked_while_the_judge_goes_on() -> None:
    action = decide(ASKING, asked(Finding.GOING))

    assert isinstance(action, Hold)
    assert not action.asks
