"""Time cut into stretches of one length, counted backwards from the end; a part of one at the beginning is left out."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from cd_provider.core.judge.counts import Counts, Tick, by_pod

MINUTE_S = 60.0
ENOUGH = 0.75  # of a stretch, to count as one


@dataclass(frozen=True, slots=True)
class Minute:
    """What each pod did in some minute, the last one being number 0; ``seen_s``: how much of it was seen."""

    number: int
    seen_s: float
    done: Mapping[str, Counts]


def chunks(ticks: Sequence[Tick], length_s: float) -> Iterator[list[Tick]]:
    """Give the ticks of each stretch, the oldest first."""
    for number, chunk in _cut(ticks, length_s).items():
        if _counts(number, len(chunk) * ticks[-1].span_s, length_s):
            yield chunk


def minutes(ticks: Sequence[Tick]) -> list[Minute]:
    """Add up every minute of stable, the oldest first, and be it a part of one."""
    return [
        Minute(number, len(chunk) * ticks[-1].span_s, by_pod(tick.stable for tick in chunk))
        for number, chunk in _cut(ticks, MINUTE_S).items()
    ]


def together_over(many: Sequence[Minute], length_s: float) -> Iterator[dict[str, Counts]]:
    """Give what each pod did in each stretch of so many whole minutes, the oldest first."""
    cut = defaultdict[int, list[Minute]](list)
    for minute in many:
        cut[minute.number // round(length_s / MINUTE_S)].append(minute)
    for number, parts in cut.items():
        if _counts(number, sum(one.seen_s for one in parts), length_s):
            yield by_pod(one.done for one in parts)


def _cut(ticks: Sequence[Tick], length_s: float) -> dict[int, list[Tick]]:
    found = defaultdict[int, list[Tick]](list)
    for tick in ticks:
        found[math.floor((ticks[-1].at - tick.at) / length_s + 1e-9)].append(tick)
    return found


def _counts(number: int, seen_s: float, length_s: float) -> bool:
    return number == 0 or seen_s >= length_s * ENOUGH
