from __future__ import annotations

import io
import json
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.canary_bench import judges, samples
from benchmarks.canary_bench.__main__ import main, parse
from benchmarks.canary_bench.judges import JUDGES, increase
from benchmarks.canary_bench.outcome import Outcome
from benchmarks.canary_bench.plot import picture, steps
from benchmarks.canary_bench.report import as_dict, figures
from benchmarks.canary_bench.run import Plan, Row, chunks, in_order, run
from benchmarks.canary_bench.table import harmful_table, healthy_table
from benchmarks.canary_bench.wilson import wilson
from tests.unit.benchmarks.canary_bench.made import Script, outcome, said, scrapes

PLAN = Plan(
    seed=1, runs=2, harmful_runs=1, judges=("kayenta5", "flagger"), families=("ideal", "rps-2"),
    regressions=("healthy", "crash_loop"),
)  # fmt: skip


@pytest.mark.parametrize(
    ("hits", "of", "low", "high"),
    [
        pytest.param(0, 10, 0.0, 0.2775, id="none of 10"),
        pytest.param(10, 10, 0.7225, 1.0, id="all of 10"),
        pytest.param(81, 263, 0.2553, 0.3662, id="81 of 263: Newcombe 1998, method 3"),
        pytest.param(15, 148, 0.0624, 0.1605, id="15 of 148"),
        pytest.param(1, 29, 0.0061, 0.1718, id="1 of 29"),
        pytest.param(0, 0, 0.0, 1.0, id="nothing tried"),
    ],
)
def test_wilsons_interval_is_the_textbooks(hits: int, of: int, low: float, high: float) -> None:
    assert wilson(hits, of) == pytest.approx((low, high), abs=5e-5)


def cells(**regressions: list[Outcome]) -> dict[tuple[str, str], list[Outcome]]:
    return {("ideal", name): runs for name, runs in regressions.items()}


def test_shares_are_of_the_first_verdict() -> None:
    late = outcome(pass_s=300, fail_s=900)
    runs = [outcome(fail_s=60), outcome(fail_s=120), late, outcome()]

    found = figures(cells(healthy=runs, crash_loop=runs), None)

    assert found["healthy_fail_pct"] == 75
    assert found["healthy_inconclusive_pct"] == 25
    assert found["healthy_not_promoted_pct"] == 100
    assert found["detected_pct"] == {"crash_loop": 50}
    assert found["detected_any_pct"] == {"crash_loop": 75}
    assert found["wrong_pass_pct"] == {"crash_loop": 25}
    assert found["median_s"] == {"crash_loop": None}
    assert found["cpu_ms"] == 0.5
    assert found["begin_ms"] == 20
    assert found["time_ratio_vs_kayenta5"] is None


def test_the_worst_family_is_named_and_the_mean_weighs_families_alike() -> None:
    good, bad = [outcome(pass_s=600)] * 30, [outcome(fail_s=60)] * 5 + [outcome(pass_s=300)] * 5

    found = figures({("ideal", "healthy"): good, ("H-node", "healthy"): bad}, None)

    assert found["healthy_fail_pct"] == 25
    assert found["worst_family"]["name"] == "H-node"
    assert found["worst_family"]["fail_pct"] == 50
    assert found["worst_family"]["upper_pct"] == pytest.approx(76.3, abs=0.1)
    assert found["worst_family_two_sided"]["name"] == "ideal"


def test_at_ignore_is_told_of_the_worst_family() -> None:
    calm, strict = [outcome(pass_s=600)] * 4, [outcome(fail_s=60), *[outcome(pass_s=600)] * 3]

    found = figures({("ideal", "at_ignore"): calm, ("rps-2", "at_ignore"): strict}, None)

    assert found["at_ignore_fail_pct"] == 25
    assert found["at_ignore_worst_family"]["name"] == "rps-2"
    assert found["worst_family"] is found["healthy_fail_pct"] is None


def test_what_was_not_detected_takes_the_whole_run() -> None:
    ours, theirs = [outcome(fail_s=150), outcome(pass_s=200)], [outcome(fail_s=300), outcome(fail_s=300)]

    found = figures(cells(crash_loop=ours), cells(crash_loop=theirs))

    assert found["time_ratio_vs_kayenta5"] == pytest.approx((150 + 1800) / 600, abs=0.001)


def test_a_ratio_is_a_geometric_mean_over_cells() -> None:
    ours = {**cells(crash_loop=[outcome(fail_s=30)]), ("rps-2", "errors_x2"): [outcome(fail_s=600)]}
    theirs = {**cells(crash_loop=[outcome(fail_s=300)]), ("rps-2", "errors_x2"): [outcome(fail_s=300)]}

    assert figures(ours, theirs)["time_ratio_vs_kayenta5"] == pytest.approx((0.1 * 2) ** 0.5, abs=0.001)


def test_every_run_is_in_one_chunk() -> None:
    plan = Plan(
        seed=1, runs=25, harmful_runs=3, judges=("argo",), families=("ideal", "retries-1s"),
        regressions=("healthy", "crash_loop"),
    )  # fmt: skip

    found = [(it.family, it.regression, it.first, it.upto) for it in chunks(plan)]

    assert found[0][0] == "retries-1s"
    assert found[4:] == [
        ("ideal", "healthy", 0, 10), ("ideal", "healthy", 10, 20), ("ideal", "healthy", 20, 25),
        ("ideal", "crash_loop", 0, 3),
    ]  # fmt: skip


def test_a_report_has_all_that_was_run() -> None:
    rows = run(PLAN, processes=1)
    content = as_dict(PLAN, rows)

    assert len(rows) == 2 * 2 * (2 + 1)
    assert list(content["judges"]) == ["kayenta5", "flagger"]
    assert content["judges"]["kayenta5"]["detected_pct"] == {"crash_loop": 100}
    assert content["judges"]["kayenta5"]["time_ratio_vs_kayenta5"] == 1
    console = Console(width=200, record=True, file=io.StringIO())
    for table in (healthy_table(content), harmful_table(content)):
        console.print(table)
    assert "100 300 (0)" in console.export_text()


def test_history_is_for_those_who_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, other = Script(), Script()
    monkeypatch.setitem(JUDGES, "asked", judges.Entry(lambda setting: asked, history_s=60.0))
    monkeypatch.setitem(JUDGES, "other", judges.Entry(lambda setting: other))

    run(
        replace(PLAN, runs=1, judges=("asked", "other"), families=("ideal",), regressions=("healthy",)),
        processes=1,
    )

    assert [it.at for it in asked.seen[:2]] == [-60, -55]
    assert other.seen == asked.seen[12:]
    assert other.seen[0].at == 0


def test_a_judge_is_told_how_long_not_to_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[samples.Setting] = []

    def make(setting: samples.Setting) -> Script:
        told.append(setting)
        return Script()

    monkeypatch.setitem(JUDGES, "told", judges.Entry(make))
    wanted = replace(
        PLAN, runs=1, judges=("told",), families=("H-15s",), regressions=("healthy", "late_errors_x10")
    )

    run(wanted, processes=1)

    assert [(it.interval_s, it.min_s) for it in told] == [(15, 0), (15, 1800)]


def test_two_processes_find_the_same() -> None:
    def verdicts(rows: list[Row]) -> list[tuple[str, str, str, int, str]]:
        return [(it.judge, it.family, it.regression, it.run, it.outcome.first) for it in rows]

    assert verdicts(run(PLAN, processes=2)) == verdicts(in_order(run(PLAN, processes=1)))


def test_a_picture_has_a_line_for_each_judge_in_each_panel() -> None:
    root = ET.fromstring(picture(run(PLAN, processes=1)))

    assert len(root.findall(".//{http://www.w3.org/2000/svg}polyline")) == 4


def test_a_line_climbs_by_what_was_stopped() -> None:
    assert steps([300, None, 300, 900], 1800) == [
        (0, 0), (300 / 1800, 0), (300 / 1800, 0.5), (0.5, 0.5), (0.5, 0.75), (1, 0.75)
    ]  # fmt: skip


def test_the_command_writes_figures_and_picture(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    arguments = [
        "--seed",
        "1",
        "--runs",
        "1",
        "--judge",
        "argo",
        "--family",
        "ideal",
        "--regression",
        "healthy",
    ]

    assert main([*arguments, "--processes", "1", "--json", str(path)]) == 0

    assert json.loads(path.read_text())["judges"]["argo"]["healthy_fail_pct"] == 0
    assert path.with_suffix(".svg").read_text().startswith("<svg")


def test_all_judges_are_run_when_none_is_named() -> None:
    given = parse([])

    assert given.judge == tuple(JUDGES)[: len(judges.DEFAULT)]  # without those of ours that lack a part
    assert len(given.family) == 37
    assert len(given.regression) == 10


@pytest.mark.parametrize("arguments", [["--judge", "kayenta"], ["--runs", "0"], ["--family", "ideal,none"]])
def test_what_is_not_known_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(arguments)

    assert "kayenta" in capsys.readouterr().err or arguments[0] != "--judge"


def test_the_judge_of_the_readme_is_one() -> None:
    text = (Path(figures.__code__.co_filename).parent / "README.md").read_text()
    names = {**vars(judges), **vars(increase), **vars(samples), "JUDGES": {}}

    exec(text.partition("```python\n")[2].partition("```")[0], names)

    bad, good = [(60.0, 2.0, 0.0)] * 30, [(60.0, 1.0, 0.0)] * 30
    entry = names["JUDGES"]["more_errors"]
    assert said(entry.make(samples.Setting()), scrapes(candidate=bad, stable=good))[0] == (60, "FAIL")
    assert said(entry.make(samples.Setting()), scrapes(candidate=good, stable=good)) == [(1800, "PASS")]
