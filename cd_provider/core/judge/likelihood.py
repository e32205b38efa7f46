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
from itertools import chain
from math import log1p

ALTERNATIVES = (1.5, 3.0, 10.0, 40.0)  # times worse than what is tolerated
BLOCK_S = 60.0
BLOCK_CAP = 10.0  # no single minute convicts
RESTART = (
    1.0 / 180.0
)  # of the weight begins anew with each block: a good start does not drown a late regression


def share_of(times: float, ours: float, theirs: float) -> float:
    """
    Give the chance that an event is the candidate's if it is ``times`` as bad; 0 when a side had no requests.

    :param ours: requests of the candidate. :param theirs: stable's.
    """
    if ours <= 0 or theirs <= 0:
        return 0.0
    return times * ours / (times * ours + theirs)


@dataclass
class Evidence:
    """
    Evidence over blocks of a minute, the mean over kinds of events, and over some alternatives for each.

    For each of those it is what earlier blocks left, times what this one has so far, capped: a capped supermartingale
    is one, and so is a mean of them. Beginning anew is not free: the chance of a false conviction grows by ``RESTART``
    of alpha with each block, a sixth over half an hour.

    :param cluster: how many events come together, at least 1: their logarithms are divided by it, since five retries
        of one request are not five witnesses.
    :param alternatives: how many times worse than tolerated the candidate may be.
    :param began_at: when the first block began; None: with the first tick.
    :param kinds: how many kinds of events are counted.
    """

    cluster: float = 1.0
    alternatives: tuple[float, ...] = ALTERNATIVES
    began_at: float | None = None
    kinds: int = 1
    most: float = field(init=False, default=BLOCK_CAP)
    """What it can grow to before the block is over: whoever needs more need not ask until then."""

    def __post_init__(self) -> None:
        self._until = -math.inf if self.began_at is None else self.began_at + BLOCK_S + 1e-6
        # for each alternative: what an event of the candidate speaks for it, and by how much it is beyond 1
        self._words = tuple((math.log(worse), worse - 1.0) for worse in self.alternatives)
        self._kept = [1.0] * len(self.alternatives) * self.kinds
        self.block = self._empty()

    def _empty(self) -> list[list[float]]:
        """Give a block in which nothing happened: the logarithm of the likelihood ratio, kind by alternative."""
        return [[0.0] * len(self.alternatives) for _ in range(self.kinds)]

    @property
    def evidence(self) -> float:
        """As a number to bet: 20 means odds of 20 to 1 against what is doubted."""
        return sum(self._each()) / len(self._kept)

    @property
    def dispersion(self) -> float:
        """How many events of this block weigh as one: their logarithms are divided by it."""
        return max(1.0, self.cluster)

    def _each(self) -> list[float]:
        scale = self.dispersion
        return [
            kept * min(BLOCK_CAP, math.exp(min(log / scale, 50.0)))
            for kept, log in zip(self._kept, chain(*self.block), strict=True)
        ]

    def _close(self, at: float) -> None:
        """Close the blocks that are over at ``at``; the first one may have to begin."""
        if self._until == -math.inf:
            self._until = at + BLOCK_S + 1e-6
        while at > self._until:
            self._kept = [(1.0 - RESTART) * one + RESTART for one in self._each()]
            self.block = self._empty()
            # rounded as the evidence is, which never exceeds it
            self.most = sum([one * BLOCK_CAP for one in self._kept]) / len(self._kept)
            self._until += BLOCK_S


@dataclass
class RatioEvidence(Evidence):
    """
    Evidence that the candidate has more than ``times`` the events of stable.

    Pods of one version differ: however many events a minute has, it tells no more than so few pods can. With
    ``between`` their number weighs less the more there are, as a variance of chance and of pods together has it.

    :param times: what is tolerated of each kind; may change from tick to tick, as long as it does not depend on the
        tick's events.
    """

    times: Sequence[float] = (1.0,)
    _between: float = field(init=False, default=0.0)
    _scale: float = field(init=False, default=0.0)  # variance of the candidate's part of this block's events

    @property
    def dispersion(self) -> float:
        return max(1.0, self.cluster + self._scale * self._between)

    def step(
        self,
        at: float,
        ours: Sequence[float],
        theirs: Sequence[float],
        exposure: tuple[float, float],
        between: float | None = None,
    ) -> None:
        """
        Take what happened since the last tick.

        A tick in which one side had no requests says nothing about the other.

        :param at: seconds, the end of the tick. :param ours: the candidate's events of each kind.
        :param theirs: stable's. :param exposure: requests of both.
        :param between: variance of one side's share relative to the other's, by how pods of one version differ; None:
            as before.
        """
        if at > self._until:
            self._close(at)
            self._scale = 0.0
        if between is not None:
            self._between = between
        if min(exposure) <= 0.0:
            return
        found = []
        for logs, times, mine, its in zip(self.block, self.times, ours, theirs, strict=True):
            if both := mine + its:
                share = share_of(times, *exposure)
                self._scale += both * share * (1.0 - share)
                logs = [
                    log + mine * word - both * log1p(more * share)
                    for log, (word, more) in zip(logs, self._words, strict=True)
                ]
            found.append(logs)
        self.block = found


@dataclass
class ShareEvidence(Evidence):
    """
    Evidence that more than ``share`` of the candidate's requests fail, whatever stable does.

    :param share: 0–1.
    """

    share: float = 0.0

    def step(self, at: float, errors: float, requests: float) -> None:
        """Take what happened since the last tick."""
        if at > self._until:
            self._close(at)
        expected = self.share * requests
        self.block = [
            [
                log + errors * word - expected * more
                for log, (word, more) in zip(self.block[0], self._words, strict=True)
            ]
        ]
