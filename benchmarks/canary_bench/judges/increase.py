"""Counters to what happened in a window, the way that Prometheus' ``increase()`` does, without its extrapolation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.canary_bench.samples import EDGES, NONE, Counters, minus, plus
from cd_provider.core.judge.kayenta import points


@dataclass(slots=True)
class Seen:
    """One pod: where the window began, and where it is now."""

    first: Counters
    last: Counters


class Increase:
    """
    Adds up what one side's pods did since it was last taken.

    A fall is a restart: the pod began anew at 0. A pod's first scrape is where it begins, as for ``increase()``; what
    a lost scrape did not show, the next one does.
    """

    def __init__(self) -> None:
        self._pods: dict[str, Seen] = {}
        self._ended = NONE  # of processes that are gone

    def see(self, pods: Mapping[str, Counters]) -> None:
        """Look at one scrape."""
        for name, now in pods.items():
            seen = self._pods.get(name)
            if seen is None:
                self._pods[name] = Seen(now, now)
                continue
            if now.requests < seen.last.requests:
                self._ended = plus(self._ended, minus(seen.last, seen.first))
                seen.first = NONE
            seen.last = now

    def take(self) -> Counters:
        """Give the sum over all pods, and begin a new window."""
        found, self._ended = self._ended, NONE
        for seen in self._pods.values():
            found = plus(found, minus(seen.last, seen.first))
            seen.first = seen.last
        return found


def share(errors: float, requests: float) -> float | None:
    """Give errors per request; None without a request, where a query says NaN."""
    return errors / requests if requests > 0 else None


def quantile(buckets: tuple[float, ...], wanted: float) -> float | None:
    """Give a quantile of the latency in seconds, linear inside its bucket; None without a request."""
    return points.quantile(EDGES, buckets, wanted)
