"""Through the record's clock: counters that begin anew, are read at odd times, or all at once."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate

import pytest

from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.series import Series, Side
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.exceptions import ArgumentError
from tests.unit.core.judge.hand_made import EDGES, canary, pods
from tests.unit.core.judge.pitfalls import SPAN_S, USUAL


def series(ticks: Sequence[Tick], *, reset_at: float = math.inf, stable_every: int = 1) -> list[Series]:
    """Give the counters that would have been read; at ``reset_at`` the candidate's began anew."""
    found = []
    for pod in ticks[0].candidate:
        rows = [(tick.at, tick.candidate[pod]) for tick in ticks]
        found += counters("candidate", pod, rows, reset_at, every=1)
    for pod in ticks[0].stable:
        rows = [(tick.at, tick.stable[pod]) for tick in ticks]
        found += counters("stable", pod, rows, math.inf, every=stable_every)
    return found


def counters(
    side: Side, pod: str, rows: Sequence[tuple[float, Counts]], reset_at: float, *, every: int
) -> list[Series]:
    names = ["good", "bad", *(f"le {edge}" for edge in EDGES)]
    totals, samples = [0.0] * len(names), [[(0.0, 0.0)] for _ in names]
    for number, (at, done) in enumerate(rows, 1):
        now = (done.requests - done.errors, done.errors, *accumulate(done.slow))
        for which, amount in enumerate(now):
            totals[which] = amount + (0.0 if at == reset_at else totals[which])
            if number % every == 0:
                samples[which].append((at, totals[which]))
    edges = (None, None, *EDGES)
    return [
        Series(f"{pod} {name}", side, pod, read, name == "bad", edge)
        for name, read, edge in zip(names, samples, edges, strict=True)
    ]


def judged(every: Sequence[Series], *, answers: Sequence[float], interval_s: float = SPAN_S) -> list[str]:
    """Judge what a metrics server answers when it is asked at these times, each time for all it has."""
    aligner, judge = Aligner(started_at=0.0, interval_s=interval_s), Judge(JudgeSettings(), past=USUAL)
    found = []
    for asked in answers:
        answer = [replace(one, samples=[s for s in one.samples if s[0] <= asked]) for one in every]
        found += [judge.step(tick) for tick in aligner.feed(answer)]
    return [f"{one.kind} {one.lane or one.reason} {one.at:g}" for one in found if one]


FAILING, HEALTHY = (
    canary(pods(2, 5.0, share), pods(2, 10.0, 0.001), span_s=SPAN_S) for share in (0.02, 0.001)
)


def test_ten_minutes_without_a_look_change_neither_the_verdict_nor_its_time() -> None:
    every = series(FAILING[:40])
    whenever = judged(every, answers=[15.0 * number for number in range(1, 41)])

    assert len(whenever) == 1
    assert whenever[0].startswith("FAIL clear errors")
    assert judged(every, answers=[15.0, 30.0, 600.0]) == whenever
    assert judged(every, answers=[600.0]) == whenever


def test_a_counter_that_begins_anew_is_no_alarm_and_hides_none() -> None:
    plain = judged(series(HEALTHY), answers=[1800.0])

    assert plain[0].startswith("PASS")
    assert judged(series(HEALTHY, reset_at=150.0), answers=[1800.0]) == plain
    fails = judged(series(FAILING), answers=[1800.0])
    assert judged(series(FAILING, reset_at=90.0), answers=[1800.0]) == fails


@pytest.mark.parametrize(
    ("ticks", "word"), [(FAILING, "FAIL"), (HEALTHY, "PASS")], ids=["failing", "healthy"]
)
def test_sides_that_are_read_at_different_intervals_are_judged_at_the_longer_one(
    ticks: list[Tick], word: str
) -> None:
    found = judged(series(ticks, stable_every=2), answers=[1800.0], interval_s=2 * SPAN_S)

    assert [one.split()[0] for one in found] == [word]


def test_what_no_counter_can_do_is_an_error_that_names_the_pod_and_never_a_verdict() -> None:
    for wrong in (Counts(math.nan), Counts(-1.0), Counts(5.0, -2.0), Counts(5.0, math.inf)):
        both = {"web-6": Counts(5.0), "web-7": wrong}
        for side, tick in (("candidate", Tick(5.0, 5.0, both)), ("stable", Tick(5.0, 5.0, {}, both))):
            judge = Judge(JudgeSettings())
            with pytest.raises(ArgumentError, match=f"{side} pod web-7 at 5: saw"):
                judge.step(tick)
            assert judge.verdict is None


def test_a_bucket_below_nothing_is_an_error_too() -> None:
    with pytest.raises(ArgumentError, match="requests in a latency bucket"):
        Judge(JudgeSettings()).step(Tick(5.0, 5.0, {"c": Counts(5.0, 0.0, (6.0, -1.0))}, {}, (0.1, math.inf)))
