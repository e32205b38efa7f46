"""
Is the candidate worse than so many times stable? A likelihood ratio that may be looked at after every tick.

Given that an event (an error, a slow request) happened, the chance that it was the candidate's depends on the two
exposures and on how many times worse the candidate is, and on nothing else: whatever makes both sides worse for
a while cancels. Under "at most ``times`` worse" the ratio is a supermartingale, so that it exceeds 1/alpha with
probability alpha at most, however often one looks (Ville's inequality).

Source: Lindon and Malek, "Anytime-valid inference for multinomial count data" (NeurIPS 2022).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

ALTERNATIVES = (1.5, 3.0, 10.0, 40.0)  # times worse than what is tolerated
BLOCK_S = 60.0
BLOCK_CAP = 10.0  # no single minute convicts
RESTART = (
    1.0 / 180.0
)  # of the weight begins anew with each block: a good start does not drown a late regression


def log_ratio(
    events: tuple[float, float], exposure: tuple[float, float], *, times: float, worse: float
) -> float:
    """
    Give the log likelihood ratio of "``worse`` times beyond what is tolerated" against "at the tolerance".

    :param events: the candidate's, stable's. :param exposure: requests, the same way; both above 0.
    :param times: how many times worse than stable the candidate may be.
    """
    (ours, theirs), (m, n) = events, exposure
    x = times * m
    shrunk = math.log((x + n) / (worse * x + n))  # of the chance that an event is stable's
    return (ours + theirs) * shrunk + ours * math.log(worse)


@dataclass(slots=True)
class Track:
    """
    The evidence for one alternative: what earlier blocks left, times what this one has so far, capped.

    A capped supermartingale is one. Beginning anew is not free: the chance of a false conviction grows by ``RESTART``
    of alpha with each block, a sixth over half an hour.
    """

    kept: float = 1.0
    block: float = 0.0  # log

    @property
    def evidence(self) -> float:
        return self.kept * min(BLOCK_CAP, math.exp(min(self.block, 50.0)))

    def close(self) -> None:
        """End the block."""
        self.kept, self.block = (1.0 - RESTART) * self.evidence + RESTART, 0.0


@dataclass
class Evidence:
    """
    Evidence over blocks of a minute, the mean over some alternatives.

    :param cluster: how many events come together, at least 1: their logarithms are divided by it, since five retries
        of one request are not five witnesses.
    :param began_at: when the first block began; None: with the first tick.
    """

    cluster: float = 1.0
    alternatives: Sequence[float] = ALTERNATIVES
    began_at: float | None = None
    tracks: list[Track] = field(init=False)

    def __post_init__(self) -> None:
        self.tracks = [Track() for _ in self.alternatives]
        self._until = None if self.began_at is None else self.began_at + BLOCK_S

    @property
    def evidence(self) -> float:
        """As a number to bet: 20 means odds of 20 to 1 against what is doubted."""
        return sum(track.evidence for track in self.tracks) / len(self.tracks)

    def _upto(self, at: float) -> None:
        """Close the blocks that are over at ``at``."""
        if self._until is None:
            self._until = at + BLOCK_S
        while at > self._until + 1e-6:
            for track in self.tracks:
                track.close()
            self._until += BLOCK_S


@dataclass
class RatioEvidence(Evidence):
    """
    Evidence that the candidate has more than ``times`` the events of stable.

    :param times: what is tolerated; may change from tick to tick, as long as it does not depend on the tick's events.
    """

    times: float = 1.0

    def step(self, at: float, events: tuple[float, float], exposure: tuple[float, float]) -> float:
        """
        Take what happened since the last tick, and give the evidence so far.

        A tick in which one side had no requests says nothing about the other.

        :param at: seconds, the end of the tick.
        """
        self._upto(at)
        if min(exposure) > 0:
            scale = max(1.0, self.cluster)
            for worse, track in zip(self.alternatives, self.tracks, strict=True):
                track.block += log_ratio(events, exposure, times=self.times, worse=worse) / scale
        return self.evidence


@dataclass
class ShareEvidence(Evidence):
    """
    Evidence that more than ``share`` of the candidate's requests fail, whatever stable does.

    :param share: 0–1.
    """

    share: float = 0.0

    def step(self, at: float, errors: float, requests: float) -> float:
        """Take what happened since the last tick, and give the evidence so far."""
        self._upto(at)
        expected, scale = self.share * requests, max(1.0, self.cluster)
        for worse, track in zip(self.alternatives, self.tracks, strict=True):
            track.block += (errors * math.log(worse) - expected * (worse - 1.0)) / scale
        return self.evidence
