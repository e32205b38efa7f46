"""Runs and outcomes made by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from benchmarks.canary_bench.outcome import Cost, Outcome
from benchmarks.canary_bench.samples import EDGES, HORIZON_S, Counters, Judge, Samples, Verdict

Second = Callable[[float], float]


def counters(requests: float, errors: float = 0.0, *, slow: float = 0.0) -> Counters:
    """Give a pod's totals: ``slow`` of its requests took 0.5–0.75 s, the others 50–75 ms."""
    fast = requests - slow
    return Counters(
        requests, errors, tuple(0.0 if edge < 0.06 else fast if edge < 0.7 else requests for edge in EDGES)
    )


def scrapes(
    *,
    candidate: Sequence[tuple[float, float, float]],
    stable: Sequence[tuple[float, float, float]],
    every_s: float = 60.0,
) -> list[Samples]:
    """
    Give one scrape of one pod on each side per interval.

    :param candidate: (requests, errors, slow) of each interval. :param stable: the same.
    """
    found, totals = [], [(0.0, 0.0, 0.0), (0.0, 0.0, 0.0)]
    for number, pair in enumerate(((None, None), *zip(candidate, stable, strict=True))):
        for side, more in enumerate(pair):
            if more is not None:
                was = totals[side]
                totals[side] = (was[0] + more[0], was[1] + more[1], was[2] + more[2])
        (one, one_bad, one_slow), (two, two_bad, two_slow) = totals
        mine, its = counters(one, one_bad, slow=one_slow), counters(two, two_bad, slow=two_slow)
        found.append(Samples(number * every_s, {"c": mine}, {"s": its}))
    return found


def said(judge: Judge[Samples], seen: Iterable[Samples]) -> list[tuple[float, Verdict]]:
    """Give each verdict of a judge, and when it said it."""
    verdicts = ((samples.at, judge.step(samples)) for samples in seen)
    return [(at, verdict) for at, verdict in verdicts if verdict is not None]


class Script:
    """A judge that says at each second what it was told to say."""

    def __init__(self, **words: Verdict) -> None:
        self.words = {float(at.removeprefix("at_")): word for at, word in words.items()}
        self.seen: list[Samples] = []

    def step(self, samples: Samples) -> Verdict | None:
        self.seen.append(samples)
        return self.words.get(samples.at)


def outcome(
    *, fail_s: float | None = None, pass_s: float | None = None, trip_s: float | None = None, trips: int = 0
) -> Outcome:
    unclear_s = HORIZON_S if fail_s is None and pass_s is None else None
    return Outcome(
        fail_s=fail_s,
        pass_s=pass_s,
        unclear_s=unclear_s,
        trip_s=trip_s,
        trips=trips,
        cost=Cost(begin_s=0.02, looks=100, cpu_s=0.05),
    )
