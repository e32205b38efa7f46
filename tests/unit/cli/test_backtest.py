"""A service split in two and judged: what stops it, what is left out and why, and what is printed half-way."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cd_provider.adapters.metrics import counters_prometheus
from tests.loopback import Answer, Request
from tests.unit.cli.conftest import Run
from tests.unit.cli.prometheus import NOW, Prometheus, error, pod

HOUR_S = 3600.0
SHOP = ("backtest", "-n", "web", "--workload", "shop", "--preset", "demo", "--jobs", "1", "--max-s", "5m")
OLD = ("shop-6d4cf56db6-bcd2f", "shop-6d4cf56db6-x7k2p", "shop-6d4cf56db6-z9z9z", "shop-6d4cf56db6-q2q2q")
NEW = ("shop-7f9bd4c8b5-bcd2f", "shop-7f9bd4c8b5-x7k2p")


def serve(
    server: Prometheus,
    *names: str,
    hours: float,
    until_h: float = 0.0,
    errors: float = 0.005,
    per_second: float = 20.0,
) -> None:
    """Let pods be there from so many hours ago until so many hours ago."""
    since, until = NOW - hours * HOUR_S - 30, NOW - until_h * HOUR_S + 30
    for name in names:
        server.series += pod(name, since=since, until=until, per_second=per_second, errors=errors)


def found(run: Run, tmp_path: Path, *more: str, code: int = 0) -> Any:
    out = tmp_path / "out.json"
    ended, _, err = run(*SHOP, "--json", str(out), *more)
    assert ended == code, err
    return json.loads(out.read_text())


def test_pods_that_differ_by_chance_alone_are_never_stopped(
    server: Prometheus, run: Run, tmp_path: Path
) -> None:
    serve(server, *OLD, hours=4)

    told = found(run, tmp_path, "--since", "4h", "--starts", "2")

    assert (told["stretches"], told["splits"], told["whole"]) == (6, 18, True)
    assert (
        told["stopped"]["splits"]
        == told["verdicts"]["FAIL"]["splits"]
        == told["verdicts"]["TRIP"]["splits"]
        == 0
    )
    assert told["stopped"]["high"] == pytest.approx(0.39, abs=0.01)  # of 6 stretches, not of 18 splits
    assert told["not_judged"] == []


def test_a_pod_that_fails_is_seen_and_its_hour_is_named(server: Prometheus, run: Run, tmp_path: Path) -> None:
    serve(server, *OLD[:2], hours=3, errors=0.002)
    serve(server, OLD[2], OLD[3], hours=3, until_h=1.0, errors=0.002)
    for name in OLD[2:]:  # half of the pods fail, in the last hour alone
        server.series += pod(name, since=NOW - HOUR_S + 40, until=NOW + 30, per_second=20.0, errors=0.3)
    server.series = merged(server)

    told = found(run, tmp_path, "--since", "3h", "--splits", "6")

    hit = [one for one in told["runs"] if one["trips"] or one["kind"] == "FAIL"]
    assert {one["began_at"] for one in hit} == {max(one["began_at"] for one in told["runs"])}
    assert sorted(OLD[2:]) in [sorted(one["candidate"]) for one in hit]
    assert told["stopped"]["share"] > 0


def merged(server: Prometheus) -> Any:
    """Let counters of the same labels go on from one another."""
    whole: dict[str, Any] = {}
    for labels, samples in server.series:
        key = json.dumps(labels, sort_keys=True)
        before = whole.get(key, (labels, []))[1]
        stands = before[-1][1] - samples[0][1] if before else 0.0
        whole[key] = (labels, [*before, *((at, value + stands) for at, value in samples)])
    return list(whole.values())


def test_days_without_samples_are_named_and_the_others_judged(server: Prometheus, run: Run) -> None:
    serve(server, *OLD, hours=3)

    code, out, _ = run(*SHOP, "--since", "2d")

    assert code == 0
    assert "2 stretch(es) of time" in out
    assert out.count("h): no samples") == 3  # the days of NOW - 48 h … NOW - 3 h
    assert "2027-01-14 (24 h): no samples" in out
    assert "2027-01-15 (1 h): samples of " in out


def test_an_hour_with_a_rollout_is_left_out_and_said(server: Prometheus, run: Run, tmp_path: Path) -> None:
    serve(server, *OLD, hours=3, until_h=0.97)  # gone two minutes after the last hour has begun
    serve(server, *NEW[:1], hours=0.95)

    told = found(run, tmp_path, "--since", "3h")

    assert told["stretches"] == 1
    assert [
        "1 pod(s) there all the while" in one["why"] or "0 pod(s)" in one["why"] for one in told["not_judged"]
    ] == [True]


def test_samples_that_were_thinned_out_are_no_samples(server: Prometheus, run: Run, tmp_path: Path) -> None:
    serve(server, *OLD, hours=3)
    server.series = [(labels, samples[::30]) for labels, samples in server.series]

    told = found(run, tmp_path, "--since", "3h", code=1)

    assert {one["why"] for one in told["not_judged"]} == {"samples 300 s apart: thinned out, not as scraped"}


def test_an_answer_that_is_too_large_is_asked_for_in_pieces(
    server: Prometheus, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, *OLD, hours=3)
    whole = found(run, tmp_path, "--since", "3h")
    longest = longest_s(server)
    server.asked.clear()
    monkeypatch.setattr(counters_prometheus, "MAX_BYTES", 200_000)

    assert found(run, tmp_path, "--since", "3h") == whole
    assert longest == 3600
    assert [s for s in seconds_asked(server) if s == 3600][
        1:
    ] == []  # once it was too much, it is not tried again


def test_a_server_that_reads_no_more_samples_is_asked_for_less(
    server: Prometheus, run: Run, tmp_path: Path
) -> None:
    serve(server, *OLD, hours=2)
    many = "query processing would load too many samples into memory in query execution"

    def fault(request: Request) -> Answer | None:
        return error(422, many) if any(s > 900 for s in asked_s(request.form)) else None

    server.fault = fault

    assert found(run, tmp_path, "--since", "2h")["stretches"] == 1


def asked_s(form: Any) -> list[int]:
    query = form["query"]
    return [int(query.rpartition("[")[2].rstrip("s])"))] if "__name__" in query else []


def seconds_asked(server: Prometheus) -> list[int]:
    return [s for form in server.asked for s in asked_s(form)]


def longest_s(server: Prometheus) -> int:
    return max(seconds_asked(server))


def test_a_minute_that_is_too_large_ends_it_with_what_to_do(
    server: Prometheus, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    serve(server, *OLD, hours=2)
    monkeypatch.setattr(counters_prometheus, "MAX_BYTES", 500)

    code, out, err = run(*SHOP, "--since", "2h")

    assert (code, out) == (1, "")
    assert "add matchers" in err


def test_an_outage_in_the_middle_is_said_and_what_was_measured_is_kept(
    server: Prometheus, run: Run, tmp_path: Path
) -> None:
    serve(server, *OLD, hours=7)
    server.fault = lambda request: (
        Answer(status=500) if float(request.form.get("time", 0)) > NOW - 3.5 * HOUR_S else None
    )

    told = found(run, tmp_path, "--since", "7h", code=1)

    assert told["stretches"] == 2
    assert "3 hours in a row" in told["fault"]
    assert "status 500" in told["fault"]
    assert not told["whole"]


def test_an_hour_that_cannot_be_read_is_left_out(server: Prometheus, run: Run, tmp_path: Path) -> None:
    serve(server, *OLD, hours=5)
    server.fault = lambda request: (
        Answer(status=500) if abs(float(request.form.get("time", 0)) - (NOW - 2 * HOUR_S)) < 1 else None
    )

    told = found(run, tmp_path, "--since", "5h")

    assert told["stretches"] == 2  # the hour after it has no hour before it
    assert [one["why"].startswith("not read:") for one in told["not_judged"]] == [True]


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Take SIGINT as a program in the foreground does, whatever this process was started by."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_interrupted_it_prints_what_was_measured_so_far(server: Prometheus, run: Run) -> None:
    serve(server, *OLD, hours=4)

    def fault(request: Request) -> Answer | None:
        if abs(float(request.form.get("time", 0)) - NOW) < 1:
            os.kill(os.getpid(), signal.SIGINT)
            return Answer(hang=True)
        return None

    server.fault = fault

    code, out, _ = run(*SHOP, "--since", "4h")

    assert code == 130
    assert "6 split(s) in 2 stretch(es)" in out
    assert "ended half-way" in out


def test_a_service_that_was_never_there_is_no_clean_bill(server: Prometheus, run: Run) -> None:
    code, out, _ = run(*SHOP, "--since", "3h")

    assert code == 1
    assert "0 split(s)" in out
    assert "no samples" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--preset", "envoy"], "do not tell stable's pods apart", id="a gateway's counters"),
        pytest.param(["--starts", "13"], "do not fit into an hour", id="starts that overlap"),
        pytest.param(["--since", "1h"], "--since: saw 3600", id="no hour before"),
        pytest.param(["--splits", "0"], "--splits: saw '0'", id="no splits"),
        pytest.param(["--max-s", "soon"], "--max-s: saw 'soon'", id="no seconds"),
    ],
)
def test_what_is_asked_for_wrongly_is_said(run: Run, arguments: list[str], said: str) -> None:
    code, out, err = run(*SHOP, *arguments)

    assert (code, out) == (2, "")
    assert said in err
