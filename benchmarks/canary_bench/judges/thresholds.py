"""
Flagger and Argo Rollouts, with the limits of their documentation: success at least 99 %, p99 at most 500 ms.

They look at the candidate alone, once a minute, at what the last minute brought.

Sources: fluxcd/flagger, ``pkg/controller`` and "Metrics Analysis"; argoproj/argo-rollouts, ``analysis`` and "Analysis".
"""

from __future__ import annotations

from benchmarks.canary_bench.judges.increase import Increase, quantile, share
from benchmarks.canary_bench.samples import Samples, Setting, Verdict

MAX_ERRORS = 0.01
MAX_P99_S = 0.5
LOOK_S = 60.0


class Minutes:
    """Gives a minute's (error share, p99) of the candidate when it is over; None where a query has no value."""

    def __init__(self) -> None:
        self._candidate = Increase()
        self._next_s = LOOK_S

    def see(self, samples: Samples) -> tuple[float | None, float | None] | None:
        """Look at one scrape; None while the minute lasts."""
        self._candidate.see(samples.candidate)
        if samples.at < self._next_s:
            return None
        self._next_s += LOOK_S
        done = self._candidate.take()
        return share(done.errors, done.requests), quantile(done.buckets, 0.99)


def within(value: float | None, limit: float) -> bool:
    """Whether a value keeps its limit; no value does not."""
    return value is not None and value <= limit


class Flagger:
    """Any metric beyond its limit, or without a value, makes a failed check; nothing takes one back."""

    def __init__(self, setting: Setting, *, threshold: int = 5) -> None:
        self.setting, self.threshold = setting, threshold
        self._minutes, self._failed = Minutes(), 0

    def step(self, samples: Samples) -> Verdict | None:
        seen = self._minutes.see(samples)
        if seen is None:
            return None
        self._failed += not (within(seen[0], MAX_ERRORS) and within(seen[1], MAX_P99_S))
        if self._failed >= self.threshold:
            return "FAIL"
        return "PASS" if samples.at >= self.setting.max_s else None


class Argo:
    """Each metric counts its own failed measurements, and may have ``failure_limit`` of them."""

    def __init__(self, setting: Setting, *, failure_limit: int = 3) -> None:
        self.setting, self.failure_limit = setting, failure_limit
        self._minutes, self._failed = Minutes(), [0, 0]

    def step(self, samples: Samples) -> Verdict | None:
        seen = self._minutes.see(samples)
        if seen is None:
            return None
        for metric, limit in enumerate((MAX_ERRORS, MAX_P99_S)):
            self._failed[metric] += not within(seen[metric], limit)
        if max(self._failed) > self.failure_limit:
            return "FAIL"
        return "PASS" if samples.at >= self.setting.max_s else None
