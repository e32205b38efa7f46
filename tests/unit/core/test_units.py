from __future__ import annotations

import pytest

from cd_provider.core.units import number, seconds, size_bytes, whole
from cd_provider.exceptions import ArgumentError


@pytest.mark.parametrize(
    ("text", "expected"), [(5, 5), ("90", 90), ("5m", 300), ("1h30m", 5400), ("1.5s", 1.5), (" 2d ", 172800)]
)
def test_a_duration_reads_as_seconds(text: object, expected: float) -> None:
    assert seconds(text, name="step_s") == expected


@pytest.mark.parametrize("text", ["", "5 minutes", "m", None, True, "nan", "-1", [5], "5m!"])
def test_what_is_no_duration_is_refused_by_name(text: object) -> None:
    with pytest.raises(ArgumentError, match="step_s"):
        seconds(text, name="step_s")


@pytest.mark.parametrize(
    ("text", "expected"), [("512Mi", 512 * 1024**2), ("2G", 2_000_000_000), (7, 7), ("1KB", 1000)]
)
def test_a_size_reads_as_bytes(text: object, expected: int) -> None:
    assert size_bytes(text, name="memory") == expected


@pytest.mark.parametrize("text", ["", "2 X", "-1", True, None])
def test_what_is_no_size_is_refused(text: object) -> None:
    with pytest.raises(ArgumentError, match="memory"):
        size_bytes(text, name="memory")


def test_a_rendered_template_is_a_number() -> None:
    assert number("0.01", name="max") == 0.01
    assert whole("3", name="candidate_min") == 3


@pytest.mark.parametrize("value", ["1.5", "inf", True, 101, "x"])
def test_a_whole_number_within_bounds_or_an_error(value: object) -> None:
    with pytest.raises(ArgumentError, match="from 0 to 100"):
        whole(value, name="weight", least=0, most=100)
