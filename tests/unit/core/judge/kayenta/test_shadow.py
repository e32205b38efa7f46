"""The shadow: a point a minute, a look every five, a sentence, and no word that anybody acts upon."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.kayenta.metric import Metric
from cd_provider.core.judge.kayenta.points import Pile
from cd_provider.core.judge.kayenta.shadow import Followed, KayentaShadow, Look

START = 1_700_000_003.0
EDGES = (0.1, 0.5, math.inf)


def ticks(candidate: Callable[[int], Counts], *, seconds: int, span_s: int = 5) -> list[Tick]:
    """Give ticks in which stable's errors differ from minute to minute."""
    return [
        Tick(
            START + at,
            float(span_s),
            {"c": candidate(at)},
            {"s": Counts(50, at // 60 % 2, (49.0, 1.0, 0.0))},
            EDGES,
        )
        for at in range(span_s, seconds + 1, span_s)
    ]


def fine(at: int) -> Counts:
    return Counts(50, at // 60 % 2, (49.0, 1.0, 0.0))


def erring(at: int) -> Counts:
    return Counts(50, 20, (49.0, 1.0, 0.0))


def looks(shadow: KayentaShadow, seen: list[Tick]) -> list[Look]:
    return [look for tick in seen if (look := shadow.step(tick)) is not None]


def test_a_good_candidate_gets_pass_at_each_look() -> None:
    found = looks(KayentaShadow(), ticks(fine, seconds=900))

    assert [(look.at - START, look.points, look.verdict, look.score) for look in found] == [
        (300, 5, "Pass", 100), (600, 10, "Pass", 100), (900, 15, "Pass", 100)
    ]  # fmt: skip
    assert found[0].reason == "Kayenta would say Pass at 100 after 5 points"


def test_errors_fail_and_the_sentence_names_the_metric() -> None:
    (look,) = looks(KayentaShadow(), ticks(erring, seconds=300))

    assert (look.verdict, look.score) == ("Fail", 50)
    assert [(one.metric.name, one.label) for one in look.metrics] == [
        ("errors", "High"),
        ("latency p99", "Pass"),
    ]
    assert look.reason.startswith("Kayenta would say Fail at 50 after 5 points: errors High: by 0.39")


@pytest.mark.parametrize("span_s", [1, 5, 15, 60])
def test_the_length_of_a_tick_changes_nothing(span_s: int) -> None:
    (look,) = looks(
        KayentaShadow(), ticks(lambda _: Counts(50, 2, (40.0, 10.0, 0.0)), seconds=300, span_s=span_s)
    )

    assert look.points == 5
    assert [one.label for one in look.metrics] == ["High", "High"]


def test_a_minute_without_a_tick_is_a_point_without_a_value() -> None:
    seen = [tick for tick in ticks(erring, seconds=300) if not 60 < tick.at - START <= 180]
    metrics = (Followed(Metric(name="errors", direction="increase", nan="replace", groups=("g",))),)

    (look,) = looks(KayentaShadow(metrics), seen)

    assert look.points == 5
    # two of five points of the candidate are 0 now: it can no longer be told from stable
    assert look.metrics[0].label == "Pass"


def test_no_traffic_at_all_is_no_data_and_fails() -> None:
    (look,) = looks(KayentaShadow(), ticks(lambda _: Counts(), seconds=300))

    assert (look.verdict, look.score) == ("Fail", 0)
    assert look.reason.endswith("2 of 2 metrics have no data")


def test_a_service_without_latency_is_judged_by_its_errors_alone() -> None:
    seen = [
        Tick(START + at, 5.0, {"c": Counts(50, at // 60 % 2)}, {"s": Counts(50, at // 60 % 2)})
        for at in range(5, 301, 5)
    ]

    (look,) = looks(KayentaShadow(), seen)

    assert (look.verdict, [one.metric.name for one in look.metrics]) == ("Pass", ["errors"])


def test_weights_and_limits_are_used_as_given() -> None:
    shadow = KayentaShadow(weights={"errors": 20, "latency": 80}, pass_at=85, marginal_at=80)

    (look,) = looks(shadow, ticks(erring, seconds=300))

    assert (look.score, look.verdict) == (80, "Marginal")


def test_the_end_may_be_looked_at_before_it_is_due() -> None:
    shadow = KayentaShadow()

    assert looks(shadow, ticks(erring, seconds=240)) == []
    assert shadow.last is None
    assert shadow.look(START + 240).points == 4
    assert shadow.last is not None


@pytest.mark.parametrize("order", [1, -1])
def test_edges_that_change_within_a_minute_leave_those_that_stayed(order: int) -> None:
    seen = [((5.0, 3.0, 2.0), (0.1, 0.5, math.inf)), ((8.0, 2.0), (0.5, math.inf))]
    pile = Pile()
    for slow, edges in seen[::order]:
        pile.add({"a": Counts(10, 0, slow)}, edges)

    assert pile.upto == {0.5: 16.0, math.inf: 20.0}
    assert pile.quantile(0.8) == pytest.approx(0.5)
    assert pile.quantile(0.99) == 0.5
    assert pile.share() == 0
