"""Evidence that a candidate has more errors than so many times stable's, and more than nobody minds."""

from __future__ import annotations

import math
from copy import copy, deepcopy
from typing import Self

from cd_provider.core.judge.counts import Counts
from cd_provider.core.judge.episodes import Episodes
from cd_provider.core.judge.likelihood import RatioEvidence, ShareEvidence
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import Tolerance
from cd_provider.core.judge.usual import ASSUMED, PAST_WEIGHT
from cd_provider.core.judge.view import Arm, Scene

KNOWN_ERRORS = 4.0
"""Of the last hour, at most: no more than if the share of errors were half as much again, or half as much, by now."""
LIFTED = 3.0  # power to which the same minutes' odds may be lifted by what is usual


class ErrorsEvidence:
    """
    Three ratios: against stable in the same ticks, against that and what is usual here, and against a fixed share.

    The first is what convicts, as whatever hits both sides cancels in it; but where both have few requests it takes
    many errors until chance is excluded, and stable beside the candidate has hardly any to compare with. What stable
    did in the last hour says more then, and of another time. So it may lift the first to its third power, and no
    higher: odds of 3 to 1 by what happened at the same time, and of 20 to 1 with what is usual, are 20 to 1.

    :param over_s: seconds, over which the last hour's requests and errors are dealt out evenly.
    """

    def __init__(self, past: Past, *, over_s: float) -> None:
        cluster = past.cluster
        self._most_cluster, self._episodes = cluster, Episodes()
        self.ratio, self.usual = (RatioEvidence(cluster=cluster, began_at=0.0) for _ in range(2))
        self.share = ShareEvidence(cluster=cluster, began_at=0.0)
        self._before, self._over_s = known(past), over_s

    def step(self, seen: Scene, ours: Arm, tolerated: Tolerance, between: float | None) -> None:
        """Take the next tick, of which ``ours`` is the view."""
        stable = seen.stable
        self._episodes.add(seen.at, seen.span_s, ours.errors, stable.errors)
        cluster = min(self._most_cluster, self._episodes.size)
        self.ratio.cluster = self.usual.cluster = self.share.cluster = cluster
        self.ratio.times = self.usual.times = (tolerated.errors,)
        self.share.share = tolerated.share
        part = seen.span_s / self._over_s
        before = Counts(part * self._before.requests, part * self._before.errors)
        for ratio, beside in ((self.ratio, Counts()), (self.usual, before)):
            exposure = (ours.requests, stable.requests + beside.requests)
            ratio.step(seen.at, (ours.errors,), (stable.errors + beside.errors,), exposure, between)
        self.share.step(seen.at, ours.errors, ours.requests)

    @property
    def evidence(self) -> float:
        """As odds to 1."""
        return min(_supported(self.ratio.evidence, self.usual.evidence), self.share.evidence)

    @property
    def most(self) -> float:
        """What it can grow to within this minute."""
        return min(_supported(self.ratio.most, self.usual.most), self.share.most)

    def copy(self) -> Self:
        """Go on from here in another view."""
        found = copy(self)
        found.ratio, found.usual, found.share = copy(self.ratio), copy(self.usual), copy(self.share)
        found._episodes = deepcopy(self._episodes)
        return found


def known(past: Past) -> Counts:
    """Give what the last hour counts for, with what is assumed of any service where it had little to tell."""
    seen = ASSUMED + Counts(past.requests, past.errors)
    part = min(1.0, KNOWN_ERRORS / seen.errors, PAST_WEIGHT / seen.requests)
    return Counts(part * seen.requests, part * seen.errors)


def _supported(now: float, usual: float) -> float:
    return max(now, min(math.pow(now, LIFTED), usual))
