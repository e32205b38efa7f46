"""The score's odd corners, as they are in Kayenta."""

from __future__ import annotations

import pytest

from cd_provider.core.judge.kayenta.metric import Classified, Label, Metric
from cd_provider.core.judge.kayenta.score import score


def result(label: Label, *groups: str, critical: bool = False, muted: bool = False) -> Classified:
    return Classified(Metric(name="m", groups=groups, muted=muted), label, critical, 1.0, f"m {label}")


@pytest.mark.parametrize(
    ("reached", "expected"), [(95.0, "Pass"), (94.99, "Marginal"), (75.0, "Marginal"), (74.99, "Fail")]
)
def test_a_limit_itself_reaches(reached: float, expected: str) -> None:
    passing, failing = result("Pass", "a"), result("High", "b")

    assert score([passing, failing], {"a": reached, "b": 100 - reached}).verdict == expected


def test_a_muted_metric_counts_for_nothing() -> None:
    found = score([result("Pass", "g"), result("High", "g", critical=True, muted=True)])

    assert (found.score, found.reason) == (100, "")


def test_a_metric_that_must_have_data_fails_without_it() -> None:
    assert score([result("Pass", "g"), result("NodataFailMetric", "g")]).score == 50


def test_half_without_data_is_too_many() -> None:
    found = score([result("Pass", "a"), result("Nodata", "b")])

    assert (found.score, found.reason) == (0, "1 of 2 metrics have no data")


def test_a_group_without_data_counts_as_passed() -> None:
    found = score([result("High", "a"), result("Pass", "a"), result("Nodata", "b")])

    assert (found.score, found.groups) == (75, {"a": 50, "b": None})


def test_groups_without_a_weight_share_what_is_left() -> None:
    assert score([result("Pass", "a"), result("High", "b"), result("Pass", "c")], {"a": 50}).score == 75


def test_the_weight_of_a_group_that_no_metric_is_in_is_lost() -> None:
    assert score([result("Pass", "a")], {"a": 60, "gone": 40}).score == 60


def test_a_metric_of_no_group_does_not_count_and_one_of_two_counts_twice() -> None:
    assert score([result("Pass", "a"), result("High")]).score == 100
    assert score([result("Pass", "a"), result("High", "a", "b")]).score == 25


def test_two_decimals_are_rounded_half_up() -> None:
    assert score([result("Pass", "a"), result("High", "b")], {"a": 0.125, "b": 99.875}).score == 0.13


def test_the_reason_is_the_critical_metric_or_all_that_failed() -> None:
    assert score([result("High", "g"), result("Low", "g", critical=True)]).reason == "m Low"
    assert score([result("High", "g"), result("Low", "g")]).reason == "m High; m Low"


def test_no_metric_at_all_is_no_pass() -> None:
    assert (score([]).score, score([]).verdict) == (0, "Fail")
