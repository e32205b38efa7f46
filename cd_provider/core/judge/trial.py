"""A judge that is shown ticks of which nobody acts on the verdicts: what a canary would have made of them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.judge import ENDS, Judge
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import JudgeSettings, away_for_s
from cd_provider.core.judge.verdict import Judged, Kind


@dataclass(frozen=True, slots=True)
class Ended:
    """
    How one canary ended; times in seconds since the candidate took traffic.

    :param kind: ``PASS``, ``FAIL``, ``INCONCLUSIVE`` or ``NO_DATA``. :param at: when.
    :param off_s: when it was taken off traffic for the first time: by a TRIP, or at its end; None: never.
    :param trips: how often many errors took it off. :param line: what the judge said.
    :param requests: the candidate's, up to the end.
    """

    kind: Kind
    at: float
    off_s: float | None
    trips: int
    line: str
    requests: float


class Trial:
    """
    Shows a judge one tick after the other, and does after a TRIP what a canary does: off traffic, one return.

    :param pods: how many the candidate has; a single one stays away longer.
    """

    def __init__(
        self, settings: JudgeSettings, *, began_at: float = 0.0, past: Past | None = None, pods: int = 2
    ) -> None:
        self.away_s = away_for_s(pods)
        self.judge = Judge(replace(settings, away_s=self.away_s), began_at=began_at, past=past)
        self.back_at = began_at
        self.off_s: float | None = None

    def away(self, tick: Tick) -> bool:
        """Whether the candidate has no traffic in that tick."""
        return tick.at - tick.span_s < self.back_at - 1e-9

    def step(self, tick: Tick) -> Judged | None:
        """Take a tick as if the candidate had done nothing while it is away; give what the judge says."""
        judged = self.judge.step(replace(tick, candidate={}) if self.away(tick) else tick)
        if judged is None:
            return None
        if judged.kind != "PASS" and self.off_s is None:
            self.off_s = judged.at
        if judged.kind == "TRIP":
            self.back_at = tick.at + self.away_s
        return judged

    def ended(self) -> Ended | None:
        """Give how it ended; None: it goes on."""
        verdict = self.judge.verdict
        if verdict is None or verdict.kind not in (*ENDS, "PASS"):
            return None
        asked = self.judge.story.candidate.requests
        return Ended(verdict.kind, verdict.at, self.off_s, len(self.judge.trips), verdict.line, asked)

    @property
    def seen(self) -> float:
        """The candidate's requests so far."""
        return self.judge.story.candidate.requests
