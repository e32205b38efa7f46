"""What ``plan`` says of a service whose rates are known, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.loopback import Answer
from tests.unit.cli.conftest import Run
from tests.unit.cli.prometheus import NOW, Prometheus, error, pod

HOUR_S, DAY_S = 3600.0, 86_400.0
TARGET = ("plan", "-n", "web", "--workload", "deployment/shop", "--preset", "demo", "--jobs", "1")
SHOP = (
    *TARGET,
    "--runs",
    "1",
    "--steps",
    "50",
    "--step-s",
    "60",
    "--max-s",
    "4m",
)  # short: what is drawn matters little
PODS = ("shop-6d4cf56db6-bcd2f", "shop-6d4cf56db6-x7k2p", "shop-6d4cf56db6-z9z9z")


def serve(server: Prometheus, *, per_second: float, errors: float, since: float = NOW - HOUR_S - 60) -> None:
    for name in PODS:
        server.series += pod(
            name, since=since, until=since + HOUR_S + 120, per_second=per_second, errors=errors
        )


def found(run: Run, tmp_path: Path, *more: str, of: tuple[str, ...] = SHOP) -> Any:
    out = tmp_path / "out.json"
    code, _, err = run(*of, "--json", str(out), *more)
    assert code == 0, err
    return json.loads(out.read_text())


def test_it_reads_the_rates_that_the_service_has(server: Prometheus, run: Run, tmp_path: Path) -> None:
    serve(server, per_second=20.0, errors=0.01)
    serve(server, per_second=40.0, errors=0.01, since=NOW - DAY_S - 60)

    plan = found(run, tmp_path)

    assert plan["service"]["requests_per_s"] == pytest.approx(60.0, rel=0.02)
    assert plan["service"]["error_share"] == pytest.approx(0.01, rel=0.15)
    assert (plan["service"]["pods"], plan["service"]["interval_s"]) == (3, 10.0)
    assert plan["like_stable"]["yesterday at this hour"]["requests_per_s"] == pytest.approx(120.0, rel=0.02)
    assert any("a week ago at this hour: no samples" in line for line in plan["remarks"])


def test_what_is_worse_is_seen_sooner_and_more_traffic_passes_sooner(
    server: Prometheus, run: Run, tmp_path: Path
) -> None:
    serve(server, per_second=40.0, errors=0.01)
    serve(server, per_second=400.0, errors=0.01, since=NOW - DAY_S - 60)

    plan = found(run, tmp_path, "--runs", "3", of=TARGET)

    bad, good = plan["bad"], plan["like_stable"]
    assert bad["every request fails"]["off_s"] <= 20
    assert bad["every request fails"]["off_s"] <= bad["10x the errors"]["off_s"] <= 300
    assert all(
        bad[name]["off_share"] == 1.0 for name in ("every request fails", "10x the errors", "50 % slower")
    )
    assert good["yesterday at this hour"]["pass_s"] < good["as in the last hour"]["pass_s"]
    assert 180 <= plan["fastest_pass_s"] <= good["yesterday at this hour"]["pass_s"]
    assert plan["share_needed"]["like stable: PASS"]["weight"] <= 50


def test_a_service_with_few_requests_is_told_that_nothing_is_decided(
    server: Prometheus, run: Run, tmp_path: Path
) -> None:
    serve(server, per_second=0.05, errors=0.01)

    plan = found(run, tmp_path)

    assert plan["like_stable"]["as in the last hour"]["pass_share"] == 0.0
    assert plan["like_stable"]["as in the last hour"]["candidate_requests_needed"] > 100
    assert plan["share_needed"]["like stable: PASS"]["weight"] is None


def test_without_a_single_error_times_as_many_are_not_asked_about(
    server: Prometheus, run: Run, tmp_path: Path
) -> None:
    serve(server, per_second=20.0, errors=0.0)

    plan = found(run, tmp_path)

    assert "2x the errors" not in plan["bad"]
    assert any("no request failed" in line for line in plan["remarks"])


def test_people_get_tables(server: Prometheus, run: Run) -> None:
    serve(server, per_second=20.0, errors=0.01)

    code, out, err = run(*SHOP)

    assert (code, err) == (0, "")
    assert "web/shop, preset demo: 3 pod(s), 60 requests/s" in out
    for words in ("every request fails", "like stable: PASS", "fastest possible", "as in the last hour"):
        assert words in out


def test_the_same_seed_gives_the_same_plan(server: Prometheus, run: Run, tmp_path: Path) -> None:
    serve(server, per_second=20.0, errors=0.01)

    plan = found(run, tmp_path)

    assert found(run, tmp_path) == plan
    assert found(run, tmp_path, "--seed", "another")["bad"] != plan["bad"]


def test_pods_of_a_candidate_and_of_other_workloads_are_not_stables(
    server: Prometheus, run: Run, tmp_path: Path
) -> None:
    serve(server, per_second=20.0, errors=0.01)
    for name in ("shop-candidate-6d4cf56db6-bcd2f", "shop-api-6d4cf56db6-bcd2f", "shop-0"):
        server.series += pod(name, since=NOW - HOUR_S, until=NOW, per_second=50.0)

    assert found(run, tmp_path)["service"]["pods"] == 3


def test_a_service_that_is_not_there_is_named_with_what_to_look_at(server: Prometheus, run: Run) -> None:
    code, out, err = run(*SHOP)

    assert (code, out) == (1, "")
    assert "web/shop, preset demo" in err
    assert "no samples" in err
    assert "--namespace" in err


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        pytest.param(Answer(status=500), "no result, status 500", id="out of order"),
        pytest.param(error(503, "query timed out"), "query timed out", id="busy"),
        pytest.param(error(200, "exploded", "internal"), "exploded", id="an error with status 200"),
        pytest.param(error(401, ""), "refuses the credentials", id="refused"),
        pytest.param(Answer(b"<html>", status=404), "status 404", id="another server"),
        pytest.param(Answer(b"[]"), "no result", id="no answer of a Prometheus"),
    ],
)
def test_a_server_that_does_not_answer_is_said(
    server: Prometheus, run: Run, answer: Answer, said: str
) -> None:
    server.fault = lambda request: answer

    code, out, err = run(*SHOP)

    assert (code, out) == (1, "")
    assert said in err


def test_a_short_outage_is_waited_out(server: Prometheus, run: Run, tmp_path: Path) -> None:
    serve(server, per_second=20.0, errors=0.01)
    faults = [Answer(status=500), Answer(status=502)]
    server.fault = lambda request: faults.pop() if faults and "__name__" in request.form["query"] else None

    assert found(run, tmp_path)["service"]["pods"] == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["--workload", "job/shop"], "expected deployment/NAME", id="another kind"),
        pytest.param(["--pods", "shop-("], "--pods: saw", id="no pattern"),
        pytest.param(["--preset", "demmo"], "'demmo', expected one of", id="no such preset"),
        pytest.param(
            ["--preset", "envoy", "--workload", "shop", "--steps", "5,3"], "rising", id="falling steps"
        ),
        pytest.param(["--steps", "[5,"], "expected JSON", id="broken steps"),
        pytest.param(["--max-s", "60", "--step-s", "60"], "the steps alone take", id="no time for the steps"),
        pytest.param(["--errors", "2"], "expected two numbers", id="one bound"),
        pytest.param(["--errors", "3,2"], "the second larger", id="bounds the wrong way round"),
        pytest.param(["--runs", "0"], "--runs: saw '0'", id="no runs"),
        pytest.param(["--json", "/nowhere/at/all.json"], "expected one in a folder", id="no folder"),
        pytest.param(["--ca-file", "/nowhere.pem"], "no readable PEM", id="no CA file"),
        pytest.param(["--option", "total"], "KEY=VALUE", id="half an option"),
    ],
)
def test_what_is_asked_for_wrongly_is_said(run: Run, arguments: list[str], said: str) -> None:
    code, out, err = run(*SHOP, *arguments)

    assert code == (1 if "PEM" in said else 2)
    assert out == ""
    assert said in err


def test_a_preset_of_a_gateway_needs_the_services_name(run: Run) -> None:
    code, _, err = run("plan", "-n", "web", "--preset", "envoy")

    assert code == 2
    assert "--service NAME" in err


def test_credentials_come_from_the_environment_and_from_nowhere_else(
    server: Prometheus, run: Run, monkeypatch: pytest.MonkeyPatch, loopback: Any
) -> None:
    monkeypatch.setenv("CD_PROMETHEUS_TOKEN", "s3cret-token")

    _, out, err = run(*SHOP)

    assert loopback.requests[0].headers["authorization"] == "Bearer s3cret-token"
    assert "s3cret" not in out + err
