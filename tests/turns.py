"""Who may use the real stack now: most tests side by side, those that kill its programs alone."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO


class Turns:
    """
    A lock for many readers or one writer, between processes; a writer that waits lets no new reader in.

    It may be taken for several tests in a row: ``take`` changes nothing when it is held the same way already.

    :param folder: where the two lock files are; each process that takes part names the same.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._door, self._room = ((folder / name).open("a") for name in ("door.lock", "room.lock"))
        self._held: int | None = None

    def close(self) -> None:
        """End the turn, and give the files back."""
        self._room.close()
        self._door.close()

    def take(self, *, alone: bool) -> None:
        """Wait for a turn: beside others, or with nobody else."""
        how = fcntl.LOCK_EX if alone else fcntl.LOCK_SH
        if self._held == how:
            return
        self.give_back()
        with _locked(self._door):
            fcntl.flock(self._room, how)
        self._held = how

    def give_back(self) -> None:
        """End the turn; nothing happens when there is none."""
        if self._held is not None:
            fcntl.flock(self._room, fcntl.LOCK_UN)
            self._held = None


@contextmanager
def _locked(handle: IO[str]) -> Iterator[None]:
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(handle, fcntl.LOCK_UN)
