"""Before and after: what the clear lane says of two stretches of time, and that it says how weak that is."""

from __future__ import annotations

import pytest

from cd_provider.core.before_after import BeforeAfter, before_after
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge.weak import WeakJudge
from cd_provider.exceptions import ArgumentError

MOMENT, TICK_S, BEFORE_S, AFTER_S = 10_000.0, 5.0, 3600.0, 600.0
SETTINGS = BeforeAfter.parse(before_after(total="rows", bad="bad")).settings()


def judged(
    before: float, after: float, *, rows: float = 100.0, before_rows: float | None = None
) -> tuple[WeakJudge, Judged | None]:
    """Judge ten minutes after an hour; ``before`` and ``after`` are shares, rows come with each tick of 5 s."""
    judge = WeakJudge(SETTINGS, moment=MOMENT, until=MOMENT + AFTER_S)
    said = None
    for number in range(1, int((BEFORE_S + AFTER_S) / TICK_S) + 1):
        at = MOMENT - BEFORE_S + TICK_S * number
        now = rows if at > MOMENT or before_rows is None else before_rows
        done = Counts(now, now * (after if at > MOMENT else before))
        said = judge.step(Tick(at, TICK_S, {"all": done})) or said
    return judge, said


def test_ten_times_as_many_bad_ones_fail_long_before_the_end() -> None:
    _, said = judged(before=0.004, after=0.04)

    assert said is not None
    assert (said.kind, said.lane) == ("FAIL", "clear errors")
    assert said.at < AFTER_S / 2
    assert "bad 4.0 % after vs 0.4 % before (10x, tolerated up to 3x)" in said.line
    assert "weak, since before/after: time is confounded" in said.line


def test_what_was_before_is_counted_once() -> None:
    _, said = judged(before=0.0, after=0.01, rows=8.0)

    assert said is not None
    assert (said.kind, said.at) == ("FAIL", 400.0)  # 340 s if the hour stood beside it twice


def test_no_single_minute_fails_it() -> None:
    judge = WeakJudge(SETTINGS, moment=MOMENT, until=MOMENT + AFTER_S)
    judge.step(Tick(MOMENT, TICK_S, {"all": Counts(100_000, 100)}))

    assert judge.step(Tick(MOMENT + 30, TICK_S, {"all": Counts(10_000, 10_000)})) is None


@pytest.mark.parametrize("after", [0.004, 0.01], ids=["the same", "less than three times"])
def test_what_is_tolerated_passes_at_the_end_and_not_before(after: float) -> None:
    _, said = judged(before=0.004, after=after)

    assert said is not None
    assert said.kind == "PASS", said.line
    assert said.at == AFTER_S
    assert said.line.endswith("6x the share excluded (weak, since before/after: time is confounded)")


def test_without_bad_ones_it_passes_by_the_share_alone() -> None:
    _, said = judged(before=0.0, after=0.0)

    assert said is not None
    assert said.kind == "PASS"


def test_few_rows_are_no_pass_and_it_says_how_many_it_takes() -> None:
    _, said = judged(before=0.0, after=0.0, rows=1.0)

    assert said is not None
    assert (said.kind, said.reason) == ("INCONCLUSIVE", "too few requests")
    assert said.need == "about 1,100 events after the moment, were they all good"


@pytest.mark.parametrize(
    ("rows", "before_rows", "kind", "reason"),
    [
        pytest.param(0.0, 100.0, "NO_DATA", "no traffic", id="nothing after"),
        pytest.param(100.0, 0.0, "INCONCLUSIVE", "no baseline", id="nothing before"),
    ],
)
def test_silence_on_either_side_is_no_pass(rows: float, before_rows: float, kind: str, reason: str) -> None:
    _, said = judged(0.0, 0.0, rows=rows, before_rows=before_rows)

    assert said is not None
    assert (said.kind, said.reason) == (kind, reason)


def test_a_load_that_ends_early_is_judged_by_what_there_was() -> None:
    judge = WeakJudge(SETTINGS, moment=MOMENT, until=MOMENT + AFTER_S)
    judge.step(Tick(MOMENT, TICK_S, {"all": Counts(100_000, 400)}))
    judge.step(Tick(MOMENT + 60, TICK_S, {"all": Counts(10_000, 40)}))

    assert judge.finish().kind == "PASS"
    assert judge.finish() is judge.verdict
    assert judge.step(Tick(MOMENT + 90, TICK_S, {"all": Counts(10_000, 10_000)})) is None


def test_between_tolerated_and_shown_it_is_neither() -> None:
    _, said = judged(before=0.004, after=0.02, rows=20)

    assert said is not None
    assert (said.kind, said.reason) == ("INCONCLUSIVE", "leaning"), said.line


def test_a_count_that_cannot_be_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="expected 0 or more"):
        WeakJudge(SETTINGS, moment=MOMENT, until=MOMENT + 1).step(Tick(1.0, 1.0, {"all": Counts(-1.0)}))
