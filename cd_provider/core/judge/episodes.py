"""How many errors came together here: retries of one request follow each other within seconds, and are one witness."""

from __future__ import annotations

import math

APART_S = 5.0
"""What is further apart are not one request's retries."""


class Episodes:
    """Counts errors, and how often they began after none for a while, on each side for itself."""

    def __init__(self) -> None:
        self._errors = 0.0
        self._episodes = 0
        self._last = [-math.inf, -math.inf]

    def add(self, at: float, span_s: float, *errors: float) -> None:
        """Take what the sides did in the next tick, which says nothing of when within it."""
        for side, count in enumerate(errors):
            if count > 0.0:
                self._errors += count
                self._episodes += at - span_s >= self._last[side] + APART_S - 1e-6
                self._last[side] = at

    @property
    def size(self) -> float:
        """Errors of an episode, in the mean; infinite before the first."""
        return self._errors / self._episodes if self._episodes else math.inf
