"""What the judge says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["PASS", "FAIL", "TRIP", "INCONCLUSIVE", "NO_DATA"]
Word = Literal[
    "", "no traffic", "no baseline", "baseline unhealthy", "too many errors", "one pod", "no latency", "leaning",
    "too few requests",
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Judged:
    """
    A verdict.

    :param at: seconds since the candidate took traffic, by the samples' own clock.
    :param lane: which one spoke: ``emergency``, ``clear errors``, ``clear latency``, ``subtle errors``,
        ``subtle latency``, ``never above``; empty for a PASS.
    :param line: the sentence that people read, numbers first.
    :param reason: of INCONCLUSIVE and NO_DATA: a short word that stays as it is, such as ``too few requests``.
    :param need: what was missing, for people: ``about 9,000 candidate requests, 11 h at this rate``.
    """

    kind: Kind
    at: float
    line: str
    lane: str = ""
    reason: Word = ""
    need: str = ""
