"""What a simulated service is like: every number has a name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class PodNoise:
    """
    Pods of one version are not alike; log-normal factors with mean 1.

    :param errors_sd: of the logarithm of a pod's error factor that comes and goes. :param errors_lasting: of the part
        that stays. :param slow_sd: of its latency factor. :param slow_lasting: the same.
    :param corr_s: seconds after which what comes and goes has fallen to a third of itself, on average.
    """

    errors_sd: float = 0.0
    errors_lasting: float = 0.0
    slow_sd: float = 0.0
    slow_lasting: float = 0.0
    corr_s: float = 60.0


@dataclass(frozen=True, kw_only=True)
class Common:
    """
    What changes for both sides together: log-normal factors with mean 1.

    :param load_sd: of the logarithm of the traffic's factor. :param errors_sd: of the errors'. :param slow_sd: of the
        latencies'. :param drift: by how much latency and traffic grow over the run, as a share.
    """

    load_sd: float = 0.0
    errors_sd: float = 0.0
    slow_sd: float = 0.0
    corr_s: float = 120.0
    drift: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Incident:
    """
    Something that happens for a while, at random.

    :param on: whose pods; ``either``: those of one side, drawn anew each time; ``pod``: one pod of either side.
    :param pods: how many of that side's pods; None: all.
    :param for_s: how long. :param every_s: mean time between two; None: exactly one in each run.
    :param same: each time the same side and pods.
    :param errors_times: the error share, times this. :param errors_to: or set to a share drawn between these two.
    :param lead_s: the other side has it too, so much later.
    """

    on: Literal["both", "candidate", "stable", "either", "pod"]
    for_s: float
    pods: int | None = None
    every_s: float | None = None
    same: bool = False
    errors_times: float = 1.0
    errors_to: tuple[float, float] | None = None
    slow_times: float = 1.0
    load_times: float = 1.0
    lead_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Retries:
    """Errors come ``size`` at a time: one request and its retries, spread over ``within_s`` seconds."""

    size: int = 4
    within_s: float = 0.3


@dataclass(frozen=True, kw_only=True)
class Cold:
    """A young pod's first minutes: factors at its start, halved every ``half_s``."""

    errors_times: float = 3.0
    slow_times: float = 2.0
    half_s: float = 20.0


@dataclass(frozen=True, kw_only=True)
class Family:
    """
    One kind of service and canary.

    :param number: its place in the seed; never given to another one.
    :param rate: requests per second of the whole service.
    :param steps: (second, share of the traffic that the candidate has from then on, 0–1).
    :param fresh: the baseline is as young as the candidate and has ``stable_share`` of the traffic; otherwise
        it is stable itself, with all that the candidate does not have.
    :param errors: share of requests that fail, 0–1. :param p50_s: :param p99_s: of the latency, log-normal.
    :param lost: share of scrapes that are lost, each pod's by itself. :param restarts_per_h: of each pod.
    :param one_sided: something happens to one side only that a bad version would look like.
    """

    name: str
    number: int
    rate: float = 200.0
    candidate_pods: int = 3
    stable_pods: int = 3
    steps: tuple[tuple[float, float], ...] = ((0.0, 0.10),)
    fresh: bool = True
    stable_share: float = 0.10
    errors: float = 0.001
    p50_s: float = 0.060
    p99_s: float = 0.306
    interval_s: float = 5.0
    pod: PodNoise = PodNoise()
    common: Common = Common()
    incidents: tuple[Incident, ...] = ()
    retries: Retries | None = None
    cold: Cold | None = None
    lost: float = 0.0
    restarts_per_h: float = 0.0
    one_sided: bool = False

    @property
    def candidate_rate(self) -> float:
        """Requests per second of the candidate at its last weight."""
        return self.rate * self.steps[-1][1]
