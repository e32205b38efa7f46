"""The gate that compares one thing with itself: what it takes, and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from cd_provider.core.before_after import BeforeAfter, before_after, epoch
from cd_provider.core.judge.telling import selector, tell
from cd_provider.exceptions import ArgumentError

ROWS: dict[str, Any] = {"total": "rows_read_total", "bad": "rows_rejected_total"}


def test_what_is_given_comes_back_the_same_from_json() -> None:
    gate = BeforeAfter.parse(
        before_after(
            "rows", **ROWS, moment="1700000000", before_s="2h", errors={"ignore": 4, "unacceptable": 9}
        )
    )

    assert BeforeAfter.parse(json.loads(json.dumps(gate.as_dict()))) == gate
    assert (gate.moment, gate.before_s) == (1_700_000_000.0, 7200.0)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        pytest.param({"total": "rows"}, "expected one of them", id="nothing tells a bad one"),
        pytest.param({**ROWS, "status": "code"}, "expected one of them", id="two tell it"),
        pytest.param({**ROWS, "errors": {"ignore": 2}}, "saw ignore 2, expected 3 or more", id="too keen"),
        pytest.param({**ROWS, "mode": "obsreve"}, "expected one of enforce, observe", id="a typo"),
        pytest.param({**ROWS, "moment": "2026-01-01T12:00:00"}, "with its zone", id="whose noon"),
        pytest.param({**ROWS, "moment": "noon"}, "expected a number", id="no moment"),
        pytest.param({**ROWS, "before_s": 0}, "before_s", id="no before"),
        pytest.param({**ROWS, "total": ""}, "expected a text", id="no name"),
    ],
)
def test_what_cannot_work_is_refused(given: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        BeforeAfter.parse(before_after(**given))


def test_a_key_that_is_not_known_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="unknown key 'befor_s'"):
        BeforeAfter.parse({**before_after(**ROWS), "befor_s": 5})


@pytest.mark.parametrize(
    "given",
    [1767265200, "1767265200.0", "2026-01-01T12:00:00+01:00", datetime(2026, 1, 1, 11, tzinfo=UTC)],
    ids=["number", "text", "iso", "datetime"],
)
def test_a_moment_is_read_in_every_form_that_airflow_renders(given: Any) -> None:
    assert epoch(given, name="moment") == 1767265200.0


def test_it_asks_for_the_things_own_counters_and_takes_no_others() -> None:
    gate = BeforeAfter.parse(before_after(**ROWS))
    preset, sides = gate.counters(), gate.sides("orders-load")
    asked = selector(preset, sides)
    told = tell(preset, sides, "rows_rejected_total", {"job": "orders-load"})

    assert 'job=~"orders-load|' in asked
    assert "rows_read_total|rows_rejected_total" in asked
    assert told is not None
    assert (told.side, told.bad, told.counted) == ("candidate", True, True)
    assert tell(preset, sides, "rows_read_total", {"job": "orders-load-2"}) is None
    assert tell(preset, sides, "rows_read_total", {}) is None
