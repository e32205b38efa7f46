"""
Ticks of little traffic, added up: with a request or two on either side there is nothing to compare.

A tick in which stable had no request says nothing of the candidate's error in it. So ticks wait for each other until
both sides have had a few requests, a minute at most; whether they do depends on requests alone and never on how those
ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from cd_provider.core.judge.counts import Tick, bare, by_pod

ENOUGH = 5.0  # requests of either side
LONGEST_S = 60.0


class Thin:
    """Takes one tick after the other, and gives those that can be looked at."""

    def __init__(self) -> None:
        self._held: list[Tick] = []

    @property
    def holds(self) -> bool:
        """Whether there are ticks that were not given yet."""
        return bool(self._held)

    def add(self, tick: Tick, *, last: bool = False) -> Tick | None:
        """
        Take the next tick; give it, or it and those before it as one, or nothing yet.

        A candidate that nobody asks is not waited for, and neither is a baseline that is not there.

        :param last: whatever there is must be looked at now.
        """
        if not self._held and not bare(tick.candidate).requests:
            return tick
        self._held.append(tick)
        if not (last or self._is_enough):
            return None
        held, self._held = self._held, []
        return held[0] if len(held) == 1 else merged(held)

    @property
    def _is_enough(self) -> bool:
        if sum(tick.span_s for tick in self._held) >= LONGEST_S - 1e-6:
            return True
        ours = sum(bare(tick.candidate).requests for tick in self._held)
        theirs = sum(bare(tick.stable).requests for tick in self._held)
        return ours >= ENOUGH and (theirs >= ENOUGH or not theirs)


def merged(ticks: Sequence[Tick]) -> Tick:
    """Make one tick of several; of latencies only what was counted in the last one's buckets."""
    last = ticks[-1]
    ticks = [tick if tick.edges == last.edges else tick.bare for tick in ticks]
    return replace(
        last,
        span_s=sum(tick.span_s for tick in ticks),
        candidate=by_pod(tick.candidate for tick in ticks),
        stable=by_pod(tick.stable for tick in ticks),
    )
