"""What pods did, as one point a minute and metric: what a query of Kayenta's would have given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cd_provider.core.judge.counts import Counts, total


@dataclass
class Pile:
    """What one side did within one point's minute."""

    requests: float = 0.0
    errors: float = 0.0
    upto: dict[float, float] | None = None  # edge in seconds → requests up to it; None: nothing known

    def add(self, pods: Mapping[str, Counts], edges: Sequence[float]) -> None:
        """Add a tick; of edges that changed in between only those that stayed are kept."""
        done = total(pods)
        self.requests += done.requests
        self.errors += done.errors
        if not any(done.slow):
            return
        found = dict(zip(edges, cumulative(done.slow), strict=True))
        if self.upto is not None:
            found = {edge: self.upto[edge] + count for edge, count in found.items() if edge in self.upto}
        self.upto = found

    def share(self) -> float | None:
        """Give errors per request; None without a request."""
        return self.errors / self.requests if self.requests > 0 else None

    def quantile(self, wanted: float) -> float | None:
        """Give a quantile of the latency in seconds; None without a request."""
        edges = sorted(self.upto or {})
        return quantile(edges, [(self.upto or {})[edge] for edge in edges], wanted)


def cumulative(counts: Sequence[float]) -> list[float]:
    """Add up, each with all before."""
    found, so_far = [], 0.0
    for count in counts:
        so_far += count
        found.append(so_far)
    return found


def quantile(edges: Sequence[float], upto: Sequence[float], wanted: float) -> float | None:
    """
    Give a quantile, linear inside its bucket; None without a request.

    :param edges: rising, the last one infinite. :param upto: requests up to each edge. :param wanted: such as 0.99.

    Source: Prometheus, "histogram_quantile": the last finite edge for what lies beyond it.
    """
    if len(edges) < 2 or upto[-1] <= 0:
        return None
    rank, lower, below = wanted * upto[-1], 0.0, 0.0
    for edge, count in zip(edges[:-1], upto, strict=False):
        if count >= rank:
            inside = count - below
            return lower + (edge - lower) * ((rank - below) / inside if inside > 0 else 1.0)
        lower, below = edge, count
    return edges[-2]
