"""What a stream of requests saw: how many, from which version, how many failed, since when, until when."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self


@dataclass(frozen=True, kw_only=True)
class Request:
    """
    One request.

    :param at: when it was sent, epoch seconds. :param status: None when no whole answer came.
    :param version: the header ``X-Version`` of the answer; None when no service answered.
    :param latency_s: from when it was due to the end of the answer. :param error: why no answer came.
    """

    at: float
    status: int | None
    version: str | None
    latency_s: float
    error: str | None

    @property
    def failed(self) -> bool:
        """A user would call it failed: no answer, or a status of 500 or more."""
        return self.status is None or self.status >= 500

    @property
    def answered_at(self) -> float:
        """When the answer, or the failure, was there; epoch seconds."""
        return self.at + self.latency_s


@dataclass(frozen=True)
class Record:
    """Requests in order of sending."""

    requests: Sequence[Request]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what a load generator wrote; a last line that is still being written is left out."""
        text = path.read_text() if path.exists() else ""
        lines = text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]
        return cls(sorted((Request(**json.loads(line)) for line in lines), key=lambda r: r.at))

    def between(self, since: float, until: float = math.inf) -> Record:
        """Those sent in [since, until), epoch seconds."""
        return Record([r for r in self.requests if since <= r.at < until])

    def of(self, version: str | None) -> Record:
        """Those that this version answered; None: those that no version did."""
        return Record([r for r in self.requests if r.version == version])

    def count(self, version: str | None = None) -> int:
        """How many; with ``version``, how many it answered."""
        return len(self.requests if version is None else self.of(version).requests)

    def failed(self, version: str | None = None) -> int:
        """How many failed; with ``version``, how many of its answers did."""
        return sum(r.failed for r in (self if version is None else self.of(version)).requests)

    def per_version(self) -> dict[str | None, dict[str, int]]:
        """Version → ``requests`` and ``failed``."""
        total, failed = Counter[str | None](), Counter[str | None]()
        for r in self.requests:
            total[r.version] += 1
            failed[r.version] += r.failed
        return {version: {"requests": total[version], "failed": failed[version]} for version in total}

    def statuses(self) -> dict[int | None, int]:
        """Status → how many; None for those without an answer."""
        return dict(Counter(r.status for r in self.requests))

    def first_seen(self, version: str) -> float | None:
        """When the first request that it answered was sent, epoch seconds."""
        return min((r.at for r in self.of(version).requests), default=None)

    def last_seen(self, version: str) -> float | None:
        """When the last request that it answered was sent, epoch seconds."""
        return max((r.at for r in self.of(version).requests), default=None)

    def first_bad(self, version: str | None = None) -> float | None:
        """When the first failed answer (of this version) was there, epoch seconds."""
        requests = self.requests if version is None else self.of(version).requests
        return min((r.answered_at for r in requests if r.failed), default=None)

    def share(self, version: str, *, bucket_s: float = 1.0) -> list[tuple[float, float]]:
        """How its share of all answers went: (start of the bucket, 0 … 1); empty buckets are left out."""
        return self._buckets(bucket_s, lambda r: r.version == version)

    def error_share(self, version: str | None = None, *, bucket_s: float = 1.0) -> list[tuple[float, float]]:
        """How the share of failed requests (of this version) went, in the same form."""
        record = self if version is None else self.of(version)
        return record._buckets(bucket_s, lambda r: r.failed)

    def rate_per_s(self) -> float:
        """The rate at which they were sent; 0 for fewer than two."""
        if len(self.requests) < 2:
            return 0.0
        return (len(self.requests) - 1) / max(1e-9, self.requests[-1].at - self.requests[0].at)

    def latency_s(self, quantile: float, version: str | None = None) -> float | None:
        """A quantile (0 … 1) of the latency of those that were answered."""
        record = self if version is None else self.of(version)
        found = sorted(r.latency_s for r in record.requests if r.status is not None)
        return found[min(len(found) - 1, int(quantile * len(found)))] if found else None

    def summary(self) -> dict[str, Any]:
        """A few figures for a report."""
        median = self.latency_s(0.5)
        versions = {str(version): figures for version, figures in self.per_version().items()}
        figures = {
            "requests": self.count(),
            "failed": self.failed(),
            "rate_per_s": round(self.rate_per_s(), 2),
        }
        return {**figures, "median_latency_s": median, "versions": versions}

    def _buckets(self, bucket_s: float, hit: Callable[[Request], bool]) -> list[tuple[float, float]]:
        total, hits = Counter[int](), Counter[int]()
        for r in self.requests:
            total[number := math.floor(r.at / bucket_s)] += 1
            hits[number] += hit(r)
        return [(number * bucket_s, hits[number] / total[number]) for number in sorted(total)]
