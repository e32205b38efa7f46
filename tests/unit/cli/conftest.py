"""The command line, run in this process against a server behind a real socket."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cd_provider.cli import reader
from cd_provider.cli.main import main
from tests.loopback import Loopback
from tests.unit.cli.prometheus import Prometheus

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def calm(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait for nothing, and know no credentials."""
    monkeypatch.setattr(reader, "PAUSE_S", 0.0)
    for name in ("TOKEN", "USER", "PASSWORD"):
        monkeypatch.delenv(f"CD_PROMETHEUS_{name}", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Prometheus:
    return Prometheus()


@pytest.fixture
def loopback(server: Prometheus) -> Iterator[Loopback]:
    with Loopback(server) as loopback:
        yield loopback


@pytest.fixture
def run(loopback: Loopback, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command; give its exit code, its output and what it said beside."""

    def run(*arguments: str) -> tuple[int, str, str]:
        url = f"http://127.0.0.1:{loopback.port}"
        code = main([*arguments, "--prometheus-url", url, "-q"])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def read_json(tmp_path: Path) -> Callable[[], Any]:
    return lambda: json.loads((tmp_path / "out.json").read_text())
