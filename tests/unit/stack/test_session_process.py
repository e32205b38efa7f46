"""Programs in sessions of their own: found again, replaced, frozen, killed with all that they started."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.stack.session_process import SessionProcess, read_stat, wait_until

Make = Callable[..., SessionProcess]
FAMILY = """
import os, subprocess, sys, time
subprocess.Popen(["sleep", "600"])
subprocess.Popen(["sleep", "600"], start_new_session=True)
print("ready", flush=True)
time.sleep(600)
"""
POLITE = """
import signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (print("bye", flush=True), sys.exit()))
print("ready", flush=True)
time.sleep(600)
"""
STUBBORN = """
import signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(600)
"""


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    made: list[SessionProcess] = []

    def build(code: str = FAMILY, **env: str) -> SessionProcess:
        process = SessionProcess(
            name="part",
            folder=tmp_path,
            argv=[sys.executable, "-c", code],
            env={"PATH": os.environ["PATH"], **env},
            cwd=tmp_path,
        )
        made.append(process)
        return process

    yield build
    for process in made:
        process.kill(signal.SIGKILL)


def started(process: SessionProcess, members: int = 3) -> list[int]:
    process.start()
    assert wait_until(lambda: "ready" in process.tail() and len(process.pids()) == members, timeout_s=20)
    return process.pids()


def gone(pids: list[int]) -> bool:
    return all((stat := read_stat(pid)) is None or stat.state == "Z" for pid in pids)


def test_all_that_it_started_belongs_to_it(make: Make) -> None:
    process = make()
    pids = started(process)

    assert process.pid in pids
    assert len({os.getsid(pid) for pid in pids}) == 2


def test_kill_takes_children_too(make: Make) -> None:
    process = make()
    pids = started(process)

    process.kill(signal.SIGKILL)

    assert gone(pids)
    assert not process.alive


def test_children_of_a_dead_parent_are_still_found(make: Make) -> None:
    process = make("import subprocess; subprocess.Popen(['sleep', '600']); print('ready', flush=True)")
    process.start()
    assert wait_until(lambda: not process.alive and len(process.pids()) == 1, timeout_s=20)
    orphans = process.pids()

    process.kill(signal.SIGKILL)

    assert gone(orphans)


def test_another_object_finds_what_runs(make: Make) -> None:
    pids = started(make())

    assert make().pids() == pids
    make().start()
    assert make().pids() == pids


def test_a_changed_program_replaces_the_old_one(make: Make) -> None:
    old = started(make())
    changed = make(NEW="1")

    changed.start()

    assert gone(old)
    assert changed.alive


def test_a_record_of_another_boot_says_nothing(make: Make, tmp_path: Path) -> None:
    process = make()
    pids = started(process)
    record = process.record.read_text()
    process.record.write_text(record.replace('"boot": "', '"boot": "x'))

    seen = (process.alive, process.pids())

    process.record.write_text(record)
    assert seen == (False, [])
    assert process.pids() == pids


def test_a_number_that_was_given_to_somebody_else_is_left_alone(make: Make) -> None:
    process = make()
    strangers = started(process)
    record = process.record.read_text()
    process.record.write_text(re.sub(r'"started": \d+', '"started": 1', record))

    process.kill(signal.SIGKILL)

    seen = process.pids()
    process.record.write_text(record)
    assert seen == []
    assert process.pids() == strangers


def test_stop_kills_what_does_not_listen(make: Make) -> None:
    process = make(STUBBORN)
    pids = started(process, members=1)

    process.stop(grace_s=0.2)

    assert gone(pids)
    assert not process.record.exists()


def test_a_frozen_one_is_asked_to_stop(make: Make) -> None:
    process = make(POLITE)
    pids = started(process, members=1)
    process.pause()
    assert wait_until(lambda: all((s := read_stat(p)) and s.state == "T" for p in pids), timeout_s=10)

    process.stop(grace_s=10)

    assert gone(pids)
    assert "bye" in process.tail()


def test_a_frozen_one_goes_on(make: Make) -> None:
    process = make()
    pids = started(process)
    process.pause()
    process.resume()

    assert wait_until(lambda: all((s := read_stat(p)) and s.state in "SR" for p in pids), timeout_s=10)
