"""
The subtle lane: a sum that only drifts when the candidate is worse than what is ignored.

Each tick adds by how much the candidate exceeds its share, given what both sides did in the same tick, so that
whatever hits both cancels. How far the sum wanders without a drift is not taken from theory: its variance is the
larger of what blocks of many lengths show (a burst then pays for itself), and of what chance gives together with how
far pods of one version have differed here before.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from cd_provider.core.judge.past import differ
from cd_provider.core.judge.tails import mixture
from cd_provider.core.judge.view import WHOLE, Scene, grown_from

BLOCKS_S = (5.0, 10.0, 20.0, 40.0, 80.0, 150.0)


def ends(at: float, span_s: float, length_s: float) -> bool:
    """Say whether a stretch of this length, counted from 0, ends within the tick before ``at``."""
    return math.floor(at / length_s + 1e-9) > math.floor((at - span_s) / length_s + 1e-9)


def over(seen: Scene) -> list[bool]:
    """Say for each of ``BLOCKS_S`` whether a stretch of that length ends with this tick."""
    return [ends(seen.at, seen.span_s, length) for length in BLOCKS_S]


class Blocks:
    """Squares of sums over consecutive stretches, for each of ``BLOCKS_S``; the open ones count too."""

    def __init__(self) -> None:
        self.closed = [0.0] * len(BLOCKS_S)
        self.open = [0.0] * len(BLOCKS_S)

    def add(self, amount: float, over: Sequence[bool]) -> None:
        """Add a tick; ``over``: which stretches end with it."""
        self.open = [one + amount for one in self.open]
        for number, ended in enumerate(over):
            if ended:
                self.closed[number] += self.open[number] ** 2
                self.open[number] = 0.0

    @property
    def squares(self) -> list[float]:
        return [closed + open * open for closed, open in zip(self.closed, self.open, strict=True)]


@dataclass
class Drift:
    """
    One metric's sum, with all pods and without each.

    :param together: how many events come at a time, of all that were seen; whoever learns it may change it.
    :param differs: variance of one pod's mean on several time scales, of :class:`~cd_provider.core.judge.past.Past`.
    """

    differs: Sequence[float]
    sums: dict[str, float] = field(default_factory=lambda: {WHOLE: 0.0})
    chance: float = 0.0
    together: float = 1.0
    scale: float = 0.0
    blocks: Blocks = field(default_factory=Blocks)
    pods: tuple[int, int] = (1, 1)
    counted_s: float = 0.0
    variance: float = 0.0
    """What the sum's square would be without a drift."""

    def add(
        self, seen: Scene, amounts: Mapping[str, float], over: Sequence[bool], *, chance: float, scale: float
    ) -> None:
        """
        Take a tick.

        :param amounts: of each view. :param over: which of ``BLOCKS_S`` end with it.
        :param chance: the variance that chance gives to the whole's, for each of ``together``.
        :param scale: by how much the whole's would grow if the candidate's pods were twice as bad as stable's.
        """
        whole = amounts[WHOLE]
        for view in amounts:
            if view not in self.sums:
                self.sums[view] = self.sums[grown_from(view, self.sums)]
        for view in self.sums:
            self.sums[view] += amounts.get(view, whole)
        self.chance += chance
        self.scale += scale
        self.counted_s += seen.span_s
        if min(seen.pods) > 0:
            self.pods = seen.pods
        self.blocks.add(whole, over)
        between = self.scale**2 * self.between(self.counted_s)
        self.variance = max(self.together * self.chance + between, *self.blocks.squares)

    def between(self, over_s: float) -> float:
        """Give the variance of the difference of both sides' means over so long, by how pods of one version differ."""
        return differ(self.differs, over_s) * (1.0 / self.pods[0] + 1.0 / self.pods[1])

    @property
    def total(self) -> float:
        return self.sums[WHOLE]

    @property
    def strongest(self) -> str:
        """Name the pod, or two, without which the sum is least; none when there is only one."""
        if len(self.sums) < 3:
            return WHOLE
        return min(sorted(self.sums), key=lambda view: self.sums[view])

    def deviations(self) -> tuple[float, float]:
        """Give the sum in standard deviations, and the least of it without any one pod."""
        sd = math.sqrt(max(self.variance, 1e-9))
        weakest = min(self.sums.values()) if len(self.sums) > 2 else self.total
        return self.total / sd, weakest / sd

    def evidence(self, prior: float) -> float:
        """Give the evidence for a drift upwards, as odds to 1; may be looked at after every tick."""
        return mixture(self.total, self.variance, prior)
