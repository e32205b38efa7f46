"""The promised figures, on a few runs: whoever misses them here by far misses them on a thousand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest

from benchmarks.canary_bench import acceptance
from benchmarks.canary_bench.acceptance import (
    CELLS,
    QUICK,
    SELDOM,
    SLOW,
    SLOWER_20,
    TO_5,
    TO_50,
    Cell,
    figures,
)
from benchmarks.canary_bench.family import Family
from benchmarks.canary_bench.live import Stopped, live
from benchmarks.canary_bench.regressions import HEALTHY
from tests.unit.benchmarks.canary_bench.made import outcome

SEED = 11


@pytest.mark.parametrize("family", SELDOM, ids=[one.name for one in SELDOM])
def test_a_healthy_candidate_with_few_requests_is_not_failed(family: Family) -> None:
    found = [acceptance.verdict(Cell("verdict", family, HEALTHY), SEED, run) for run in range(12)]

    assert [one.fail_s for one in found] == [None] * 12


@pytest.mark.parametrize(
    ("family", "within_s"), [(QUICK[0], 30.0), (QUICK[2], 40.0)], ids=["one pod", "three pods"]
)
def test_five_per_cent_errors_are_off_within_a_minute_as_a_rule(family: Family, within_s: float) -> None:
    found = [acceptance.live5(Cell("live5", family, TO_5), SEED, run).off_s or 600.0 for run in range(24)]

    assert median(found) <= within_s  # measured on many: 24 and 30 s
    assert sum(one <= 60.0 for one in found) >= 20


@pytest.mark.parametrize("family", QUICK, ids=["one pod", "two pods", "three pods"])
def test_fifty_per_cent_errors_meet_fewer_than_25_requests(family: Family) -> None:
    found = [acceptance.live1(Cell("live1", family, TO_50), SEED, run) for run in range(16)]

    assert max(one.once for one in found) < 25
    assert all(one.fail_s is not None for one in found)


@pytest.mark.parametrize("family", SLOW, ids=[one.name for one in SLOW])
def test_a_fifth_more_latency_is_failed_within_half_an_hour(family: Family) -> None:
    found = [acceptance.verdict(Cell("verdict", family, SLOWER_20), SEED, run) for run in range(8)]

    assert sum(one.first == "FAIL" for one in found) >= 7


# --- the means ----------------------------------------------------------------------------------------------


def test_users_of_a_candidate_that_is_off_do_not_fail() -> None:
    """Everything fails at it: what is counted stops with its traffic, and begins again with its return."""
    all_of_it = replace(TO_50, errors_to=1.0)

    found = live(QUICK[0], all_of_it, seed=SEED, run=0, upto_s=200, scrape_s=1, read_s=1)

    assert found.off_s is not None
    assert found.fail_s is not None
    assert found.fail_s - found.off_s > 65.0  # a single pod stays away that long
    assert found.failed <= 5.0 * 1.6 * (found.off_s + 1 + found.fail_s - found.off_s - 65.0)
    assert 0 < found.once < found.failed


def test_nobody_is_taken_off_while_all_is_well() -> None:
    found = live(QUICK[2], HEALTHY, seed=SEED, run=0, upto_s=200, scrape_s=5, read_s=2)

    assert (found.off_s, found.fail_s) == (None, None)


def test_a_figure_that_is_missed_is_called_so() -> None:
    slow = [Stopped(float(at), None, 10.0, 5.0) for at in (10, 19, 61)]
    cell = next(one for one in CELLS if one.regression is TO_5)

    assert [one.kept for one in figures(cell, slow)] == [False, False, True]
    assert [one.value for one in figures(cell, slow)] == [19.0, 61.0, pytest.approx(66.7, abs=0.1)]
    assert [one.kept for one in figures(Cell("verdict", SELDOM[0], HEALTHY), [outcome(fail_s=9.0)])] == [
        False,
        True,
    ]


def test_the_command_prints_and_writes_and_its_exit_code_says_whether_all_was_kept(tmp_path: Path) -> None:
    where = tmp_path / "out.json"

    code = acceptance.main(
        ["--runs", "1", "--first", "3", "--cells", "10", "--processes", "1", "--json", str(where)]
    )

    content = json.loads(where.read_text())
    assert (content["seed"], content["first"], content["runs"]) == (2, 3, 1)
    assert code == (0 if all(one["kept"] for one in content["figures"]) else 1)
    assert {one["row"] for one in content["figures"]} == {"five-a-second, 1 pod(s), to_50, live1"}


def test_a_quantile_is_one_of_the_values() -> None:
    assert acceptance.quantile([3.0, 1.0, 2.0, 4.0], 0.5) == 2.0
    assert acceptance.quantile(list(map(float, range(1, 101))), 0.99) == 99.0
    assert acceptance.quantile([5.0], 0.99) == 5.0
