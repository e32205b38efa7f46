"""The clear lane: both questions about errors, the edges of latency, and each pod left out once."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cd_provider.core.judge import clear
from cd_provider.core.judge.clear import ClearLane, Weight
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.view import scene
from tests.unit.core.judge.hand_made import EDGES, buckets

SETTINGS = JudgeSettings()
PAST = Past(cluster=1.0, errors_differ=(0.0, 0.0, 0.0))
SHAPE = Shape.of(EDGES, buckets(1e5), SETTINGS)
Row = tuple[float, float, float]  # requests, errors, times as slow


def lane(
    candidate: list[Row],
    stable: Row = (500.0, 0.5, 1.0),
    *,
    minutes: float = 10.0,
    settings: JudgeSettings = SETTINGS,
    past: Past = PAST,
) -> ClearLane:
    """Give the lane after so many minutes of the same ticks, ten seconds each; a pod is a row."""
    found = ClearLane(settings, past)
    for number in range(1, round(minutes * 6) + 1):
        ours = {f"c{pod}": Counts(m, a, buckets(m, times)) for pod, (m, a, times) in enumerate(candidate)}
        theirs = {"s": Counts(stable[0], stable[1], buckets(stable[0], stable[2]))}
        tick = Tick(10.0 * number, 10.0, ours, theirs, EDGES)
        found.step(scene(tick, began_at=0.0, known=list(ours), shape=SHAPE), SHAPE)
    return found


def test_a_candidate_like_stable_carries_less_and_less() -> None:
    after = [lane([(50.0, 0.05, 1.0)] * 2, minutes=minutes).errors.evidence for minutes in (2, 5, 10)]

    assert after[0] < 1.0
    assert after == sorted(after, reverse=True)


def test_ten_times_the_errors_convict_and_so_does_half_as_slow_again() -> None:
    assert lane([(50.0, 0.5, 1.0)] * 3).errors.convicts(SETTINGS)
    assert lane([(50.0, 0.05, 1.5)] * 3).latency.convicts(SETTINGS)


def test_where_pods_differ_by_half_two_and_a_half_times_the_errors_convict_nobody() -> None:
    """However many requests there are: three pods are three witnesses."""
    rows, stable, settings = [(5e4, 125.0, 1.0)] * 3, (15e4, 150.0, 1.0), replace(SETTINGS, fresh=True)
    alike, apart = (
        lane(rows, stable, minutes=3.0, settings=settings, past=replace(PAST, errors_differ=(of,) * 3)).errors
        for of in (0.0, 0.3)
    )

    assert alike.convicts(settings)
    assert not apart.convicts(settings)


def test_where_pods_differ_few_errors_weigh_nearly_as_much() -> None:
    rows, stable = [(50.0, 0.5, 1.0)] * 3, (150.0, 0.15, 1.0)
    alike, apart = (
        lane(rows, stable, minutes=2.0, past=replace(PAST, errors_differ=(of,) * 3)).errors
        for of in (0.0, 0.05)
    )

    assert 0.7 * alike.evidence < apart.evidence < alike.evidence


def test_a_tick_without_a_pod_changes_nothing_of_how_far_they_differ() -> None:
    apart = replace(PAST, errors_differ=(0.05,) * 3)
    found = lane([(500.0, 5.0, 1.0)] * 3, minutes=1.5, past=apart)
    before = found.errors.evidence
    found.step(
        scene(Tick(100.0, 10.0, {}, {"s": Counts(500.0)}, EDGES), began_at=0.0, known=("c0",), shape=None),
        None,
    )

    assert found.errors.evidence == before


def test_after_a_trip_it_takes_more_to_convict() -> None:
    """The seconds of the trip are among the evidence, and it has returned all the same."""
    found = lane([(50.0, 0.5, 1.0)] * 3, minutes=3.0)
    between = replace(SETTINGS, clear=found.errors.evidence / 2.0, clear_again=found.errors.evidence * 2.0)
    once, again = (lane([(50.0, 0.5, 1.0)] * 3, minutes=3.0, settings=between) for _ in range(2))
    again.tripped()

    assert once.convicts("errors")
    assert not again.convicts("errors")


def test_what_is_tolerated_does_not_convict() -> None:
    """Exactly at 1.5 times the errors and 1.1 times the latency, for an hour."""
    found = lane([(50.0, 0.075, 1.1)] * 3, minutes=60.0)

    assert found.errors.evidence < 1.0
    assert found.latency.evidence < 1.5


def test_a_quotient_of_hardly_any_errors_is_not_enough() -> None:
    """Fifty times stable's share, and still only a third of what is too few to convict."""
    found = lane([(50.0, 0.01, 1.0)] * 3, (500.0, 0.002, 1.0), minutes=60.0)

    assert not found.errors.convicts(SETTINGS)


@pytest.mark.parametrize("bad", [0, 1, 2])
def test_the_pod_that_carries_all_is_named_and_does_not_convict_alone(bad: int) -> None:
    rows = [(50.0, 5.0 if pod == bad else 0.05, 3.0 if pod == bad else 1.0) for pod in range(3)]
    found = lane(rows)

    for weight in (found.errors, found.latency):
        assert weight.evidence > SETTINGS.clear
        assert weight.weakest < 1.0
        assert weight.without == f"c{bad}"
        assert not weight.convicts(SETTINGS)
        assert not weight.leans


def test_the_only_pod_convicts_by_itself() -> None:
    weight = lane([(50.0, 0.5, 1.0)]).errors

    assert (weight.without, weight.weakest) == ("", weight.evidence)
    assert weight.convicts(SETTINGS)


def test_a_later_pod_has_carried_nothing_before_it_came() -> None:
    found = ClearLane(SETTINGS, PAST)
    for number in range(1, 61):
        ours = {"c0": Counts(50.0, 0.5)} | ({"c1": Counts(50.0, 0.05)} if number > 30 else {})
        tick = Tick(10.0 * number, 10.0, ours, {"s": Counts(500.0, 0.5)})
        found.step(scene(tick, began_at=0.0, known=list(ours), shape=None), None)

    assert found.errors.evidence > SETTINGS.clear
    assert found.errors.without == "c0"
    assert found.errors.weakest < 1.0


@pytest.mark.parametrize(("bad", "convicts"), [(2, False), (4, True)])
def test_a_bad_host_with_two_of_four_pods_convicts_nothing(bad: int, convicts: bool) -> None:
    found = ClearLane(SETTINGS, PAST)
    for number in range(1, 31):
        ours = {f"c{pod}": Counts(50.0, 2.0 if pod < bad else 0.02) for pod in range(4)}
        tick = Tick(10.0 * number, 10.0, ours, {"s": Counts(500.0, 0.5)})
        found.step(scene(tick, began_at=0.0, known=list(ours), shape=None), None)

    assert found.errors.evidence > SETTINGS.clear
    assert found.convicts("errors") is convicts
    assert found.errors.without == "c0 and c1"


def late_and_bad(number: int) -> Tick:
    """Give the ticks of two pods, of which the second comes after five minutes and fails more."""
    ours = {"c0": Counts(50.0, 0.3)} | ({"c1": Counts(50.0, 1.5)} if number > 30 else {})
    return Tick(10.0 * number, 10.0, ours, {"s": Counts(500.0, 0.5)})


@pytest.mark.parametrize("most", [1, 7, 1000])
def test_it_is_the_same_asked_after_every_tick_or_once_at_the_end(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clear, "MOST_WAITING", most)
    often, once = ClearLane(SETTINGS, PAST), ClearLane(SETTINGS, PAST)
    for number in range(1, 61):
        tick = late_and_bad(number)
        known = ["c0", "c1"] if number > 30 else ["c0"]
        for one in (often, once):
            one.step(scene(tick, began_at=0.0, known=known, shape=None), None)
        assert often.leans("errors") is often.errors.leans
        assert often.convicts("errors") is often.errors.convicts(SETTINGS)

    assert once.errors == often.errors
    assert once.convicts("errors")


def test_a_cold_candidate_beside_a_warm_baseline_may_be_worse_for_a_minute() -> None:
    cold: list[Row] = [(500.0, 3.0, 2.0)] * 3

    for minutes, convicts in ((1.0, False), (8.0, True)):
        found = lane(cold, (5000.0, 5.0, 1.0), minutes=minutes)
        assert found.errors.convicts(SETTINGS) is convicts
        assert found.latency.convicts(SETTINGS) is convicts
    assert lane(cold, (5000.0, 5.0, 1.0), minutes=1.0, settings=JudgeSettings(fresh=True)).errors.leans


def test_without_latency_only_errors_are_weighed() -> None:
    found = ClearLane(SETTINGS, PAST)
    tick = Tick(10.0, 10.0, {"c": Counts(50.0, 5.0)}, {"s": Counts(500.0, 0.5)})
    found.step(scene(tick, began_at=0.0, known=["c"], shape=None), None)

    assert found.latency.evidence == 1.0
    assert found.errors.evidence > 1.0


def test_it_leans_only_when_all_views_do() -> None:
    assert Weight(3.0, 1.1, "c0").leans
    assert not Weight(30.0, 0.9, "c0").leans
    assert not Weight(0.9, 0.8).leans


@pytest.mark.parametrize(
    ("minutes", "convicts"),
    [
        ({0: [3, 15], 1: [9], 2: [24]}, True),
        ({0: [3, 6, 9, 12, 15]}, False),  # one pod, and chance
        ({0: [3, 6, 9, 12], 1: [15]}, False),
        ({0: [*range(10, 19)], 1: [19], 2: [25]}, False),  # more errors have more to leave
    ],
)
def test_of_four_errors_two_elsewhere_are_enough_and_of_eleven_they_are_not(
    minutes: dict[int, list[int]], convicts: bool
) -> None:
    """Three pods with four requests a minute each, where one in a thousand fails as a rule."""
    found = ClearLane(SETTINGS, Past(requests=7200.0, errors=7.0, cluster=1.0, known=True))
    for minute in range(1, max(map(max, minutes.values())) + 1):
        ours = {f"c{pod}": Counts(4.0, float(minute in minutes.get(pod, ()))) for pod in range(3)}
        tick = Tick(60.0 * minute, 60.0, ours, {"s": Counts(12.0, 0.0)})
        found.step(scene(tick, began_at=0.0, known=list(ours), shape=None), None)

    assert found.errors.evidence > SETTINGS.clear
    assert found.errors.weakest < SETTINGS.weakest
    assert found.convicts("errors") is convicts
