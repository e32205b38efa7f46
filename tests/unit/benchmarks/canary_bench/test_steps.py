"""Differences as arrays: the same events as in the scrapes that other judges are shown."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.canary_bench.families import FAMILIES
from benchmarks.canary_bench.generate import record
from benchmarks.canary_bench.judges.increase import Increase
from benchmarks.canary_bench.judges.ours import HISTORY_S, PAST_SPAN_S, OurEntry, Ticks, past
from benchmarks.canary_bench.regressions import HEALTHY, REGRESSIONS
from benchmarks.canary_bench.samples import EDGES, Setting
from benchmarks.canary_bench.scrape import Counted
from benchmarks.canary_bench.steps import coarse, steps
from benchmarks.canary_bench.surroundings import Pods
from cd_provider.core.judge.counts import check, together
from cd_provider.core.judge.past import look_back


@pytest.mark.parametrize("family", ["ideal", "lost-restarts", "H-15s"])
def test_ticks_have_the_events_that_the_scrapes_show(family: str) -> None:
    made = record(FAMILIES[family], HEALTHY, seed=5, run=0)
    candidate, stable = Increase(), Increase()
    for samples in made.scrapes():
        candidate.see(samples.candidate)
        stable.see(samples.stable)

    ticks = list(steps(made.live).ticks())

    for side, pods in ((candidate, [it.candidate for it in ticks]), (stable, [it.stable for it in ticks])):
        done, counted = together(one for tick in pods for one in tick.values()), side.take()
        assert (done.requests, done.errors) == (counted.requests, counted.errors)
        assert tuple(np.cumsum(done.slow)) == counted.buckets


def test_a_pod_is_there_when_it_was_scraped_now_and_some_time_before() -> None:
    family = replace(FAMILIES["ideal"], lost=0.3)
    made = record(family, HEALTHY, seed=1, run=0)
    known, expected = set[str](), list[tuple[float, set[str]]]()
    for samples in made.scrapes():
        now = {*samples.candidate, *samples.stable}
        expected.append((samples.at, now & known))
        known |= now

    assert [(it.at, {*it.candidate, *it.stable}) for it in steps(made.live).ticks()] == expected


def counted(*totals: tuple[float, float, float]) -> Counted:
    """Give a pod's scrapes: errors, requests up to the first edge, and all."""
    pods = Pods(("s",), np.array([False]), np.array([False]), (np.ones(1), np.ones(1)))
    rows = [[[errors, *(first for _ in EDGES[:-1]), every]] for errors, first, every in totals]
    at = 5.0 * np.arange(len(totals), dtype=np.float64)
    return Counted(pods, 5.0, at, np.array(rows), np.ones((len(totals), 1), dtype=np.bool_))


def test_a_restart_is_seen_by_any_part_that_fell() -> None:
    """The fourth scrape has more requests than the third, but fewer of them fast: it is another process."""
    ticks = list(steps(counted((0, 5, 9), (1, 7, 12), (0, 2, 2), (0, 1, 8))).ticks())

    found = [(it.stable["s"].requests, it.stable["s"].errors) for it in ticks[1:]]
    assert found == [(3, 1), (2, 0), (8, 0)]
    for tick in ticks:
        check(tick)


def test_ticks_are_put_together_from_the_end() -> None:
    fine = steps(counted((0, 0, 0), (0, 1, 1), (0, 3, 3), (0, 6, 6), (0, 10, 10)))

    ticks = list(coarse(fine, 10.0).ticks())

    assert [(it.at, it.span_s, it.stable["s"].requests) for it in ticks] == [(10, 10, 3), (20, 10, 7)]
    assert coarse(fine, 5.0).ends.tolist() == fine.ends.tolist()


@pytest.mark.parametrize("family", ["retries-1s", "lost-restarts", "H-15s", "one-pod-1pct", "stable-out"])
def test_the_past_is_that_of_the_ticks_one_by_one(family: str) -> None:
    made = record(FAMILIES[family], HEALTHY, seed=1, run=0, history_s=HISTORY_S)
    assert made.before is not None

    found = past(made)

    assert found == look_back(list(coarse(steps(made.before), PAST_SPAN_S).ticks()))
    assert found.requests > 1e5


def test_a_candidate_off_traffic_does_nothing_and_is_still_there() -> None:
    made = record(FAMILIES["ideal"], REGRESSIONS["errors_plus_5"], seed=1, run=0)
    feed, seen = Ticks(made), list[tuple[float, bool, int]]()
    for tick in feed:
        seen.append((tick.at, together(tick.candidate.values()).requests > 0, len(tick.candidate)))
        if tick.at == 10.0:
            feed.leave(30.0)

    assert [at for at, busy, _ in seen if not busy] == [15, 20, 25, 30, 35, 40]
    assert {pods for _, _, pods in seen} == {3}


@pytest.mark.parametrize(
    ("family", "fresh", "away_s"), [("ideal", True, 30), ("rps-1", False, 30), ("one-pod-1pct", False, 65)]
)
def test_what_the_counters_show_of_both_sides_is_told_to_the_judge(
    family: str, fresh: bool, away_s: float
) -> None:
    judge, _ = OurEntry().begin(record(FAMILIES[family], HEALTHY, seed=1, run=0), Setting(min_s=600.0))

    assert (judge._judge.settings.fresh, judge.away_s) == (fresh, away_s)
    assert judge._judge.settings.min_s == 600.0
