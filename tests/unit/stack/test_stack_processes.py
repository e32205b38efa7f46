"""The stack's processes: started once, found again, and nobody else's ever signalled."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack.errors import NotReadyError, StackError
from tests.stack.processes import (
    Program,
    all_running,
    ensure,
    running,
    start_time,
    stop,
    strays,
    wait_until,
)


@pytest.fixture(autouse=True)
def own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("CD_STACK_DIR", str(tmp_path))
    yield
    for process in all_running():
        stop(process.name, grace_s=1)


def sleeper(name: str = "sleeper", *, config: str = "", seconds: str = "60") -> Program:
    return Program(name, ("/bin/sleep", seconds), lambda: None, config=config)


def pid_of(name: str = "sleeper") -> int:
    process = running(name)
    assert process is not None
    return process.pid


def kill(pid: int) -> None:
    def gone() -> None:
        if start_time(pid) is not None:
            raise NotReadyError(f"{pid} is still there")

    os.kill(pid, signal.SIGKILL)
    wait_until(gone, timeout_s=10, what="the kill")


def marked(pid: int) -> None:
    """A process that was just begun shows its environment a moment later than itself."""
    if pid not in strays("sleeper"):
        raise NotReadyError(f"{pid} carries no mark yet")


def test_what_runs_is_not_started_twice() -> None:
    ensure(sleeper())
    first = pid_of()

    ensure(sleeper())

    assert pid_of() == first


def test_what_was_killed_is_started_again() -> None:
    ensure(sleeper())
    first = pid_of()
    kill(first)

    ensure(sleeper())

    assert pid_of() != first


def test_a_changed_configuration_restarts() -> None:
    ensure(sleeper(config="old"))
    first = pid_of()

    ensure(sleeper(config="new"))

    assert pid_of() != first
    assert start_time(first) is None


def test_what_was_started_but_not_written_down_is_replaced(tmp_path: Path) -> None:
    ensure(sleeper())
    first = pid_of()
    wait_until(lambda: marked(first), timeout_s=10, what="the sleeper's environment")
    (tmp_path / "pids" / "sleeper.json").unlink()

    ensure(sleeper())

    assert start_time(first) is None
    assert pid_of() != first


def test_a_pid_that_belongs_to_another_process_by_now_is_not_signalled(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as bystander:
        record = {"name": "x", "pid": bystander.pid, "start": 1, "fingerprint": "", "since": 0.0}
        (tmp_path / "pids").mkdir()
        (tmp_path / "pids" / "x.json").write_text(json.dumps(record))

        stopped = stop("x")

        alive = bystander.poll() is None
        bystander.communicate(b"\n")
    assert (stopped, alive) == (False, True)


def test_a_program_that_ends_at_once_is_told_with_its_last_words() -> None:
    def never() -> None:
        raise NotReadyError("nobody listens")

    program = Program("loud", ("/bin/sh", "-c", "echo no such port >&2; exit 3"), never)

    with pytest.raises(StackError, match="no such port"):
        ensure(program)
