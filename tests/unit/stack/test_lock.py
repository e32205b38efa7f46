"""One stack per machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.stack import lock, settings
from tests.stack.errors import StackError


@pytest.fixture(autouse=True)
def own_lock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "LOCK_FILE", tmp_path / "stack.lock")


def test_the_lock_names_its_holder() -> None:
    holder = rf"process {os.getpid()} .*doing 'down'"
    with lock.held("down"), pytest.raises(StackError, match=holder), lock.held("up", wait_s=0):
        pass


def test_a_lock_is_free_after_its_holder_is_done() -> None:
    with lock.held("down", wait_s=0):
        pass
    with lock.held("up", wait_s=0):
        assert lock.holder()["doing"] == "up"


def test_a_lock_is_free_after_its_holder_failed() -> None:
    with pytest.raises(ZeroDivisionError), lock.held("up", wait_s=0):
        raise ZeroDivisionError
    with lock.held("up", wait_s=0):
        pass
