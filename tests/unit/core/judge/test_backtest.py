"""Pods split in two: how they are split, what a trip does, and what counts as a witness."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.canary_bench.wilson import wilson as known
from cd_provider.core.judge.backtest import Stretch, Tally, Tried, judge_split, splits, wilson
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.settings import AWAY_ALONE_S, AWAY_S, JudgeSettings
from cd_provider.core.judge.trial import Ended, Trial
from tests.unit.core.judge.hand_made import canary, pods

SETTINGS = JudgeSettings(max_s=600.0)
BEGAN = 3600.0


def record(number: int = 4, share: float = 0.002) -> list[Tick]:
    """An hour and ten minutes of stable alone."""
    return canary([], pods(number, 10.0, share), upto_s=BEGAN + 600.0, span_s=10.0)


def stretch(ticks: list[Tick] | None = None) -> Stretch:
    return Stretch.of(ticks or record(), began_at=BEGAN, max_s=600.0)


def test_a_stretch_has_the_hour_before_and_the_canarys_time() -> None:
    found = stretch()

    assert (found.ticks[0].at, found.began_at, found.ticks[-1].at) == (10.0, BEGAN, BEGAN + 600.0)
    assert found.pods == ("s0", "s1", "s2", "s3")


def test_a_pod_that_comes_or_goes_meanwhile_takes_no_part() -> None:
    ticks = [
        replace(
            tick,
            stable={pod: one for pod, one in tick.stable.items() if pod != "s1" or tick.at < BEGAN + 300},
        )
        for tick in record()
    ]

    assert stretch(ticks).pods == ("s0", "s2", "s3")


def test_splits_are_different_ones_and_the_same_for_the_same_seed() -> None:
    found = splits(stretch(), SETTINGS, count=10)

    assert len({one.candidate for one in found}) == 6  # two of four: there are no more
    assert {len(one.candidate) for one in found} == {2}
    assert found == splits(stretch(), SETTINGS, count=10)
    assert splits(stretch(), SETTINGS, count=1, seed="a") != splits(stretch(), SETTINGS, count=1, seed="c")


@pytest.mark.parametrize(("number", "size", "count"), [(1, None, 0), (2, None, 2), (3, 3, 0), (3, 1, 3)])
def test_it_takes_pods_on_both_sides(number: int, size: int | None, count: int) -> None:
    assert len(splits(stretch(record(number)), SETTINGS, count=5, pods=size)) == count


def test_pods_alike_pass_and_half_that_fail_do_not() -> None:
    alike = judge_split(splits(stretch(), SETTINGS, count=1)[0])
    bad = [
        replace(
            tick,
            stable={
                pod: Counts(one.requests, one.requests * 0.4, one.slow)
                if pod in ("s0", "s1") and tick.at > BEGAN
                else one
                for pod, one in tick.stable.items()
            },
        )
        for tick in record()
    ]
    split = next(one for one in splits(stretch(bad), SETTINGS, count=6) if one.candidate == ("s0", "s1"))

    assert (alike.ended.kind, alike.ended.trips, alike.ended.off_s) == ("PASS", 0, None)
    ended = judge_split(split).ended
    assert (ended.kind, ended.trips) == ("FAIL", 2)
    assert ended.off_s is not None
    assert ended.at >= ended.off_s + AWAY_S


def test_samples_that_end_early_are_no_verdict() -> None:
    short = [tick for tick in record() if tick.at <= BEGAN + 100]

    assert judge_split(splits(stretch(short), SETTINGS, count=1)[0]).ended.kind == "NO_DATA"


@pytest.mark.parametrize(("number", "away_s"), [(1, AWAY_ALONE_S), (2, AWAY_S)])
def test_after_a_trip_the_candidate_is_away_and_its_requests_are_not_there(
    number: int, away_s: float
) -> None:
    trial = Trial(SETTINGS, pods=number)
    ticks = canary(pods(number, 20.0, 0.5), pods(3, 20.0, 0.001), upto_s=200.0)
    asked = []
    for tick in ticks:
        trial.step(tick)
        asked.append(trial.seen)
        if trial.ended():
            break

    tripped = trial.off_s or 0.0
    first = round(tripped / 5.0)
    assert asked[first - 1] == asked[first - 1 + round(away_s / 5.0)]
    ended = trial.ended()
    assert ended is not None
    assert (ended.kind, ended.trips) == ("FAIL", 2)
    assert ended.at > tripped + away_s


def tried(began_at: float, kind: str, trips: int = 0) -> Tried:
    return Tried(began_at, ("s0",), Ended(kind, 200.0, None, trips, "line", 100.0))  # type: ignore[arg-type]


def test_splits_of_the_same_minutes_are_one_witness() -> None:
    tally = Tally(
        (*[tried(0.0, "FAIL")] * 3, tried(0.0, "PASS"), *[tried(at, "PASS") for at in (1.0, 2.0, 3.0)])
    )

    failed = tally.count("FAIL")
    assert tally.stretches == 4
    assert (failed.runs, failed.share) == (3, 0.75 / 4)
    assert (failed.low, failed.high) == wilson(0.75, 4)


def test_stopped_is_who_tripped_or_failed_each_once() -> None:
    tally = Tally(
        (tried(0.0, "FAIL", 2), tried(1.0, "PASS", 1), tried(2.0, "INCONCLUSIVE"), tried(3.0, "FAIL"))
    )

    assert (tally.stopped.runs, tally.count("TRIP").runs, tally.count("FAIL").runs) == (3, 2, 2)
    assert [at for at, _ in tally.worst()] == [0.0, 1.0, 3.0]


@pytest.mark.parametrize(("hits", "of"), [(0, 0), (0, 20), (3, 20), (20, 20)])
def test_the_interval_is_wilsons(hits: int, of: int) -> None:
    assert wilson(hits, of) == pytest.approx(known(hits, of))


def test_nothing_tried_is_nothing_known() -> None:
    assert (Tally().stopped.low, Tally().stopped.high) == (0.0, 1.0)
