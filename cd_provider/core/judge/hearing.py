"""Whether both sides still speak: counters that are there, and stand still, are no health."""

from __future__ import annotations

from dataclasses import dataclass

from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.sides import Reading

LONG_S = 10.0  # so long nobody need ask for the candidate
MUTE = 20.0  # requests that were to be expected by what stable had, and of which none came
FROZEN_S, FROZEN = 60.0, 1000.0
"""The same of both sides by what they had before: users may have gone for a while."""
UNREACHABLE_S = 30.0  # for which no ready pod of the candidate answers while stable's do: it has failed


@dataclass
class Hearing:
    """
    Follows the ticks, and notes when the candidate was last heard.

    :param now_s: second of the canary, of the last tick. :param at_s: in which it last had a request, or came back.
    :param candidate: its requests so far. :param stable: the same. :param beside: those of stable by ``at_s``.
    """

    now_s: float = 0.0
    at_s: float = 0.0
    candidate: float = 0.0
    stable: float = 0.0
    beside: float = 0.0
    deaf_since: float | None = None  # epoch s; since when no pod of the candidate answers, though stable's do

    def add(self, at_s: float, tick: Tick) -> None:
        """Take the next tick, which ends in this second of the canary."""
        ours = sum(done.requests for done in tick.candidate.values())
        self.now_s = at_s
        self.candidate += ours
        self.stable += sum(done.requests for done in tick.stable.values())
        if ours:
            self.back(at_s)

    def back(self, at_s: float) -> None:
        """Begin to listen anew: it came back to traffic."""
        self.at_s, self.beside = max(self.at_s, at_s), self.stable

    @property
    def quiet(self) -> str:
        """Who has gone quiet for another reason than want of users; empty: nobody."""
        still_s, since = self.now_s - self.at_s, self.stable - self.beside
        if still_s > LONG_S and since * self.candidate >= MUTE * self.beside > 0:
            return "the candidate's counters stand still while stable's go on"
        if (
            still_s > FROZEN_S
            and not since
            and (self.candidate + self.stable) * still_s >= FROZEN * self.at_s > 0
        ):
            return "nobody's counters move any more"
        return ""

    def lost(self, reading: Reading) -> bool:
        """Say whether a side that had requests has no counter of them any more."""
        there = {one.side for one in reading.series if one.edge is None and not one.counted}
        return bool((self.candidate and "candidate" not in there) or (self.stable and "stable" not in there))

    def note(self, reading: Reading, *, now: float) -> None:
        """
        Note who did not answer. One pod alone may be its host's fault; none of those looked at is the candidate's.

        :param now: epoch seconds.
        """
        if not reading.unreachable or any(one.side == "candidate" for one in reading.series):
            self.deaf_since = None
        elif self.deaf_since is None:
            self.deaf_since = now

    def gone(self, *, now: float) -> bool:
        """Say whether none of the candidate's pods has answered for so long that it has failed."""
        return self.deaf_since is not None and now - self.deaf_since >= UNREACHABLE_S
