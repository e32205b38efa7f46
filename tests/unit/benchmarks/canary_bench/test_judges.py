from __future__ import annotations

import math

import pytest

from benchmarks.canary_bench.families import FAMILIES
from benchmarks.canary_bench.generate import record
from benchmarks.canary_bench.judges import JUDGES, REFERENCES, scores
from benchmarks.canary_bench.judges.increase import Increase, quantile
from benchmarks.canary_bench.judges.peeking import log_mixture, z
from benchmarks.canary_bench.judges.scores import Score
from benchmarks.canary_bench.outcome import follow
from benchmarks.canary_bench.regressions import REGRESSIONS
from benchmarks.canary_bench.samples import Setting, Verdict
from tests.unit.benchmarks.canary_bench.made import counters, said, scrapes

GOOD = (600.0, 1.0, 0.0)
SETTING = Setting(interval_s=60.0)


def test_what_is_counted_is_what_came_since() -> None:
    side = Increase()
    side.see({"a": counters(100, 5), "b": counters(7)})

    side.see({"a": counters(130, 6), "b": counters(10)})
    first = side.take()
    side.see({"a": counters(131, 6)})

    assert (first.requests, first.errors, first.buckets[-1]) == (33, 1, 33)
    assert side.take().requests == 1


def test_a_restart_is_no_negative_count() -> None:
    side = Increase()
    for total in (100, 130, 20, 50):
        side.see({"a": counters(total)})

    assert side.take().requests == 30 + 20 + 30


def test_a_lost_scrape_is_made_good_by_the_next() -> None:
    side = Increase()
    side.see({"a": counters(100)})
    side.see({})
    side.see({"a": counters(130)})

    assert side.take().requests == 30


def test_a_quantile_is_linear_inside_its_bucket() -> None:
    assert quantile(counters(100).buckets, 0.5) == pytest.approx(0.0625)
    assert quantile(counters(100, slow=2).buckets, 0.99) == pytest.approx(0.5 + 0.25 * 0.5)
    assert quantile(counters(0).buckets, 0.5) is None


@pytest.mark.parametrize(
    ("judge", "worse", "expected"),
    [
        pytest.param("kayenta5", (600, 30, 0), (300, "FAIL"), id="Kayenta, 5 % errors, at its first look"),
        pytest.param("kayenta5", (600, 1, 60), (300, "FAIL"), id="Kayenta, slow"),
        pytest.param("kayenta5", GOOD, (1800, "PASS"), id="Kayenta, the same"),
        pytest.param("kayenta_end", (600, 30, 0), (1800, "FAIL"), id="Kayenta, one look"),
        pytest.param("kayenta1", (600, 2, 0), (60, "FAIL"), id="Kayenta, one error more, looked at every minute"),
        pytest.param("flagger", (600, 7, 0), (300, "FAIL"), id="Flagger, more than 1 %, the fifth time"),
        pytest.param("flagger", (600, 6, 0), (1800, "PASS"), id="Flagger, 1 %"),
        pytest.param("flagger", (600, 0, 60), (300, "FAIL"), id="Flagger, slow"),
        pytest.param("flagger", (0, 0, 0), (300, "FAIL"), id="Flagger, without traffic"),
        pytest.param("argo", (600, 7, 0), (240, "FAIL"), id="Argo, the fourth time"),
        pytest.param("argo", (600, 6, 0), (1800, "PASS"), id="Argo, 1 %"),
        pytest.param("peeking_z", (600, 12, 0), (60, "FAIL"), id="z, 2 %"),
        pytest.param("peeking_z", GOOD, (1800, "PASS"), id="z, the same"),
        pytest.param("msprt", (600, 30, 0), (60, "FAIL"), id="mSPRT, 5 %"),
        pytest.param("msprt", GOOD, (1800, "PASS"), id="mSPRT, the same"),
    ],
)  # fmt: skip
def test_each_judge_says_what_its_rule_says(
    judge: str, worse: tuple[float, float, float], expected: tuple[float, Verdict]
) -> None:
    # stable's errors differ from minute to minute, so that its points are not all the same
    stable = [(600.0, float(minute % 2), 0.0) for minute in range(30)] if worse != GOOD else [GOOD] * 30

    assert (
        said(REFERENCES[judge].make(SETTING), scrapes(candidate=[worse] * 30, stable=stable))[0] == expected
    )


def test_argo_counts_each_metric_by_itself_and_flagger_does_not() -> None:
    by_turns = [(600.0, 9.0, 0.0), (600.0, 0.0, 60.0)] * 3 + [GOOD] * 24
    seen = scrapes(candidate=by_turns, stable=[GOOD] * 30)

    assert said(REFERENCES["flagger"].make(SETTING), seen)[0] == (300, "FAIL")
    assert said(REFERENCES["argo"].make(SETTING), seen) == [(1800, "PASS")]


def test_kayenta_without_any_point_is_not_passed() -> None:
    seen = scrapes(candidate=[(0.0, 0.0, 0.0)] * 30, stable=[GOOD] * 30)

    assert said(REFERENCES["kayenta5"].make(SETTING), seen)[0] == (300, "FAIL")


def test_the_error_score_is_the_pooled_z_test() -> None:
    # 30 of 1000 against 10 of 1000: p = 0.02, z = 0.02 / sqrt(p * 0.98 * 2 / 1000)
    found = scores.errors(counters(1000, 30), counters(1000, 10))

    assert z(found) == pytest.approx(0.02 / math.sqrt(0.02 * 0.98 * 2 / 1000))


def test_the_latency_score_is_wilcoxons_with_ties() -> None:
    # 4 slow of 10 against 1 of 10: ranks of the 15 fast and 5 slow, by hand, are -1/8 and 3/8 about the middle
    found = scores.latency(counters(10, slow=4), counters(10, slow=1))

    assert found.excess == pytest.approx(1.5 / 2)
    assert found.variance == pytest.approx(10 * 10 / 20 * (15 * 5 / 20**2) * 0.25)


def test_a_mixture_needs_more_the_longer_it_waits() -> None:
    assert log_mixture(Score(-9.0, 1.0), 5.0) == 0.0
    assert log_mixture(Score(10.0, 20.0), 5.0) == pytest.approx(0.5 * math.log(5 / 25) + 100 / 50)
    assert log_mixture(Score(20.0, 100.0), 5.0) < log_mixture(Score(10.0, 25.0), 5.0) + 0.5


@pytest.mark.parametrize("name", JUDGES)
def test_every_judge_stops_most_errors_and_is_the_same_again(name: str) -> None:
    made = record(FAMILIES["ideal"], REGRESSIONS["crash_loop"], seed=1, run=0)

    first, second = (follow(*JUDGES[name].begin(made, Setting())) for _ in range(2))

    assert first.first == "FAIL"
    assert first.fail_s == second.fail_s
