"""
One canary second by second, as the product sees it: scrapes at odd moments, reads between them, a return.

What :mod:`~benchmarks.canary_bench.generate` shows a judge is one tidy scrape of all pods at once. Here each pod has a
moment of its own, reads come in between, and a tick is judged when every pod has been read in it. Users' errors are
counted until the weight is off.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.canary_bench.family import Family
from benchmarks.canary_bench.generate import record
from benchmarks.canary_bench.judges.ours import HISTORY_S, past
from benchmarks.canary_bench.regressions import HEALTHY, Regression
from benchmarks.canary_bench.steps import steps
from benchmarks.canary_bench.surroundings import Array
from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.series import Series, Side
from cd_provider.core.judge.settings import JudgeSettings, away_for_s

REQUESTS, ERRORS = 0, 1  # columns of what a pod did
OFF_S = 1  # from the verdict until nobody is sent there any more, in whole seconds, which is generous


@dataclass(frozen=True, slots=True)
class Stopped:
    """
    :param off_s: when the candidate was first taken off traffic, for a while or for good; None: never.
    :param fail_s: when it was failed; None: never.
    :param failed: requests of users that the candidate failed, all in all. :param once: of those, until ``off_s``.
    """  # noqa: D205

    off_s: float | None
    fail_s: float | None
    failed: float
    once: float


def live(
    family: Family, regression: Regression, *, seed: int, run: int, upto_s: int, scrape_s: int, read_s: int
) -> Stopped:
    """
    Run one canary until it is failed, or for ``upto_s`` seconds; the judge looks at errors alone.

    :param family: its interval is one second. :param scrape_s: seconds between two scrapes of a pod.
    :param read_s: between two reads.
    """
    seen = record(family, regression, seed=seed, run=run).live
    happened = steps(seen).done[1 : upto_s + 1]
    canary = _Canary(family, _phases(len(seen.pods.names), scrape_s, seed, run), scrape_s)
    judge = Judge(JudgeSettings(latency=False), past=usual(family, seed=seed, run=run))
    aligner = Aligner(started_at=0.0, interval_s=float(scrape_s))
    off_s, once = None, 0.0
    for second, done in enumerate(happened, 1):
        canary.pass_second(second, done)
        for tick in [] if second % read_s else aligner.feed(canary.read()):
            verdict = judge.step(tick)
            if verdict is None or verdict.kind not in ("TRIP", "FAIL"):
                continue
            canary.leave(second)
            failed = canary.failed + float(happened[second : second + OFF_S, canary.ours, ERRORS].sum())
            off_s, once = (float(second), failed) if off_s is None else (off_s, once)
            if verdict.kind == "FAIL":
                return Stopped(off_s, float(second), failed, once)
    return Stopped(off_s, None, canary.failed, once or canary.failed)


class _Canary:
    """Counters of all pods; those of a candidate without traffic stand still."""

    def __init__(self, family: Family, phases: list[int], scrape_s: int) -> None:
        self.ours = slice(0, family.candidate_pods)
        self.phases, self.scrape_s = phases, scrape_s
        self.totals = np.zeros((len(phases), 2))  # good, bad
        self.failed = 0.0
        self.off_s, self.gone_s = math.inf, -math.inf
        self._samples: list[list[tuple[float, float, float]]] = [[(0.0, 0.0, 0.0)] for _ in phases]

    def leave(self, second: int) -> None:
        """Take the candidate off traffic, for a while."""
        away_s = away_for_s(self.ours.stop)
        self.off_s, self.gone_s = second + OFF_S, second + OFF_S + away_s

    def pass_second(self, second: int, done: Array) -> None:
        """Let users ask for a second, and scrape whoever is due."""
        every, bad = done[:, REQUESTS].copy(), done[:, ERRORS].copy()
        if self.off_s < second <= self.gone_s:
            bad[self.ours] = every[self.ours] = 0.0
        self.failed += float(bad[self.ours].sum())
        self.totals += np.stack([every - bad, bad], axis=1)
        for pod, phase in enumerate(self.phases):
            if second % self.scrape_s == phase:
                good, bad_ = map(float, self.totals[pod])
                self._samples[pod].append((float(second), good, bad_))

    def read(self) -> Iterator[Series]:
        """Give the newest samples of each pod."""
        for pod, samples in enumerate(self._samples):
            side: Side = "candidate" if pod < self.ours.stop else "stable"
            for which, bad in ((1, False), (2, True)):
                newest = tuple((one[0], one[which]) for one in samples[-4:])
                yield Series(f"{pod} {which}", side, str(pod), newest, bad)


def usual(family: Family, *, seed: int, run: int) -> Past:
    """Give stable's hour before, by scrapes of five seconds, without latencies."""
    coarse = replace(family, interval_s=5.0)
    return past(record(coarse, HEALTHY, seed=seed, run=run, history_s=HISTORY_S))


def _phases(pods: int, scrape_s: int, seed: int, run: int) -> list[int]:
    """Draw in which second of the interval each pod is scraped."""
    rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, run, pods])))
    return [int(one) for one in rng.integers(0, scrape_s, pods)]
