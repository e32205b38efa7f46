"""The commands as they are called: help, exit codes, connections."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys

import pytest

from cd_provider import __version__
from cd_provider.cli.main import main
from cd_provider.cli.screen import Screen
from tests.loopback import Loopback
from tests.unit.cli.prometheus import NOW, Prometheus, pod

SHOP = (
    "backtest",
    "-n",
    "web",
    "--workload",
    "shop",
    "--preset",
    "demo",
    "--jobs",
    "1",
    "--max-s",
    "5m",
    "--since",
    "2h",
)


@pytest.mark.parametrize("command", ["plan", "backtest", "replay", "rejudge"])
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])

    assert ended.value.code == 0
    assert f"cd-provider {command}" in capsys.readouterr().out


def test_it_says_its_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])

    assert capsys.readouterr().out.strip() == f"cd-provider {__version__}"


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="nothing"),
        pytest.param(["promote"], id="no such command"),
        pytest.param([*SHOP], id="no server"),
        pytest.param([*SHOP, "--prometheus-url", "http://a", "--conn-id", "b"], id="two servers"),
        pytest.param([*SHOP, "--token", "s3cret"], id="a secret where everybody sees it"),
    ],
)
def test_what_is_not_understood_is_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)

    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_help_loads_no_airflow() -> None:
    script = (
        "import sys; from cd_provider.cli.main import main\n"
        "try: main(['plan', '--help'])\n"
        "except SystemExit: sys.exit('airflow' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def test_a_connection_of_airflow_is_opened_as_airflow_does(
    server: Prometheus,
    loopback: Loopback,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", os.environ.get("_AIRFLOW_PROCESS_CONTEXT", "client"))
    fields = {
        "conn_type": "prometheus",
        "host": "127.0.0.1",
        "port": loopback.port,
        "extra": {"token": "s3cret"},
    }
    monkeypatch.setenv("AIRFLOW_CONN_PROM", json.dumps(fields))
    for name in ("shop-6d4cf56db6-bcd2f", "shop-6d4cf56db6-x7k2p"):
        server.series += pod(name, since=NOW - 7230, until=NOW + 30, per_second=5.0, errors=0.001)

    code = main([*SHOP, "--conn-id", "prom", "-q"])

    said = capsys.readouterr()
    assert code == 0, said.err
    assert "1 stretch(es) of time" in said.out
    assert {one.headers["authorization"] for one in loopback.requests} == {"Bearer s3cret"}
    assert "s3cret" not in said.out + said.err


def test_a_connection_that_is_not_there_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_AIRFLOW_PROCESS_CONTEXT", "client")

    code = main([*SHOP, "--conn-id", "nobody_made_this"])

    assert code == 1
    assert "'nobody_made_this': there is none of this name" in capsys.readouterr().err


def test_many_processes_find_the_same_and_a_pipe_gets_no_bars(
    server: Prometheus, loopback: Loopback, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("shop-6d4cf56db6-bcd2f", "shop-6d4cf56db6-x7k2p", "shop-6d4cf56db6-z9z9z"):
        server.series += pod(name, since=NOW - 7230, until=NOW + 30, per_second=5.0, errors=0.001)
    url = ("--prometheus-url", f"http://127.0.0.1:{loopback.port}")

    assert main([*SHOP, *url]) == 0
    alone = capsys.readouterr()
    assert main([*SHOP, *url, "--jobs", "2"]) == 0

    assert capsys.readouterr().out == alone.out
    assert alone.err == ""


class Terminal(io.StringIO):
    """Somebody looks at it."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("quiet", [False, True])
def test_where_somebody_looks_there_is_a_bar(monkeypatch: pytest.MonkeyPatch, quiet: bool) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")

    with Screen(quiet=quiet).bar("hours", 3) as bar:
        bar.done(2, what="hours, at noon")
    shown = terminal.getvalue()

    assert ("hours, at noon" in shown and "2/3" in shown) is not quiet
