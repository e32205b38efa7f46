from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from benchmarks.__main__ import BY_NAME, NAMES, parse
from benchmarks.report import Figure, Report, machine, write
from benchmarks.summary import median, quantile
from benchmarks.table import beside, make_table, number, target

NUMBERS = st.lists(st.floats(0, 1000), min_size=1, max_size=60)


@pytest.mark.parametrize(
    ("share", "expected"),
    [
        pytest.param(0.9, 9, id="nine in ten"),
        pytest.param(0.91, 10, id="above"),
        pytest.param(1, 10, id="all"),
    ],
)
def test_a_quantile_is_the_nearest_rank(share: float, expected: float) -> None:
    assert quantile([10, 1, 9, 2, 8, 3, 7, 4, 6, 5], share) == expected


@given(values=NUMBERS, share=st.floats(0.01, 1))
def test_a_quantile_is_a_value_that_the_share_does_not_exceed(values: list[float], share: float) -> None:
    found = quantile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9


@given(values=NUMBERS)
def test_as_many_lie_below_the_median_as_above(values: list[float]) -> None:
    middle = median(values)

    assert sum(value < middle for value in values) <= len(values) / 2
    assert sum(value > middle for value in values) <= len(values) / 2


@pytest.mark.parametrize("find", [median, lambda values: quantile(values, 0.5)], ids=["median", "quantile"])
def test_nothing_measured_is_no_figure(find: object) -> None:
    with pytest.raises(ValueError, match="nothing was measured"):
        find([])  # type: ignore[operator]


@pytest.mark.parametrize(
    ("figure", "met"),
    [
        pytest.param(Figure(key="a", label="a", value=1.0, at_most=1), True, id="the bound itself"),
        pytest.param(Figure(key="a", label="a", value=1.01, at_most=1), False, id="above"),
        pytest.param(Figure(key="a", label="a", value=7, at_least=8), False, id="below"),
        pytest.param(Figure(key="a", label="a", value=None, at_most=1), False, id="not measured"),
        pytest.param(Figure(key="a", label="a", value=1.0), None, id="no target"),
    ],
)
def test_a_target_is_met_or_not(figure: Figure, met: bool | None) -> None:
    assert figure.met is met


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        pytest.param(0.12345, "s", "0.123 s", id="small"),
        pytest.param(3.14159, "s", "3.14 s", id="middle"),
        pytest.param(123.456, "ms", "123.5 ms", id="large"),
        pytest.param(50, "", "50", id="count"),
        pytest.param(None, "s", "–", id="none"),
    ],
)
def test_a_number_is_printed_as_exactly_as_it_means_something(
    value: float | None, unit: str, text: str
) -> None:
    assert number(value, unit) == text


def test_others_are_shown_as_a_multiple_of_ours() -> None:
    figure = Figure(key="a", label="a", value=2.0, beside={"Argo": [4.8, 9.4], "Flagger": [20.0]})

    assert beside(figure, "Argo") == "4.8–9.4 s (2.4–4.7×)"
    assert beside(figure, "Flagger") == "20 s (10.0×)"
    assert beside(figure, "Spinnaker") == ""


def test_a_multiple_of_nothing_is_not_shown() -> None:
    assert beside(Figure(key="a", label="a", value=0, unit="", beside={"Argo": [8]}), "Argo") == "8"


def test_a_missed_target_is_red() -> None:
    shown = target(Figure(key="a", label="a", value=1.5, at_most=1))

    assert (shown.plain, shown.style) == ("≤ 1 s ✘", "red")


def report() -> Report:
    figures = [
        Figure(key="slowest_s", label="the slowest", value=0.25, at_most=1.0, beside={"Argo": [0.5]}),
        Figure(key="aborts", label="aborts", value=50, unit=""),
    ]
    return Report(name="abort", title="Abort", figures=figures, samples=[{"s": 0.25}], notes=["A note."])


def test_a_table_has_a_row_for_each_figure_and_a_column_for_each_other_product() -> None:
    console = Console(width=120, record=True, file=open("/dev/null", "w"))  # noqa: SIM115

    with console.file:
        console.print(make_table(report()))
    text = console.export_text()

    assert "the slowest" in text
    assert "0.250 s" in text
    assert "≤ 1 s ✔" in text
    assert "0.5 s (2.0×)" in text
    assert "aborts" in text


def test_what_is_written_says_all_that_is_needed_to_doubt_it(tmp_path: Path) -> None:
    path = write(report(), {"cores": 2, "cpu": "a fast one"}, tmp_path)

    kept = json.loads(path.read_text())
    assert path.name == "abort.json"
    assert kept["figures"] == {"slowest_s": 0.25, "aborts": 50}
    assert kept["targets"] == {"slowest_s": {"at_most": 1.0}}
    assert kept["machine"] == {"cores": 2, "cpu": "a fast one"}
    assert kept["samples"] == [{"s": 0.25}]
    assert datetime.fromisoformat(kept["when"]) <= datetime.now(UTC)


def test_the_machine_is_named() -> None:
    assert set(machine()) == {"cores", "cpu", "load_1m"}


def test_every_benchmark_is_run_unless_some_are_named() -> None:
    assert parse([]).names == []
    assert parse(["abort", "--runs", "3"]).names == ["abort"]
    assert set(NAMES) == {"imports", "exposition", "abort", "exposure", "delivery", "many", "judged"}
    assert set(BY_NAME) == {"judged_long"}


@pytest.mark.parametrize("argv", [["speed"], ["--runs", "0"]], ids=["unknown", "no runs"])
def test_a_slip_on_the_command_line_is_said(argv: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(argv)

    assert argv[0].lstrip("-") in capsys.readouterr().err
