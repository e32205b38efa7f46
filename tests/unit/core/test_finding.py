from __future__ import annotations

from typing import Any

import pytest

from cd_provider.core.finding import Finding, GateState, Reading, look, sentence
from cd_provider.core.gate import Gate, promql


def gate(**changed: Any) -> Gate:
    query = 'sum(rate(bad{svc="$candidate"}[$window])) / sum(rate(all{svc="$candidate"}[$window]))'
    return Gate.parse(promql("errors", **{"query": query, "max": 0.01, **changed}))


def judged(one: Gate, *readings: Reading) -> GateState:
    state = GateState.opened(at=0.0)
    for reading in readings:
        state = look(one, state, reading)
    return state


def test_the_bound_itself_passes() -> None:
    assert judged(gate(), Reading(1, 0.01)).finding is Finding.OK
    assert judged(gate(max=None, min=5), Reading(1, 5.0)).finding is Finding.OK


def test_a_value_outside_the_bound_fails() -> None:
    assert judged(gate(), Reading(1, 0.0101)).finding is Finding.FAILED
    assert judged(gate(max=None, min=5), Reading(1, 4.9)).finding is Finding.FAILED


@pytest.mark.parametrize("silent", [Reading(2), Reading(2, error="503")], ids=["no-data", "error"])
def test_silence_does_not_pass(silent: Reading) -> None:
    state = judged(gate(), Reading(1, 0.001), silent)

    assert state.finding is Finding.BLIND
    assert state.seen_at == 1


def test_silence_does_not_forgive_a_breach() -> None:
    one = gate(for_s=10)

    state = judged(one, Reading(1, 0.5), Reading(5), Reading(11, 0.5))

    assert state.finding is Finding.FAILED


def test_a_kept_bound_forgives_a_short_breach() -> None:
    one = gate(for_s=10)

    state = judged(one, Reading(1, 0.5), Reading(5, 0.0), Reading(11, 0.5))

    assert state.finding is Finding.BREACH


def test_too_few_requests_are_neither_good_nor_bad() -> None:
    one = gate(min_requests=100)

    assert judged(one, Reading(1, 0.9, requests=99)).finding is Finding.THIN
    assert judged(one, Reading(1, 0.0, requests=99)).finding is Finding.THIN
    assert judged(one, Reading(1, 0.0)).finding is Finding.THIN
    assert judged(one, Reading(1, 0.9, requests=100)).finding is Finding.FAILED


def test_the_sentence_gives_the_numbers_first() -> None:
    one = gate(min_requests=10)

    assert sentence(one, judged(one, Reading(1, 0.31, 42.0))) == (
        "errors 0.31 in 42 requests, allowed at most 0.01: broken"
    )
    assert "no data (503)" in sentence(one, judged(one, Reading(1, error="503")))
    assert "3 of 10 requests" in sentence(one, judged(one, Reading(1, 0.3, 3.0)))
