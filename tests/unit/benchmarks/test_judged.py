"""Benchmarks of the judge: figures out of samples, recordings, random splits."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from benchmarks import judged, judged_bad, judged_healthy, many, splits
from benchmarks.many_server import SHARE, Answers, World, namespace, pods
from benchmarks.recording import Recording
from benchmarks.report import Figure
from cd_provider.core.judge.series import Series

PODS = tuple(f"p{number}" for number in range(8))
BEGAN = 1_000_000.0


def by_key(figures: list[Figure]) -> dict[str, Figure]:
    return {one.key: one for one in figures}


def bad_run(kind: str = "FAIL", *, exposure_s: float | None = 3.0, failed: int = 4) -> dict[str, Any]:
    return {"what": "direct_30", "kind": kind, "exposure_s": exposure_s, "failed": failed, "line": ""}


def test_what_was_not_stopped_in_time_is_counted_and_in_no_median() -> None:
    runs = [bad_run(exposure_s=2.0), bad_run(exposure_s=4.0), bad_run("INCONCLUSIVE", exposure_s=140.0)]

    found = by_key(judged_bad.figures(runs))

    assert found["direct_30_median_s"].value == 3.0
    assert found["direct_30_max_s"].value == 4.0
    assert (found["direct_30_not_stopped"].value, found["direct_30_not_stopped"].met) == (1, False)


def test_what_was_stopped_before_users_saw_an_error_is_told_and_is_no_zero() -> None:
    found = by_key(judged_bad.figures([bad_run(), bad_run(exposure_s=None)]))["direct_30_median_s"]

    assert found.value == 3.0
    assert "1 before users saw" in found.label


def test_a_kind_without_a_run_has_no_figure_and_does_not_reach_its_bar() -> None:
    found = by_key(judged_bad.figures([bad_run()]))

    assert found["direct_5_median_s"].value is None
    assert found["direct_5_median_s"].met is False


def test_a_healthy_delivery_that_was_not_promoted_is_told_even_after_its_pass() -> None:
    runs = [
        {"kind": "PASS", "promoted": True, "verdict_after_s": 200.0},
        {"kind": "PASS", "promoted": False, "verdict_after_s": 300.0},
        {"kind": "INCONCLUSIVE", "promoted": False, "verdict_after_s": 900.0},
    ]

    found = by_key(judged_healthy.figures(runs))

    assert found["healthy_stopped"].value == 2
    assert found["healthy_pass_median_s"].value == 250.0


def test_splits_have_two_pods_of_eight_against_all_others_and_time_to_be_judged() -> None:
    drawn = splits.draw(PODS, length_s=3600.0, count=50)

    assert all(len(one.candidate) == 2 and set(one.candidate + one.stable) == set(PODS) for one in drawn)
    assert {one.for_s for one in drawn} == {1800.0}
    assert all(one.start + one.for_s <= 3600.0 for one in drawn)
    assert len({one.candidate for one in drawn}) > 15
    assert drawn == splits.draw(PODS, length_s=3600.0, count=50)
    assert drawn != splits.draw(PODS, length_s=3600.0, count=50, seed=1)


def test_splits_of_a_short_recording_last_as_long_as_there_is() -> None:
    drawn = splits.draw(PODS, length_s=600.0, count=50)

    assert all(0 <= one.start <= 300.0 for one in drawn)
    assert all(one.for_s == pytest.approx(600.0 - one.start) for one in drawn)


@pytest.mark.parametrize(("length_s", "pods"), [(200.0, PODS), (3600.0, PODS[:2])], ids=["short", "few"])
def test_a_recording_that_says_nothing_is_refused(length_s: float, pods: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="expected more than 2"):
        splits.draw(pods, length_s=length_s, count=1)


def reads(
    *, bad: dict[str, float], seconds: int, rate: float = 20.0, bad_from: int = 0
) -> Iterator[list[Series]]:
    """Pods' pages, once a second; the counters had run for a while before."""
    chance, done = random.Random(1), dict.fromkeys(PODS, (10_000.0, 50.0))
    for second in range(seconds):
        for pod in PODS:
            share = bad.get(pod, 0.005) if second >= bad_from else 0.005
            errors = sum(chance.random() < share for _ in range(int(rate)))
            done[pod] = (done[pod][0] + rate, done[pod][1] + errors)
        yield [one for pod in PODS for one in page(pod, BEGAN + second, *done[pod])]


def page(pod: str, at: float, requests: float, errors: float) -> Iterator[Series]:
    def series(what: str, value: float, *, bad: bool = False, edge: float | None = None) -> Series:
        side = "candidate" if pod in PODS[:2] else "stable"
        return Series(f"{pod} {what}", side, pod, ((at, value),), bad, edge)  # type: ignore[arg-type]

    yield series("200", requests - errors)
    yield series("500", errors, bad=True)
    for edge, share in {0.01: 0.4, 0.025: 0.9, 0.1: 1.0, float("inf"): 1.0}.items():
        yield series(f"le {edge}", float(int(requests * share)), edge=edge)


def recording(*, bad: dict[str, float] | None = None, seconds: int = 600, bad_from: int = 0) -> Recording:
    made = Recording({"rate_per_s": 160})
    for read in reads(bad=bad or {}, seconds=seconds, bad_from=bad_from):
        made.add(read)
    return made


def split(made: Recording, *, start: float = 0.0, for_s: float = 590.0) -> splits.Split:
    assert made.pods == sorted(PODS)
    return splits.Split(PODS[:2], PODS[2:], start, for_s)


def test_pods_that_are_alike_are_passed() -> None:
    made = recording(seconds=900)

    found = splits.judge_split(made, split(made, start=200.0, for_s=690.0))

    assert found["kind"] == "PASS"
    assert found["known"] == pytest.approx(6 * 20 * 200, rel=0.02)  # the six, in the 200 s before
    assert not found["tripped"]


def test_pods_that_are_worse_are_not_passed_by_the_same_way() -> None:
    made = recording(bad=dict.fromkeys(PODS[:2], 0.3), seconds=300)

    found = splits.judge_split(made, split(made, for_s=290.0))

    assert found["kind"] == "FAIL"
    assert found["tripped"]
    assert found["known"] == 0


def test_what_turns_bad_after_its_pass_is_told() -> None:
    made = recording(bad=dict.fromkeys(PODS[:2], 0.3), seconds=1000, bad_from=900)

    found = splits.judge_split(made, split(made, start=200.0, for_s=790.0))

    assert (found["kind"], found["failed_later"], found["tripped"]) == ("PASS", True, True)


def test_a_recording_is_the_same_after_it_was_kept(tmp_path: Path) -> None:
    made = recording(seconds=300)
    made.missed["MetricsUnavailableError"] += 1

    made.write(tmp_path / "some.json.gz")
    again = Recording.read(tmp_path / "some.json.gz")

    assert again.as_dict() == made.as_dict()
    assert again.span == (BEGAN, BEGAN + 299)
    one = split(made, for_s=250.0)
    assert splits.judge_split(again, one) == splits.judge_split(made, one)


def test_what_a_recording_gives_lies_in_the_asked_stretch_and_begins_nowhere_at_zero() -> None:
    series = list(recording(seconds=30).series({"p0": "candidate"}, since=BEGAN + 4, until=BEGAN + 9))

    assert {at - BEGAN for one in series for at, _ in one.samples} == {5, 6, 7, 8, 9}
    assert all(one.old and one.side == "candidate" for one in series)
    assert sum(one.bad for one in series) == 1


def test_verdicts_are_shares_with_intervals_and_silence_is_inconclusive() -> None:
    runs = [
        {"kind": kind, "tripped": tripped, "failed_later": later}
        for kind, tripped, later in [("PASS", False, True), ("PASS", True, False), ("NO_DATA", False, False)]
    ] + [{"kind": "FAIL", "tripped": True, "failed_later": False}]

    found = by_key(splits.figures("s", {"rate_per_s": 6, "recorded_s": 3600}, runs))

    assert splits.counted(runs) == {"FAIL": 1, "TRIP": 2, "INCONCLUSIVE": 1, "PASS": 2}
    assert found["s_fail"].value == 25.0
    assert "1 of 4 splits (95 %: 4.6%–69.9%)" in found["s_fail"].label
    assert found["s_failed_later"].value == 25.0
    assert found["s_hours"].value == 1.0


def test_fewer_runs_are_shorter_in_everything() -> None:
    less = judged.shorter(3)

    assert (less.bad, less.healthy, less.count) == (3, 3, 30)
    assert less.record_s < judged.USUAL.record_s < judged.LONG.record_s


def test_a_report_puts_all_parts_together() -> None:
    run = {"kind": "PASS", "tripped": False, "failed_later": False}
    found = {6: ({"rate_per_s": 6, "recorded_s": 1800}, [run])}
    healthy = [{"kind": "PASS", "promoted": True, "verdict_after_s": 200.0}]

    made = judged.report("judged", [bad_run()], healthy, found)

    assert {"direct_30_median_s", "healthy_stopped", "splits_6_pass"} <= {one.key for one in made.figures}
    assert len(made.samples) == 3


def many_sample(
    *, canaries: int = 200, came: float = 1.0, own: float = 0.2, cpu: float = 0.3
) -> dict[str, Any]:
    return {
        "what": "every_1", "canaries": canaries, "every_s": 1.0, "came": came, "own_p99_s": own, "cpu_share": cpu,
        "lag_p99_s": 3.0, "beginning_cpu_s": 4.0,
    }  # fmt: skip


def test_a_number_is_held_when_looks_come_and_are_over_in_time() -> None:
    assert many.holds(many_sample())
    assert not many.holds(many_sample(came=0.9))
    assert not many.holds(many_sample(own=1.5))


def test_the_next_number_is_what_a_core_would_have_held() -> None:
    assert many.fewer(many_sample(came=0.5, cpu=1.0)) == 90
    assert many.fewer(many_sample(came=0.97, cpu=0.9, own=2.0)) == 160
    assert many.fewer(many_sample(canaries=11, came=0.1, cpu=1.0)) == many.LEAST


def test_the_number_that_was_held_is_told_beside_the_one_that_was_asked_for() -> None:
    figures = many.report(
        [many_sample(), many_sample(), many_sample(came=0.5), many_sample(canaries=90)]
    ).figures

    assert by_key(list(figures))["saturates_at"].value == 90
    assert by_key(list(figures))["every_1_90_cpu"].value == pytest.approx(30.0)


def test_lag_and_looks_of_all_canaries_are_put_together() -> None:
    seen = [many.Seen(lags=[1.0, 2.0], own=[0.1] * 6), many.Seen(lags=[3.0], own=[0.2] * 6)]

    found = many.sample(many.FIVE, seen, cpu_s=3.0, took_s=30.0, beginning_cpu_s=1.0, states=["ok", "ok"])

    assert (found["cpu_share"], found["came"]) == (0.1, 1.0)
    assert (found["lag_p99_s"], found["own_p99_s"]) == (3.0, 0.2)
    assert found["states"] == {"ok": 2}


def test_the_made_up_metrics_server_answers_as_a_real_one() -> None:
    began = BEGAN + 100.0
    answers = Answers(World(epoch=BEGAN - 600.0, scrape_s=5.0, until=BEGAN + 200.0))
    ours, theirs = pods(3)
    query = f'{{namespace="{namespace(3, began)}", pod=~"{"|".join((*ours, *theirs))}"}}[60s]'

    result = json.loads(answers.to(query, BEGAN + 120.0))["data"]["result"]

    assert len(result) == 6 * 14
    assert {len(one["values"]) for one in result if one["metric"]["pod"] in theirs} == {12}
    young = [one for one in result if one["metric"]["pod"] in ours]
    assert min(float(one["values"][0][0]) for one in young) >= began - 15.0
    assert all(value <= later for one in result for (_, value), (_, later) in steps(one["values"]))
    errors, requests = (
        sum(float(one["values"][-1][1]) for one in result if one["metric"].get("code") == code)
        for code in ("500", "200")
    )
    assert errors / requests == pytest.approx(SHARE, rel=0.5)


def steps(values: list[list[Any]]) -> Iterator[tuple[list[Any], list[Any]]]:
    numbers = [[at, float(value)] for at, value in values]
    return zip(numbers, numbers[1:], strict=False)


def test_samples_come_as_time_passes() -> None:
    answers = Answers(World(epoch=BEGAN, scrape_s=5.0, until=BEGAN + 200.0))
    query = f'{{namespace="{namespace(1, BEGAN)}", pod=~"{pods(1)[1][0]}"}}[30s]'

    def newest(now: float) -> float:
        return max(
            float(at)
            for one in json.loads(answers.to(query, now))["data"]["result"]
            for at, _ in one["values"]
        )

    assert newest(BEGAN + 60.0) <= BEGAN + 60.0 < newest(BEGAN + 70.0) <= BEGAN + 70.0
