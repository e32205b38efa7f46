"""What is read out of a stream of requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.stack.load_record import Record, Request


def request(
    at: float, version: str | None = "v1", status: int | None = 200, latency_s: float = 0.5
) -> Request:
    error = None if status else "ServerDisconnectedError: "
    return Request(at=at, status=status, version=version, latency_s=latency_s, error=error)


RECORD = Record(
    [
        request(100.0),
        request(100.5, "v2"),
        request(101.0, "v2", status=503, latency_s=0.25),
        request(101.5, status=404),
        request(103.0, None, status=None, latency_s=2.0),
        request(103.5),
    ]
)


def test_requests_are_counted_per_version() -> None:
    assert RECORD.per_version() == {
        "v1": {"requests": 3, "failed": 0},
        "v2": {"requests": 2, "failed": 1},
        None: {"requests": 1, "failed": 1},
    }
    assert (RECORD.count(), RECORD.count("v2"), RECORD.failed(), RECORD.failed("v2")) == (6, 2, 2, 1)


def test_a_404_is_an_answer_and_silence_is_none() -> None:
    assert RECORD.statuses() == {200: 3, 503: 1, 404: 1, None: 1}
    assert [r.failed for r in RECORD.requests] == [False, False, True, False, True, False]


def test_the_first_bad_answer_counts_when_it_is_there() -> None:
    assert RECORD.first_bad("v2") == 101.25
    assert RECORD.first_bad() == 101.25
    assert RECORD.first_bad("v1") is None


def test_a_version_is_seen_from_until() -> None:
    assert (RECORD.first_seen("v2"), RECORD.last_seen("v2"), RECORD.last_seen("v3")) == (100.5, 101.0, None)


def test_shares_go_over_time_and_gaps_stay_gaps() -> None:
    assert RECORD.share("v2") == [(100.0, 0.5), (101.0, 0.5), (103.0, 0.0)]
    assert RECORD.error_share("v2") == [(100.0, 0.0), (101.0, 1.0)]
    assert RECORD.error_share(bucket_s=4.0) == [(100.0, 2 / 6)]


def test_a_stretch_is_half_open() -> None:
    assert [r.at for r in RECORD.between(100.5, 103.0).requests] == [100.5, 101.0, 101.5]


def test_latency_is_that_of_answers() -> None:
    assert (RECORD.latency_s(0.99), RECORD.latency_s(0.0), RECORD.latency_s(0.5, "v3")) == (0.5, 0.25, None)


def test_the_rate_is_that_of_sending() -> None:
    assert RECORD.rate_per_s() == pytest.approx(5 / 3.5)
    assert Record([]).rate_per_s() == 0.0


def test_a_half_written_line_is_left_for_later(tmp_path: Path) -> None:
    line = json.dumps({"at": 2.0, "status": 200, "version": "v1", "latency_s": 0.1, "error": None})
    earlier = line.replace("2.0", "1.0")
    (tmp_path / "load.jsonl").write_text(f'{line}\n{earlier}\n{{"at": 3.0, "sta')

    assert [r.at for r in Record.read(tmp_path / "load.jsonl").requests] == [1.0, 2.0]


def test_nothing_written_is_an_empty_record(tmp_path: Path) -> None:
    assert Record.read(tmp_path / "load.jsonl").count() == 0


def test_the_summary_is_json() -> None:
    assert json.loads(json.dumps(RECORD.summary()))["versions"]["v2"] == {"requests": 2, "failed": 1}
