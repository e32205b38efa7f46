"""A figure beside its bar: on the good side, on the bad one, and not measured at all."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.canary_bench.bars import BARS, Bar, bars_table, main, measured

FOUND = {
    "healthy_fail_pct": 0.5,
    "worst_family_two_sided": {"name": "ideal", "fail_pct": 2.5},
    "at_ignore_fail_pct": None,
    "detected_pct": {"errors_x10": 99.0},
    "wrong_pass_pct": {"errors_x10": 0.2, "crash_loop": 0.4},
}


def test_a_figure_is_on_one_side_of_each_limit() -> None:
    sides = {
        bar.name: (value, bar.kept(value, bar.must), bar.kept(value, bar.aim))
        for bar, value in measured(FOUND)
    }

    assert sides == {
        "healthy FAIL, mean": (0.5, True, False),
        "healthy FAIL, worst family but one-sided incidents": (2.5, False, False),
        "errors x10: detected": (99.0, True, True),
        "wrong PASS: gross regressions, worst": (0.4, True, False),
    }


@pytest.mark.parametrize("bar", BARS, ids=lambda bar: bar.name)
def test_the_aim_is_beyond_what_has_to_be(bar: Bar) -> None:
    assert bar.kept(bar.aim, bar.must)
    assert not bar.kept(bar.must, bar.aim)


def test_they_are_printed_of_a_report_that_was_made_before(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out.json").write_text(json.dumps({"judges": {"ours": FOUND}}))

    assert main([str(tmp_path / "out.json")]) == 0
    told = capsys.readouterr().out

    assert "ours: what has to be reached" in told
    assert "2.5 %" in told
    assert "≤ 2 ✘" in told
    assert bars_table("ours", FOUND).row_count == 4
