"""
A health gate's decision: several gates looked at for a while, one word at the end.

PASS and FAIL are about the thing that is watched. INCONCLUSIVE and NO_DATA are about the watching: another try may know
more. Silence is never a pass, and nothing is skipped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from cd_provider.core.before_after import BeforeAfter
from cd_provider.core.finding import Finding, GateState, sentence
from cd_provider.core.gate import Gate
from cd_provider.core.health_order import HealthGate
from cd_provider.core.judge.story import clock
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge_gate import JudgeGate

Kind = Literal["PASS", "FAIL", "INCONCLUSIVE", "NO_DATA", "ERROR", "OBSERVED"]
OVERTIME_S = (
    90.0  # after its end, for samples that are on their way, and for a trigger that just came up again
)
WEAK = "a bound, or two groups compared at the same time; or weak_is_enough=True"


@dataclass(frozen=True)
class Seen:
    """One gate, how it stands, and what its judge has said; a bound says nothing."""

    gate: HealthGate
    state: GateState
    verdict: Judged | None = None

    @property
    def line(self) -> str:
        """Say how it stands."""
        if isinstance(self.gate, Gate):
            return sentence(self.gate, self.state)
        said = self.verdict.line if self.verdict and self.verdict.kind != "TRIP" else self.state.line
        return f"{self.gate.name}: {said or 'no counters yet'}"

    @property
    def fails(self) -> bool:
        """Whether it is against the candidate for good. ``on_trip="fail"`` takes no second look."""
        tripped = isinstance(self.gate, JudgeGate) and self.gate.on_trip == "fail" and self.state.trips > 0
        return tripped or self.state.finding is Finding.FAILED

    @property
    def passes(self) -> bool:
        """Whether it is content now; a judge has to have said so."""
        judged = isinstance(self.gate, Gate) or (self.verdict is not None and self.verdict.kind == "PASS")
        return judged and self.state.finding is Finding.OK


@dataclass(frozen=True)
class Outcome:
    """
    How it ended.

    :param at: seconds since the beginning. :param lane: of FAIL: which lane of a judge spoke; empty for a bound.
    :param reason: of INCONCLUSIVE and NO_DATA: a short word that stays as it is. :param need: what was missing.
    """

    kind: Kind
    line: str
    at: float
    lane: str = ""
    reason: str = ""
    need: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return asdict(self)


@dataclass(frozen=True)
class HealthRule:
    """When it is over; times in epoch seconds, see :class:`~cd_provider.core.health_order.HealthOrder`."""

    began_at: float
    until: float
    no_data_s: float
    weak_is_enough: bool = False

    def decide(self, seen: Sequence[Seen], *, now: float, looking_since: float) -> Outcome | None:
        """
        Say how it ended; None: it goes on.

        :param looking_since: since when this process looks; one that came up after the end gets its look, too.

        Gates in ``observe`` decide nothing, unless all are: then what they would have said is told as OBSERVED.
        """
        asked = [one for one in seen if one.gate.enforced]
        if asked:
            return self._decide(asked, seen, now, looking_since)
        would = self._decide(seen, seen, now, looking_since)
        if would is None:
            return None
        line = f"OBSERVED, and nothing was stopped; it would have been {would.line}"
        return Outcome("OBSERVED", line, would.at, would.lane, would.reason, would.need)

    def _decide(
        self, asked: Sequence[Seen], seen: Sequence[Seen], now: float, looking_since: float
    ) -> Outcome | None:
        def told(
            kind: Kind, first: Sequence[Seen], *, lane: str = "", reason: str = "", need: str = ""
        ) -> Outcome:
            at = round(max(0.0, now - self.began_at), 3)
            every = [*first, *(one for one in seen if one not in first)]
            return Outcome(
                kind, f"{kind} {clock(at)}: {'; '.join(one.line for one in every)}", at, lane, reason, need
            )

        if failing := [one for one in asked if one.fails]:
            return told("FAIL", failing, lane=_lane(failing[0]))
        if unclear := [
            one for one in asked if one.verdict and one.verdict.kind in ("INCONCLUSIVE", "NO_DATA")
        ]:
            said = unclear[0].verdict
            assert said is not None
            kind: Kind = "NO_DATA" if said.kind == "NO_DATA" else "INCONCLUSIVE"
            return told(kind, unclear, reason=said.reason, need=said.need)
        blind = [one for one in asked if one.state.finding is Finding.BLIND]
        if silent := [one for one in blind if now - one.state.seen_at >= self.no_data_s]:
            return told("NO_DATA", silent, reason="no data", need="numbers, see the line")
        over = now >= self.until
        if all(one.passes for one in asked) and (
            over or not all(isinstance(one.gate, Gate) for one in asked)
        ):
            if not self.weak_is_enough and all(isinstance(one.gate, BeforeAfter) for one in asked):
                return told("INCONCLUSIVE", asked, reason="weak", need=WEAK)
            return told("PASS", asked)
        if now < max(self.until, looking_since) + OVERTIME_S:
            return None
        return _late(told, [one for one in asked if not one.passes], blind)


def _late(told: Any, open: Sequence[Seen], blind: Sequence[Seen]) -> Outcome:
    """Time is over, and not everybody is content."""
    outcome: Outcome
    waiting = [one for one in open if one.state.finding is Finding.GOING]  # its last samples never came
    if late := [*blind, *waiting]:
        outcome = told("NO_DATA", late, reason="no data", need="numbers, see the line")
    elif thin := [one for one in open if one.state.finding is Finding.THIN]:
        outcome = told(
            "INCONCLUSIVE", thin, reason="too few requests", need="more requests, or a longer max_s"
        )
    else:
        outcome = told("INCONCLUSIVE", open, reason="leaning", need="a clear difference, or none")
    return outcome


def _lane(seen: Seen) -> str:
    if seen.verdict is not None and seen.verdict.lane:
        return seen.verdict.lane
    return "emergency" if seen.state.trips else ""
