"""What "so many per cent slower" means in a service's own latency buckets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

from cd_provider.core.judge.ranks import savage
from cd_provider.core.judge.settings import JudgeSettings

_NORMAL = NormalDist()
LEAST = 1e-7  # a share beyond an edge that is not told from none
LEAST_EDGES = 3
EXCEEDED_BY = (
    0.5,
    0.1,
    0.02,
    0.003,
)  # of the requests: the edges that are looked at are the nearest to these


@dataclass(frozen=True, slots=True)
class Shape:
    """
    The latencies of both sides together, as far as buckets tell.

    :param edges: finite upper ends of the buckets in seconds; at least three of them.
    :param beyond: share of the requests that took longer than each, 0–1.
    :param scores: Savage's, of each bucket, the last one open.
    :param looked_at: numbers of the edges that stand for the middle, and for three parts of the tail.
    :param tolerated: for each of those, how many times more requests are beyond it if all are slower by what is
        tolerated; warm, then cold.
    :param ignored: growth of the mean score if all are slower by what is ignored. :param unacceptable: the same.
    """

    edges: tuple[float, ...]
    beyond: tuple[float, ...]
    scores: tuple[float, ...]
    looked_at: tuple[int, ...] = ()
    tolerated: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    ignored: float = 0.0
    unacceptable: float = 0.0

    @classmethod
    def of(cls, edges: Sequence[float], buckets: Sequence[float], settings: JudgeSettings) -> Shape | None:
        """Read the buckets; ``edges`` may end with infinity. None: fewer than three finite edges, or no request."""
        whole, finite = sum(buckets), [edge for edge in edges if math.isfinite(edge)]
        if len(finite) < LEAST_EDGES or whole <= 0.0:
            return None
        beyond, upto = [], 0.0
        for count in buckets[: len(finite)]:
            upto += count
            beyond.append(min(1.0 - LEAST, max(LEAST, 1.0 - upto / whole)))
        bare = cls(tuple(finite), tuple(beyond), savage(buckets))
        edged = replace(bare, looked_at=bare.nearest())
        return replace(
            edged,
            tolerated=(
                edged.times_beyond(settings.clear_at.latency), edged.times_beyond(settings.cold_at.latency),
            ),
            ignored=edged.shift(settings.ignore.latency),
            unacceptable=edged.shift(settings.unacceptable.latency),
        )  # fmt: skip

    def slower(self, times: float) -> tuple[float, ...]:
        """
        Give the share beyond each edge if every request took ``times`` as long.

        Between two edges the normal quantile is taken to be a line over the logarithm of time: within a bucket
        latencies are log-normal.
        """
        logs = [math.log(edge) for edge in self.edges]
        quantiles = [_NORMAL.inv_cdf(share) for share in self.beyond]
        found = []
        for log in logs:
            at, low = log - math.log(times), 0
            while low < len(logs) - 2 and logs[low + 1] <= at:
                low += 1
            part = (at - logs[low]) / (logs[low + 1] - logs[low])
            found.append(_NORMAL.cdf(quantiles[low] + part * (quantiles[low + 1] - quantiles[low])))
        return tuple(found)

    def shift(self, times: float) -> float:
        """Give by how much the mean score grows if every request took ``times`` as long."""
        now, then = (1.0, *self.beyond, 0.0), (1.0, *self.slower(times), 0.0)
        return sum(
            score * ((then[i] - then[i + 1]) - (now[i] - now[i + 1])) for i, score in enumerate(self.scores)
        )

    def nearest(self) -> tuple[int, ...]:
        """Give the numbers of the edges that are nearest to ``EXCEEDED_BY``."""
        logs = [math.log(share) for share in self.beyond]
        return tuple(
            min(range(len(logs)), key=lambda edge: abs(logs[edge] - math.log(wanted)))
            for wanted in EXCEEDED_BY
        )

    def times_beyond(self, times: float) -> tuple[float, ...]:
        """Give, for each edge looked at, how many times more requests are beyond it if all took so much longer."""
        then = self.slower(times)
        return tuple(max(1.0, min(1e3, then[edge] / self.beyond[edge])) for edge in self.looked_at)
