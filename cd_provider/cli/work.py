"""Work for all cores: what is drawn or judged does not depend on who does it, nor on the order."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Self, TypeVar

from cd_provider.core.units import whole

A = TypeVar("A")
B = TypeVar("B")


def read_jobs(value: str | None) -> int:
    """
    Read how many processes there may be; None: one for each core.

    :raises ArgumentError: not a whole number of at least 1.
    """
    return (os.cpu_count() or 1) if value is None else whole(value, name="--jobs", least=1)


class Work:
    """In a ``with``: ``each`` is ``map`` over so many processes; one does without them."""

    def __init__(self, jobs: int, *, told: Callable[[], None] = lambda: None) -> None:
        self.told = told
        self._pool: ProcessPoolExecutor | None = None
        if jobs > 1:
            self._pool = ProcessPoolExecutor(
                jobs, multiprocessing.get_context("spawn"), initializer=_leave_interrupts_to_the_first
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(wait=True, cancel_futures=True)

    def each(self, do: Callable[[A], B], items: Iterable[A]) -> Iterator[B]:
        """Do it to each, in order; ``told`` is called after each."""
        for found in map(do, items) if self._pool is None else self._pool.map(do, list(items)):
            self.told()
            yield found


def _leave_interrupts_to_the_first() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
