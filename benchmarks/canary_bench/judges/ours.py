"""The product's own judge, shown what every other one is shown."""

from __future__ import annotations

import math
from dataclasses import replace

from benchmarks.canary_bench.samples import EDGES, NONE, Counters, Samples, Setting, Verdict, minus
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.past import Past, look_back
from cd_provider.core.judge.settings import AWAY_ALONE_S, AWAY_S, JudgeSettings

HISTORY_S = 3600.0


class Steps:
    """From counters to what happened since the scrape before; a pod's first scrape is where it begins."""

    def __init__(self) -> None:
        self._last: dict[str, Counters] = {}

    def of(self, pods: dict[str, Counters]) -> dict[str, Counts]:
        """Take a scrape of one side."""
        found = {}
        for name, now in pods.items():
            before = self._last.get(name)
            self._last[name] = now
            if before is None:
                continue
            done = minus(now, NONE if now.requests < before.requests else before)
            found[name] = counts(done)
        return found


def counts(done: Counters) -> Counts:
    """Make cumulative buckets plain ones."""
    slow = tuple(upper - lower for lower, upper in zip((0.0, *done.buckets), done.buckets, strict=False))
    return Counts(done.requests, done.errors, slow)


class Ours:
    """Judges one run; whether the baseline is fresh is seen by its counters, which begin at 0 then."""

    def __init__(self, setting: Setting, settings: JudgeSettings | None = None) -> None:
        self.setting, self.settings = setting, settings
        self._steps = (Steps(), Steps())
        self._past: list[Tick] = []
        self._judge: Judge | None = None
        self.away_s = AWAY_S

    def step(self, samples: Samples) -> Verdict | None:
        tick = Tick(
            samples.at, self.setting.interval_s,
            self._steps[0].of(dict(samples.candidate)), self._steps[1].of(dict(samples.stable)), EDGES,
        )  # fmt: skip
        if samples.at < 0:
            self._past.append(tick)
            return None
        if self._judge is None:
            self._judge = self._begin(samples)
        if samples.at == 0:
            return None
        judged = self._judge.step(tick)
        return None if judged is None or judged.kind == "NO_DATA" else judged.kind

    def _begin(self, samples: Samples) -> Judge:
        if len(samples.candidate) == 1:
            self.away_s = AWAY_ALONE_S
        past = look_back(coarse(self._past)) if self._past else Past()
        fresh = all(one.requests == 0 for one in samples.stable.values())
        base = self.settings or JudgeSettings()
        settings = replace(base, fresh=fresh, min_s=self.setting.min_s, max_s=self.setting.max_s)
        return Judge(settings, past=past)


def coarse(ticks: list[Tick], span_s: float = 5.0) -> list[Tick]:
    """Put short ticks together, so that what comes together is counted together."""
    times = round(span_s / ticks[0].span_s)
    if times < 2:
        return ticks
    found = []
    skipped = len(ticks) - math.floor(len(ticks) / times) * times
    for first in range(skipped, len(ticks), times):
        done: dict[str, Counts] = {}
        for tick in ticks[first : first + times]:
            for pod, one in tick.stable.items():
                done[pod] = done.get(pod, Counts()) + one
        found.append(Tick(ticks[first + times - 1].at, span_s, {}, done, ticks[0].edges))
    return found
