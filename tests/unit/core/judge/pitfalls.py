"""What the pitfalls have in common: half an hour of three usual pods, read every quarter of a minute."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cd_provider.core.judge.settings import JudgeSettings
from tests.unit.core.judge.hand_made import Pod, canary, kinds, pods, usual

SPAN_S = 15.0
USUAL = usual()
TRIPS = ["TRIP emergency", "FAIL emergency"]


def stable(share: float = 0.001) -> list[Pod]:
    return pods(3, 10.0, share)


def ends(candidate: Sequence[Pod], beside: Sequence[Pod], settings: JudgeSettings | None = None) -> list[str]:
    """Give all verdicts of half an hour, read every quarter of a minute."""
    return kinds(canary(candidate, beside, span_s=SPAN_S), settings, USUAL)


def incident(share: float, *, begin_s: float = 600.0, for_s: float = 60.0) -> Callable[[float], float]:
    """Give a share of errors that is usual but for a while."""
    return lambda at: share if begin_s < at <= begin_s + for_s else 0.001
