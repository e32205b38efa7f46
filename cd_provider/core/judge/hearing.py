"""Whether both sides still speak: counters that are there, and stand still, are no health."""

from __future__ import annotations

from dataclasses import dataclass

from cd_provider.core.judge.sides import Reading

LONG_S = 10.0  # so long nobody need ask for the candidate
MUTE = 20.0  # requests that were to be expected by what stable had, and of which none came
FROZEN_S, FROZEN = (
    60.0,
    1000.0,
)  # the same of both sides by what they had before: users may have gone for a while


@dataclass
class Hearing:
    """
    Notes when the candidate was last heard.

    :param at_s: second of the canary in which it had a request, or came back to traffic.
    :param beside: requests that stable had had by then.
    """

    at_s: float = 0.0
    beside: float = 0.0

    def hear(self, at_s: float, *, beside: float) -> None:
        """Note that it had a request, or came back."""
        self.at_s, self.beside = max(self.at_s, at_s), beside

    def quiet(self, now_s: float, *, candidate: float, stable: float) -> str:
        """
        Say who has gone quiet for another reason than want of users; empty: nobody.

        :param candidate: its requests so far. :param stable: the same.
        """
        still_s, since = now_s - self.at_s, stable - self.beside
        if still_s > LONG_S and since * candidate >= MUTE * self.beside > 0:
            return "the candidate's counters stand still while stable's go on"
        if still_s > FROZEN_S and not since and (candidate + stable) * still_s >= FROZEN * self.at_s:
            return "nobody's counters move any more"
        return ""


def lost(reading: Reading, *, candidate: float, stable: float) -> bool:
    """Say whether a side that had requests has no counter of them any more."""
    there = {one.side for one in reading.series if one.edge is None and not one.counted}
    return bool((candidate and "candidate" not in there) or (stable and "stable" not in there))
