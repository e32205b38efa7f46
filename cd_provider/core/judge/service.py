"""A service as the judge knows it, and pods that are drawn to be like its own."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.draws import Draws
from cd_provider.core.judge.latency import Shape
from cd_provider.core.judge.past import SCALES_S, Past, look_back
from cd_provider.core.judge.settings import JudgeSettings

MINUTE_S, MIDDLE_S = SCALES_S[:2]  # how long the passing parts of a pod's factor last
MOST_ERRORS = 0.5  # share of errors from which on they are no longer rare
STEP = 1.005  # between two factors of latency that are told apart


@dataclass(frozen=True)
class Service:
    """
    What a stretch of time says about a service.

    :param past: what is usual, as the judge reads it. :param rate: requests per second of all pods.
    :param pods: how many there are. :param interval_s: between two samples of one counter.
    :param units: whether pods are told apart; of a gateway's counters they are not.
    """

    past: Past
    rate: float
    pods: int
    interval_s: float
    units: bool = True

    @classmethod
    def of(cls, ticks: Sequence[Tick], *, units: bool = True) -> Service | None:
        """Read the ticks of stable alone; None: there was no request."""
        past = look_back(ticks)
        if not past.requests:
            return None
        lasted_s = sum(tick.span_s for tick in ticks)
        counts = sorted(len(tick.stable) for tick in ticks if tick.stable)
        return cls(past, past.requests / lasted_s, counts[len(counts) // 2], ticks[-1].span_s, units)

    def at_rate(self, rate: float) -> Service:
        """Give the same with another traffic."""
        return replace(self, rate=rate)

    @property
    def known_apart(self) -> bool:
        """Whether it was seen how far pods differ: it takes two of them."""
        return self.units and self.pods > 1


@dataclass(frozen=True)
class Harm:
    """
    What is wrong with a candidate.

    :param errors_times: its error share, as times stable's. :param errors_to: at least such a share, 0–1.
    :param slow_times: its latencies, as times stable's.
    """

    errors_times: float = 1.0
    errors_to: float = 0.0
    slow_times: float = 1.0


HEALTHY = Harm()


def parts(table: Sequence[float]) -> tuple[float, float, float]:
    """
    Cut how far pods differ into what passes within a minute, within five, and what stays.

    :param table: variances of means over each of ``SCALES_S``, falling.
    """
    short, middle, long = table
    passing = (short - middle) / (1.0 - MINUTE_S / MIDDLE_S)
    left = middle - passing * MINUTE_S / MIDDLE_S
    far = SCALES_S[2]
    slower = (left - (long - passing * MINUTE_S / far)) / (1.0 - MIDDLE_S / far)
    slower = min(max(0.0, slower), max(0.0, left))
    return max(0.0, passing), slower, max(0.0, left - slower)


class Pod:
    """One pod's factors of errors and latency, which change with time."""

    def __init__(self, draws: Draws, errors: tuple[float, ...], slow: tuple[float, ...]) -> None:
        self.draws, self.variances = draws, (errors, slow)
        self.stays = tuple(draws.factor(one[2]) for one in self.variances)
        self._drawn: dict[float, tuple[int, tuple[float, ...]]] = {}

    def factors(self, at: float) -> tuple[float, float]:
        """Give (errors, latency) at a second of the canary."""
        found = list(self.stays)
        for number, length_s in enumerate((MINUTE_S, MIDDLE_S)):
            block = math.floor(at / length_s)
            if self._drawn.get(length_s, (-1, ()))[0] != block:
                drawn = tuple(self.draws.factor(one[number]) for one in self.variances)
                self._drawn[length_s] = (block, drawn)
            found = [one * more for one, more in zip(found, self._drawn[length_s][1], strict=True)]
        return found[0], found[1]


class World:
    """
    Draws what candidate and stable do, tick by tick.

    Stable's pods are drawn together, as the mean of so many: of stable the judge asks no more. What was not seen is
    not made up: where pods were not told apart they are all alike here.
    """

    def __init__(self, service: Service, harm: Harm, settings: JudgeSettings, draws: Draws) -> None:
        self.service, self.harm, self.draws = service, harm, draws
        past = service.past
        self.share = min(1.0, max(past.share * harm.errors_times, harm.errors_to))
        self.shape = Shape.of(past.edges, past.buckets, settings)
        self.pods: dict[str, Pod] = {}
        self._chances: dict[int, tuple[float, ...]] = {}

    def tick(self, at: float, weight: float, candidates: int) -> Tick:
        """
        Draw what happened in the tick before ``at``.

        :param weight: the candidate's share of the traffic, 0–1. :param candidates: its pods.
        """
        service = self.service
        requests = service.rate * service.interval_s
        ours = {
            f"c{number}": self._of(f"c{number}", at, requests * weight / candidates)
            for number in range(candidates)
        }
        theirs = {f"s{number}": Counts() for number in range(service.pods if service.units else 1)}
        theirs["s0"] = self._stable(at, requests * (1.0 - weight))
        return Tick(at, service.interval_s, ours if weight else {}, theirs, service.past.edges)

    def _of(self, name: str, at: float, expected: float) -> Counts:
        errors, slow = self._pod(name).factors(at)
        return self._counts(expected, min(1.0, self.share * errors), self.harm.slow_times * slow)

    def _stable(self, at: float, expected: float) -> Counts:
        found = [self._pod(f"s{number}").factors(at) for number in range(self.service.pods)]
        errors, slow = (sum(one) / len(found) for one in zip(*found, strict=True))
        return self._counts(expected, min(1.0, self.service.past.share * errors), slow)

    def _counts(self, expected: float, share: float, slow: float) -> Counts:
        buckets = tuple(self.draws.poisson(expected * chance) for chance in self.chances(slow))
        requests = sum(buckets) if buckets else self.draws.poisson(expected)
        if share >= MOST_ERRORS:
            return Counts(requests, requests * share, buckets)
        errors = self.draws.together(requests * share, self.service.past.cluster)
        return Counts(requests, min(requests, errors), buckets)

    def _pod(self, name: str) -> Pod:
        if name not in self.pods:
            self.pods[name] = Pod(self.draws, *self._spread())
        return self.pods[name]

    def _spread(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        past = self.service.past
        if not self.service.known_apart:
            return (0.0,) * 3, (0.0,) * 3
        # A mean score grows in step with the logarithm of latency, near 1.
        slope = self.shape.shift(1.05) / math.log(1.05) if self.shape else 0.0
        slow = tuple(one / slope**2 for one in parts(past.scores_differ)) if slope > 1e-6 else (0.0,) * 3
        return parts(past.errors_differ), tuple(min(0.25, one) for one in slow)

    def chances(self, slow: float) -> tuple[float, ...]:
        """Give the chance of each latency bucket where all requests take so many times as long; none: not known."""
        if self.shape is None:
            whole = sum(self.service.past.buckets)
            return tuple(one / whole for one in self.service.past.buckets) if whole else ()
        step = round(math.log(slow) / math.log(STEP))
        if step not in self._chances:
            beyond = (1.0, *self.shape.slower(STEP**step), 0.0) if step else (1.0, *self.shape.beyond, 0.0)
            self._chances[step] = tuple(
                max(0.0, one - two) for one, two in zip(beyond, beyond[1:], strict=False)
            )
        return self._chances[step]
