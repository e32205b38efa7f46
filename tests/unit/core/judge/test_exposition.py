"""A page of metrics: what is wanted is found and read right, what is not is left alone, what is broken is shown."""

from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.judge.exposition import Sample, is_openmetrics, parse_line, samples, type_of
from cd_provider.exceptions import ArgumentError

CLASSIC = """\
# HELP http_requests_total Requests, by "code".
# TYPE http_requests_total counter
http_requests_total{code="200",method="GET"} 1027 1395066363000
http_requests_total{code="500",method="GET"} 3
http_requests_total_of_others{code="200"} 9
# TYPE lag gauge
lag -Inf
http_requests_total{code="404",method="GET"} 1.5e+03
"""
OPENMETRICS = """\
# TYPE took_seconds histogram
# UNIT took_seconds seconds
# HELP took_seconds How long.
took_seconds_bucket{le="0.25"} 8 # {trace_id="KOO5S4vxi0o"} 0.067
took_seconds_bucket{le="+Inf"} 17 1520879607.789 # {trace_id="a}b"} 9.8 1520879607.789
took_seconds_count 17
took_seconds_created 1520430000.123
# TYPE asked counter
asked_total 17.0
asked_created 1520430000.123
# EOF
"""


def test_a_metric_is_read_wherever_its_lines_stand_and_no_longer_name_with_it() -> None:
    found = list(samples(CLASSIC, ["http_requests_total"]))

    assert [(one.labels["code"], one.value, one.stamp) for one in found] == [
        ("200", 1027.0, 1395066363.0),
        ("500", 3.0, None),
        ("404", 1500.0, None),
    ]


def test_openmetrics_has_stamps_in_seconds_exemplars_and_creation_times() -> None:
    buckets = list(samples(OPENMETRICS, ["took_seconds_bucket"]))
    (total,) = samples(OPENMETRICS, ["asked_total"])

    assert is_openmetrics(OPENMETRICS)
    assert not is_openmetrics(CLASSIC)
    assert [(one.labels, one.value, one.stamp) for one in buckets] == [
        ({"le": "0.25"}, 8.0, None),
        ({"le": "+Inf"}, 17.0, 1520879607.789),
    ]
    assert total == Sample("asked_total", {}, 17.0)


def test_only_lines_with_a_wanted_text_are_read() -> None:
    page = 'rq{to="a_1"} 1\nrq{to="b_1"} this is broken and nobody asked\n'

    assert [one.value for one in samples(page, ["rq"], having=['"a_', '"c_'])] == [1.0]


def test_broken_lines_of_other_metrics_disturb_nobody() -> None:
    assert list(samples("half a line{\nrq 1\n}{", ["rq", "never"])) == [Sample("rq", {}, 1.0)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("a 0", Sample("a", {}, 0.0), id="no labels"),
        pytest.param("a{} +Inf", Sample("a", {}, math.inf), id="empty labels"),
        pytest.param(
            'a{ b = "c" , } \t -1.5E-3 \t 12 ', Sample("a", {"b": "c"}, -0.0015, 0.012), id="blanks"
        ),
        pytest.param('a{b="} 1 2"} 3', Sample("a", {"b": "} 1 2"}, 3.0), id="a brace within a value"),
        pytest.param(r'a{b="x\\n\"\n"} 3', Sample("a", {"b": 'x\\n"\n'}, 3.0), id="escapes"),
        pytest.param('a{"b.c"="d"} .5', Sample("a", {"b.c": "d"}, 0.5), id="a quoted name"),
        pytest.param('a:b{b="ü"} 1', Sample("a:b", {"b": "ü"}, 1.0), id="colons and umlauts"),
        pytest.param('a{b=""}2', Sample("a", {"b": ""}, 2.0), id="no blank after the brace"),
    ],
)
def test_a_line_is_read(text: str, expected: Sample) -> None:
    assert parse_line(text) == expected


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("a", id="no value"),
        pytest.param("a one", id="no number"),
        pytest.param("a 1_000", id="a number of Python's alone"),
        pytest.param("a1", id="a name that ends in a digit is no value"),
        pytest.param('a{b="c" 1', id="no closing brace"),
        pytest.param('a{b="c} 1', id="no closing quote"),
        pytest.param("a{b='c'} 1", id="other quotes"),
        pytest.param('a{b="c" d="e"} 1', id="no comma"),
        pytest.param("a 1 2 3", id="too much"),
        pytest.param("a 1 soon", id="a stamp that is none"),
        pytest.param('a{b="c"} 1 # exemplar', id="an exemplar that is none"),
        pytest.param("a-b 1", id="a dash"),
    ],
)
def test_a_line_that_is_not_of_the_format_is_shown(line: str) -> None:
    with pytest.raises(ArgumentError) as caught:
        list(samples(f"# HELP a\n{line}\n", ["a"] if line != "a1" else ["a1"]))

    assert repr(line) in str(caught.value)


def test_a_long_broken_line_is_shown_in_part_and_refused_at_once() -> None:
    line = "a{" + 'b="c",' * 20_000 + "!} 1"

    with pytest.raises(ArgumentError) as caught:
        parse_line(line)

    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        pytest.param("http_requests_total", "counter", id="by its own name"),
        pytest.param("lag", "gauge", id="a gauge"),
        pytest.param("took_seconds_bucket", "histogram", id="a histogram's bucket"),
        pytest.param("asked_total", "counter", id="OpenMetrics leaves _total out"),
        pytest.param("http_requests", None, id="the beginning of another name"),
    ],
)
def test_the_page_says_what_a_metric_is(name: str, kind: str | None) -> None:
    assert type_of(CLASSIC + OPENMETRICS, name) == kind
    assert type_of(OPENMETRICS + CLASSIC, name) == kind


NAMES = st.from_regex(r"[a-zA-Z_:][a-zA-Z0-9_:]{0,6}", fullmatch=True)
LABELS = st.dictionaries(
    st.from_regex(r"[a-zA-Z_][a-zA-Z0-9_]{0,6}", fullmatch=True),
    st.text(st.characters(codec="utf-8", exclude_characters="\r"), max_size=12),
    max_size=4,
)
VALUES = st.floats(allow_nan=False)
STAMPS = st.none() | st.integers(min_value=0, max_value=4_000_000_000_000)


def write(name: str, labels: Mapping[str, str], value: float, stamp_ms: int | None) -> str:
    """Write one line of the classic format."""
    escaped = {
        key: text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
        for key, text in labels.items()
    }
    inner = ",".join(f'{key}="{text}"' for key, text in escaped.items())
    number = {math.inf: "+Inf", -math.inf: "-Inf"}.get(value, repr(value))
    return f"{name}{{{inner}}} {number}" + ("" if stamp_ms is None else f" {stamp_ms}")


@settings(deadline=None)
@given(NAMES, LABELS, VALUES, STAMPS)
def test_what_is_written_is_read(name: str, labels: dict[str, str], value: float, stamp: int | None) -> None:
    read = parse_line(write(name, labels, value, stamp))

    assert read == Sample(name, labels, value, None if stamp is None else stamp / 1000)


@settings(deadline=None)
@given(st.lists(st.tuples(NAMES, LABELS, VALUES, STAMPS), max_size=12), st.data())
def test_of_a_page_exactly_the_wanted_metrics_are_read(
    lines: list[tuple[str, dict[str, str], float, int | None]], data: st.DataObject
) -> None:
    page = "".join(write(*line) + "\n" for line in lines)
    wanted = data.draw(st.sets(st.sampled_from([line[0] for line in lines]))) if lines else set()

    read = sorted((one.name, repr(one.labels), one.value) for one in samples(page, wanted))

    assert read == sorted((name, repr(own), value) for name, own, value, _ in lines if name in wanted)


def test_not_a_number_is_read_as_such() -> None:
    assert math.isnan(parse_line("a NaN").value)
