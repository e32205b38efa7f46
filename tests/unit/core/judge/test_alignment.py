"""Ticks: complete, in order, each once, and the same however often one looks."""

from __future__ import annotations

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, Tick, total
from cd_provider.core.judge.series import Series, Side

START = 1000.0


def requests(
    side: Side, pod: str, *values: float, first: float = 995.0, every: float = 5.0, bad: bool = False
) -> Series:
    """One counter of a pod, read every five seconds from shortly before the start."""
    samples = [(first + every * number, value) for number, value in enumerate(values)]
    return Series(f"{side}/{pod}/{'bad' if bad else 'good'}", side, pod, samples, bad=bad)


def aligner() -> Aligner:
    return Aligner(started_at=START, interval_s=5.0)


def stable(*values: float) -> Series:
    return requests("stable", "s1", *values)


def test_a_tick_holds_what_each_pod_did_in_its_seconds() -> None:
    ticks = aligner().feed([
        requests("candidate", "c1", 0, 0, 5, 9), stable(100, 140, 190, 235),
        requests("candidate", "c1", 1, 4, first=1005.0, bad=True),
    ])  # fmt: skip

    assert ticks == [
        Tick(1005.0, 5.0, {"c1": Counts(6, 1)}, {"s1": Counts(50)}),
        Tick(1010.0, 5.0, {"c1": Counts(7, 3)}, {"s1": Counts(45)}),
    ]


def test_what_was_before_the_start_is_not_judged() -> None:
    (tick,) = aligner().feed([requests("candidate", "c1", 0, 50, 57), stable(0, 900, 940)])

    assert (total(tick.candidate), total(tick.stable)) == (Counts(7), Counts(40))


def test_a_pod_that_came_later_counts_from_its_first_request() -> None:
    ticks = aligner().feed([stable(0, 0, 40, 80), requests("candidate", "c2", 8, first=1010.0)])

    assert ticks[-1].candidate == {"c2": Counts(8)}


def test_a_stable_pod_that_is_first_read_later_may_be_old_and_counts_from_there() -> None:
    """Such as after a metrics server lost its data: taken for newborn, two hours would lie in one tick."""
    ticks = aligner().feed([
        requests("candidate", "c1", 0, 0, 5, 10, 15), requests("stable", "s1", 90_000, 90_050, first=1010.0),
    ])  # fmt: skip

    assert [total(tick.stable).requests for tick in ticks] == [0, 0, 50]


def test_a_new_series_of_a_stable_pod_that_was_read_before_counts_from_nothing() -> None:
    ticks = aligner().feed([
        requests("candidate", "c1", 0, 0, 5, 10), stable(0, 0, 40, 80),
        requests("stable", "s1", 3, first=1010.0, bad=True),
    ])  # fmt: skip

    assert total(ticks[-1].stable) == Counts(43, 3)


def test_a_sample_that_is_no_number_is_none() -> None:
    silent = [requests("candidate", "c1", 0, 0, math.nan, math.nan), stable(0, 0, math.nan, math.nan)]

    assert aligner().feed(silent) == []


def test_a_tick_waits_for_a_pod_that_is_not_read_yet_but_not_for_ever() -> None:
    seen = aligner()

    assert seen.feed([requests("candidate", "c1", 0, 0), stable(0, 0, 40)]) == []
    late = seen.feed([stable(0, 0, 40, 80)])
    assert [(tick.at, dict(tick.candidate)) for tick in late] == [(1005.0, {}), (1010.0, {})]
    ticks = seen.feed([requests("candidate", "c1", 0, 0, 5, 10, 15), stable(0, 0, 40, 80, 120)])
    assert sum(total(tick.candidate).requests for tick in ticks) == 15  # also what belongs to ticks before


def test_a_pod_that_is_gone_holds_nothing_up() -> None:
    ticks = aligner().feed([requests("candidate", "c1", 0, 0, 5), stable(0, 0, 40, 80, 120, 160)])

    assert [tick.at for tick in ticks] == [1005.0, 1010.0, 1015.0, 1020.0]
    assert [set(tick.candidate) for tick in ticks] == [{"c1"}, set(), set(), set()]


def test_silence_is_ticks_without_requests() -> None:
    ticks = aligner().feed([requests("candidate", "c1", 7, 7, 7, 7), stable(0, 0, 0, 0)])

    assert [total(tick.candidate).requests for tick in ticks] == [0, 0]


def test_nothing_at_all_is_no_tick() -> None:
    assert aligner().feed([]) == []
    assert aligner().feed([Series("s", "candidate", "c1", [])]) == []


def buckets(side: Side, pod: str, *upto: tuple[float, float]) -> list[Series]:
    return [
        Series(f"{pod}/{edge}", side, pod, [(995.0, 0), (1000.0, 0), (1005.0, count)], edge=edge)
        for edge, count in upto
    ]


def test_buckets_are_made_plain_and_only_edges_that_all_have_count() -> None:
    (tick,) = aligner().feed([
        *buckets("candidate", "c1", (0.1, 3), (0.25, 4), (0.5, 7), (math.inf, 9)),
        *buckets("stable", "s1", (0.1, 10), (0.5, 14), (math.inf, 14)),
    ])  # fmt: skip

    assert tick.edges == (0.1, 0.5, math.inf)
    assert tick.candidate["c1"].slow == (3, 4, 2)
    assert tick.stable["s1"].slow == (10, 4, 0)


def test_a_tick_is_there_as_soon_as_every_pod_has_been_read_in_it() -> None:
    """Its end need not come: nobody is read twice in one."""
    seen = aligner()
    ours, theirs = requests("candidate", "c1", 0, 4, first=997.0), stable(0, 0)

    assert seen.feed([ours, theirs]) == [], "stable has not been read since the start"
    ticks = seen.feed([ours, requests("stable", "s1", 0, 0, 30, first=994.0)])

    assert ticks == [Tick(1005.0, 5.0, {"c1": Counts(4)}, {"s1": Counts(30)})]


def test_a_second_sample_in_one_stretch_counts_in_the_next_tick() -> None:
    """Such as a second replica's, which scrapes between the first one's samples."""
    ours = requests("candidate", "c1", 0, 1, 3, 6, 10, 15, first=996.0, every=2.5)
    ticks = aligner().feed([ours, stable(0, 0, 50, 100)])

    assert [total(tick.candidate).requests for tick in ticks] == [2, 3 + 4]


def test_a_tick_waits_for_each_series_of_a_pod() -> None:
    """Some servers show what one scrape read series by series: errors without their requests would be all there is."""
    seen = aligner()
    good, bad = requests("candidate", "c1", 0, 50), requests("candidate", "c1", 0, 1, bad=True)
    more = requests("candidate", "c1", 0, 50, 98), requests("candidate", "c1", 0, 1, 3, bad=True)

    assert seen.feed([good, bad, stable(0, 0, 40)]) == []
    assert seen.feed([good, more[1], stable(0, 0, 40)]) == []
    (tick,) = seen.feed([*more, stable(0, 0, 40)])

    assert total(tick.candidate) == Counts(50, 2)


def test_a_sample_that_comes_a_little_late_is_still_in_its_tick() -> None:
    """Scrapes on the dot of the grid come a few milliseconds before and after it."""
    off = (0.0, 0.03, -0.02, 0.08, 0.0, 0.05)
    ours = Series(
        "c", "candidate", "c1", [(START + 5.0 * n + one, 4.0 * n) for n, one in enumerate(off)], old=True
    )
    ticks = aligner().feed([ours, stable(0, 0, 40, 80, 120, 160, 200)])

    assert [total(tick.candidate).requests for tick in ticks] == [4, 4, 4, 4, 4]


def test_instances_of_one_unit_each_count_in_their_own_tick() -> None:
    """A gateway's pods are one unit, and are scraped one after the other."""
    ours = [
        Series(
            f"g{number}",
            "candidate",
            "gateway",
            [(996.0 + number, 0), (1001.0 + number, 5), (1006.0 + number, 5)],
        )
        for number in range(3)
    ]
    ticks = aligner().feed([*ours, stable(0, 0, 40, 80)])

    assert [total(tick.candidate).requests for tick in ticks] == [15, 0]


Gaps = st.lists(st.floats(0.6, 7.0), min_size=4, max_size=25)


@given(st.lists(Gaps, min_size=2, max_size=4), st.floats(0.7, 9.0))
def test_pods_that_are_read_at_any_moments_give_the_same_ticks_however_one_looks(
    pods: list[list[float]], every_s: float
) -> None:
    sides: tuple[Side, ...] = ("candidate", "stable", "candidate", "stable")
    stamps = [[START - 1.0 + at for at in accumulate([0.0, *gaps])] for gaps in pods]
    until, seen, ticks = min(one[-1] for one in stamps), aligner(), list[Tick]()

    def upto(now: float) -> list[Series]:
        return [
            Series(str(pod), side, f"p{pod}", [(at, float(n * n)) for n, at in enumerate(one) if at <= now])
            for pod, (side, one) in enumerate(zip(sides, stamps, strict=False))
        ]

    for look in range(1, math.ceil((until - START) / every_s) + 1):
        ticks += seen.feed(upto(min(until, START + look * every_s)))

    assert ticks == aligner().feed(upto(until))
    assert seen.notes.line == ""


@pytest.mark.parametrize("cuts", [(7,), (3, 7), (1, 2, 3, 4, 5, 6, 7), (2, 2, 6, 7)])
def test_however_often_one_looks_the_ticks_are_the_same(cuts: tuple[int, ...]) -> None:
    ours, theirs, seen = [0, 0, 4, 9, 9, 15, 22], [0, 0, 50, 90, 140, 190, 230], aligner()

    ticks = [
        tick
        for upto in cuts
        for tick in seen.feed([requests("candidate", "c1", *ours[:upto]), stable(*theirs[:upto])])
    ]

    assert ticks == aligner().feed([requests("candidate", "c1", *ours), stable(*theirs)])
    assert len(ticks) == 5
    assert seen.notes.line == ""
