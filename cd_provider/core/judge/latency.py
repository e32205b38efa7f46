"""What "so many per cent slower" means in a service's own latency buckets."""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
class Curve:
    """
    The share beyond any time: between two edges the normal quantile is a line over the logarithm of time.

    Within a bucket latencies are log-normal, then.

    :param logs: of the edges in seconds. :param quantiles: of the share beyond each.
    """

    logs: tuple[float, ...] = ()
    quantiles: tuple[float, ...] = ()

    @classmethod
    def through(cls, edges: Sequence[float], beyond: Sequence[float]) -> Curve:
        """Lay it through what is known of each edge."""
        return cls(tuple(map(math.log, edges)), tuple(map(_NORMAL.inv_cdf, beyond)))

    def beyond(self, log: float) -> float:
        """Give the share that takes longer than the time with this logarithm."""
        low = min(max(0, bisect_right(self.logs, log) - 1), len(self.logs) - 2)
        part = (log - self.logs[low]) / (self.logs[low + 1] - self.logs[low])
        return _NORMAL.cdf(self.quantiles[low] + part * (self.quantiles[low + 1] - self.quantiles[low]))


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
    :param squares: of the scores.
    """

    edges: tuple[float, ...]
    beyond: tuple[float, ...]
    scores: tuple[float, ...]
    looked_at: tuple[int, ...] = ()
    tolerated: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    ignored: float = 0.0
    unacceptable: float = 0.0
    curve: Curve = field(default_factory=Curve)
    squares: tuple[float, ...] = ()

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
        bare = cls(
            tuple(finite),
            tuple(beyond),
            savage(buckets),
            nearest(beyond),
            curve=Curve.through(finite, beyond),
        )
        return replace(
            bare,
            tolerated=(
                bare.times_beyond(settings.clear_at.latency), bare.times_beyond(settings.cold_at.latency),
            ),
            ignored=bare.shift(settings.ignore.latency),
            unacceptable=bare.shift(settings.unacceptable.latency),
            squares=tuple([score * score for score in bare.scores]),
        )  # fmt: skip

    def slower(self, times: float) -> tuple[float, ...]:
        """Give the share beyond each edge if every request took ``times`` as long."""
        sooner = math.log(times)
        return tuple([self.curve.beyond(log - sooner) for log in self.curve.logs])

    def shift(self, times: float) -> float:
        """Give by how much the mean score grows if every request took ``times`` as long."""
        now, then = (1.0, *self.beyond, 0.0), (1.0, *self.slower(times), 0.0)
        return sum(
            score * ((then[i] - then[i + 1]) - (now[i] - now[i + 1])) for i, score in enumerate(self.scores)
        )

    def times_beyond(self, times: float) -> tuple[float, ...]:
        """Give, for each edge looked at, how many times more requests are beyond it if all took so much longer."""
        sooner = math.log(times)
        then = [self.curve.beyond(self.curve.logs[edge] - sooner) for edge in self.looked_at]
        return tuple(
            max(1.0, min(1e3, share / self.beyond[edge]))
            for share, edge in zip(then, self.looked_at, strict=True)
        )


def nearest(beyond: Sequence[float]) -> tuple[int, ...]:
    """Give the numbers of the edges whose share of slower requests is nearest to ``EXCEEDED_BY``, by its logarithm."""
    logs = [math.log(share) for share in beyond]
    found = []
    for wanted in map(math.log, EXCEEDED_BY):
        off = [abs(log - wanted) for log in logs]
        found.append(off.index(min(off)))
    return tuple(found)
