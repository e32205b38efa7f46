"""One stack per machine: a lock file that names who works on it."""

from __future__ import annotations

import fcntl
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.stack import settings
from tests.stack.errors import StackError
from tests.stack.progress import say


@contextmanager
def held(what: str, *, wait_s: float = 1800) -> Iterator[None]:
    """
    Hold the machine's lock while the stack is changed.

    :param wait_s: how long to wait for another holder; a first ``up`` builds for minutes.
    :raises StackError: somebody else held it all that time; the message names the process.
    """
    handle = os.open(settings.LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(handle, what, wait_s)
        record = {
            "pid": os.getpid(),
            "command": " ".join(sys.argv)[:200],
            "doing": what,
            "since": time.strftime("%H:%M:%S"),
            "stack": str(settings.state_dir()),
        }
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps(record).encode(), 0)
        yield
    finally:
        os.close(handle)


@contextmanager
def one_at_a_time(what: str) -> Iterator[None]:
    """Let the machine's processes do one thing after the other; the next one finds done what the first one did."""
    with settings.LOCK_FILE.with_suffix(f".{what}").open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def holder() -> dict[str, Any]:
    """Who held the lock last: pid, command, doing, since, stack (its state folder)."""
    with suppress(OSError, ValueError):
        found = json.loads(settings.LOCK_FILE.read_text())
        if isinstance(found, dict):
            return found
    return {}


def previous_stack() -> Path | None:
    """The state folder of the stack that was last up on this machine; None once it went down."""
    with suppress(OSError):
        return Path(_owner().read_text().strip())
    return None


def note_stack(state_dir: Path | None) -> None:
    """Note whose stack is up on this machine; None for nobody's."""
    if state_dir is None:
        _owner().unlink(missing_ok=True)
    else:
        _owner().write_text(f"{state_dir}\n")


def _owner() -> Path:
    return settings.LOCK_FILE.with_suffix(".owner")


def _acquire(handle: int, what: str, wait_s: float) -> None:
    deadline = time.monotonic() + wait_s
    told = False
    while True:
        try:
            return fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            other = holder()
            by = (
                f"process {other.get('pid')} ({other.get('command')}), which has been doing "
                f"{other.get('doing')!r} on {other.get('stack')} since {other.get('since')}"
            )
            if time.monotonic() >= deadline:
                raise StackError(
                    f"cannot do {what!r}: the stack's lock {settings.LOCK_FILE} is held by {by}. "
                    "Wait for it to end, or end it."
                ) from None
            if not told:
                say(f"waiting for the lock held by {by}")
                told = True
            time.sleep(0.1)
