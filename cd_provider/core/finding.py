"""What one look at a gate showed, judged by the gate's bound; and the same as a sentence."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from cd_provider.core.gate import Gate

if TYPE_CHECKING:
    from cd_provider.core.gate import AnyGate


class Finding(StrEnum):
    """What one look at a gate showed."""

    OK = "ok"
    BREACH = "breach"  # outside the bound, not yet for for_s
    FAILED = "failed"
    THIN = "thin"  # there are numbers, of too few requests
    BLIND = "blind"  # no data, or no answer
    ASKED = "asked"  # a judge cannot decide, and a person may
    GOING = "going"  # a judge has not decided, and nothing leans towards worse: good enough for the next step


@dataclass(frozen=True)
class Reading:
    """One answer of the metrics server. ``at``: epoch seconds when it was asked for."""

    at: float
    value: float | None = None
    requests: float | None = None
    error: str | None = None


@dataclass(frozen=True)
class GateState:
    """What is remembered of a gate between two looks; times in epoch seconds."""

    finding: Finding
    reading: Reading
    seen_at: float  # when it last gave numbers; before the first, when it was opened
    breach_since: float | None = None
    line: str = ""  # what a judge says; empty for a bound
    trips: int = 0  # how often a judge wanted the candidate off traffic at once

    @classmethod
    def opened(cls, *, at: float) -> GateState:
        """Begin: nothing seen yet."""
        return cls(Finding.BLIND, Reading(at), at)


def look(gate: Gate, state: GateState, reading: Reading) -> GateState:
    """
    Judge one reading.

    :returns: the state with this reading's finding. Silence neither passes nor forgives: a breach that began before
        it goes on counting after it.
    """
    if reading.error is not None or reading.value is None:
        return GateState(Finding.BLIND, reading, state.seen_at, state.breach_since)
    if gate.min_requests and (reading.requests or 0.0) < gate.min_requests:
        return GateState(Finding.THIN, reading, reading.at, state.breach_since)
    low = gate.min is not None and reading.value < gate.min
    high = gate.max is not None and reading.value > gate.max
    if not (low or high):
        return GateState(Finding.OK, reading, reading.at)
    since = reading.at if state.breach_since is None else state.breach_since
    finding = Finding.FAILED if reading.at - since >= gate.for_s else Finding.BREACH
    return GateState(finding, reading, reading.at, since)


def sentence(gate: AnyGate, state: GateState) -> str:
    """Say in one line, numbers first, what was compared with what."""
    if not isinstance(gate, Gate):
        return f"{gate.name}: {state.line or 'no counters yet'}"
    reading = state.reading
    count = f" in {reading.requests:.0f} requests" if reading.requests is not None else ""
    if state.finding is Finding.BLIND:
        return f"{gate.name}: no data ({reading.error or 'no series matched'}), allowed {gate.bound}"
    if state.finding is Finding.THIN:
        return f"{gate.name}: {reading.requests or 0:.0f} of {gate.min_requests:g} requests needed, too few to judge"
    word = "kept" if state.finding is Finding.OK else "broken"
    return f"{gate.name} {reading.value:.4g}{count}, allowed {gate.bound}: {word}"
