"""What stable does of itself: in the hour before, and beside the candidate until a minute ago."""

from __future__ import annotations

from collections.abc import Mapping

from cd_provider.core.judge.counts import Counts, Tick, bare
from cd_provider.core.judge.past import MOST_CLUSTER, Past, Residuals, residuals

PAST_WEIGHT = 20_000.0  # requests that the last hour counts, at most
ASSUMED = Counts(2_000.0, 1.0)  # of any service, beside what was seen
STRETCH_S = 5.0  # in which errors come together: one request's retries do not last longer
ASSUMED_SINGLE = 3.0  # errors that are taken to have come alone before any were seen
ASSUMED_TOGETHER = 10.0
"""Errors that are taken to have come as they are assumed to, where it is about a verdict and not about seconds."""
RARE = 0.1  # errors per request, up to which they tell whether they come alone
HALF_LIFE_S = 300.0  # of what was seen beside the candidate: an outage of stable is not what is usual


class Usual:
    """
    How often stable's requests fail, and how many of its errors come together.

    Where the last hour tells the second, that stands; else it is learned while the candidate runs, and so a service
    without a past, such as one whose pods' own pages are read, is known after a minute or two.
    """

    def __init__(self, past: Past) -> None:
        part = min(1.0, PAST_WEIGHT / past.requests) if past.requests else 0.0
        self._before = ASSUMED + Counts(part * past.requests, part * past.errors)
        self._beside = Counts()
        self._known, self._assumed = past.cluster if past.known else None, past.cluster
        self._seen, self._rare = Residuals(), Residuals()
        self._stretch: dict[str, Counts] = {}
        self._length_s = 0.0

    def add(self, tick: Tick) -> None:
        """Take what stable did in the next tick."""
        done, kept = bare(tick.stable), 0.5 ** (tick.span_s / HALF_LIFE_S)
        self._beside = Counts(
            kept * self._beside.requests + done.requests, kept * self._beside.errors + done.errors
        )
        if self._known is None:
            self._gather(tick.stable, tick.span_s)

    @property
    def share(self) -> float:
        """Errors per request, above 0."""
        return (self._before + self._beside).error_share

    @property
    def cluster(self) -> float:
        """Errors that come together, 1–8; where it is about seconds, so that it is learned from a few."""
        if self._known is not None:
            return self._known
        seen = self._seen
        return min(MOST_CLUSTER, max(1.0, (seen.squares + ASSUMED_SINGLE) / (seen.chance + ASSUMED_SINGLE)))

    @property
    def together(self) -> float:
        """
        Errors that come together; what is assumed of any service, until stable's own have shown that they are fewer.

        More than that is not learned, and nothing from an outage: where most requests fail, pods fail alike.
        """
        if self._known is not None:
            return self._known
        found = (self._rare.squares + ASSUMED_TOGETHER * self._assumed) / (
            self._rare.chance + ASSUMED_TOGETHER
        )
        return max(1.0, min(self._assumed, found))

    def _gather(self, pods: Mapping[str, Counts], span_s: float) -> None:
        for pod, one in pods.items():
            self._stretch[pod] = self._stretch.get(pod, Counts()) + one.bare
        self._length_s += span_s
        if self._length_s >= STRETCH_S - 1e-9:
            found = residuals(self._stretch, usual=self.share)
            self._seen += found
            if bare(self._stretch).error_share <= RARE:
                self._rare += found
            self._stretch, self._length_s = {}, 0.0
