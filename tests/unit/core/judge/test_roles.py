"""Metrics that do not decide: they change nothing, they cost nothing, and people are told what they would have done."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.verdict import Judged
from tests.unit.core.judge.hand_made import EDGES, buckets, canary, pods, usual, verdicts

SPAN_S = 30.0
LATENCY_ASIDE = JudgeSettings(latency=False, aside={"latency": "advisory"}, max_s=600.0)
ERRORS_ASIDE = JudgeSettings(errors=False, aside={"errors": "advisory"}, max_s=600.0)

Rows = Sequence[
    tuple[int, int, int]
]  # of each tick: errors of a candidate and a stable pod; how slow, in tenths
rows = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 3), st.integers(5, 40)), min_size=20, max_size=20
)


def ticks(given: Rows) -> list[Tick]:
    """Give ten minutes of two and two pods of sixty requests a tick."""

    def side(name: str, errors: float, slower: float) -> dict[str, Counts]:
        return {f"{name}{pod}": Counts(60.0, errors, buckets(60.0, slower)) for pod in range(2)}

    return [
        Tick(number * SPAN_S, SPAN_S, side("c", ours, tenths / 10), side("s", theirs, 1.0), EDGES)
        for number, (ours, theirs, tenths) in enumerate(given, 1)
    ]


def outcome(seen: Sequence[Tick], how: JudgeSettings) -> list[tuple[str, float, str, str]]:
    """Give everything of the verdicts but the words, and after each tick whether a step could end."""
    judge, found = Judge(how, past=usual()), []
    for tick in seen:
        judged = judge.step(tick)
        said = (judged.kind, judged.at, judged.lane, judged.reason) if judged else ("", tick.at, "", "")
        found.append((*said[:3], f"{said[3]} {judge.calm(judge.at)}"))
    return found


@settings(max_examples=10, deadline=None)
@given(rows)
def test_latencies_that_do_not_decide_never_change_the_outcome(given: Rows) -> None:
    as_stable = [(ours, theirs, 10) for ours, theirs, _ in given]

    assert outcome(ticks(given), LATENCY_ASIDE) == outcome(ticks(as_stable), LATENCY_ASIDE)


@settings(max_examples=10, deadline=None)
@given(rows)
def test_errors_that_do_not_decide_never_change_the_outcome(given: Rows) -> None:
    without = [(0, 0, tenths) for _, _, tenths in given]

    assert outcome(ticks(given), ERRORS_ASIDE) == outcome(ticks(without), ERRORS_ASIDE)


@settings(max_examples=5, deadline=None)
@given(rows)
def test_what_they_are_called_changes_the_words_alone(given: Rows) -> None:
    dry = replace(LATENCY_ASIDE, aside={"latency": "dry run"})

    assert outcome(ticks(given), dry) == outcome(ticks(given), LATENCY_ASIDE)


def told(how: JudgeSettings, share: float, slower: float) -> list[Judged]:
    seen = canary(pods(3, 5.0, share, slower), pods(3, 10.0, 0.001), span_s=15.0, upto_s=600.0)
    return verdicts(seen, how, usual())


@pytest.mark.parametrize("word", ["advisory", "dry run"])
def test_latency_that_would_have_failed_is_told_beside_a_pass(word: str) -> None:
    found = told(replace(LATENCY_ASIDE, aside={"latency": word}), 0.001, 2.0)

    assert [one.kind for one in found] == ["PASS"]
    assert f": errors of 0.5 % excluded; {word}: latency would have failed at 00:0" in found[0].line


def test_errors_that_would_have_tripped_are_told_beside_a_fail_by_latency() -> None:
    (found,) = told(ERRORS_ASIDE, 0.5, 2.0)

    assert (found.kind, found.lane.split()[1]) == ("FAIL", "latency")
    assert found.line.endswith("; advisory: errors would have tripped at 00:00:15")


def test_an_advisory_one_without_a_word_is_silent_and_a_dry_run_says_so() -> None:
    (silent,) = told(LATENCY_ASIDE, 0.001, 1.0)
    (said,) = told(replace(LATENCY_ASIDE, aside={"latency": "dry run"}), 0.001, 1.0)

    assert "advisory" not in silent.line
    assert said.line.endswith("; dry run: nothing against latency")


def test_it_is_told_where_nothing_could_be_decided_too() -> None:
    seen = canary(pods(2, 0.5, 0.001, 4.0), pods(3, 1.0, 0.001), span_s=15.0, upto_s=600.0)
    (found,) = verdicts(seen, LATENCY_ASIDE, usual())

    assert (found.kind, found.reason) == ("INCONCLUSIVE", "too few requests")
    assert "2x the errors; needed" in found.line
    assert "; advisory: latency would have failed at " in found.line


def test_one_that_does_not_decide_takes_no_alpha_from_the_other() -> None:
    assert LATENCY_ASIDE.alpha_each == 2.0 * JudgeSettings().alpha_each
    assert told(ERRORS_ASIDE, 0.001, 1.12)[0].at <= told(JudgeSettings(max_s=600.0), 0.001, 1.12)[0].at
