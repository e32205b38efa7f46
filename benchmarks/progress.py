"""What a benchmark is doing, a line for each thing that happened."""

from __future__ import annotations

import time

from rich.console import Console

CONSOLE = Console(stderr=True, highlight=False, soft_wrap=True)
_BEGAN = time.monotonic()


def say(text: str) -> None:
    """Tell one thing."""
    CONSOLE.print(f"[bench {time.monotonic() - _BEGAN:6.1f} s] {text}", markup=False)


class Counter:
    """
    Count runs, and guess from those that are over how long the others take.

    :param what: what is run. :param total: how often.
    """

    def __init__(self, what: str, total: int) -> None:
        self.what, self.total, self.done, self._began = what, total, 0, time.monotonic()

    def tell(self, text: str) -> None:
        """One more is over."""
        self.done += 1
        left_s = (time.monotonic() - self._began) / self.done * (self.total - self.done)
        left = f"; about {left_s:.0f} s left" if self.done < self.total else ""
        say(f"{self.what} {self.done} of {self.total}: {text}{left}")
