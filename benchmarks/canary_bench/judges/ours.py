"""The product's own judge. It takes what happened between two scrapes, and is shown the same scrapes as every other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import pairwise

from benchmarks.canary_bench.generate import Record
from benchmarks.canary_bench.samples import EDGES, Setting, Verdict
from benchmarks.canary_bench.steps import coarse, steps
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.past import Past, past_of
from cd_provider.core.judge.settings import AWAY_ALONE_S, JudgeSettings
from cd_provider.core.judge.stretches import MINUTE_S, minutes

HISTORY_S = 3600.0
PAST_SPAN_S = 5.0
"""Ticks of the last hour: shorter ones are put together, so that what comes together is counted together."""


class Ticks:
    """What it is shown: while it is off traffic the candidate does nothing."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self._at = self._until_s = 0.0

    def __iter__(self) -> Iterator[Tick]:
        for tick in steps(self._record.live).ticks():
            if tick.at <= 0.0:
                continue
            self._at = tick.at
            yield tick if tick.at > self._until_s else replace(tick, candidate=idle(tick))

    def leave(self, away_s: float) -> None:
        """Take the candidate off traffic from now on, for so long."""
        self._until_s = self._at + away_s


def idle(tick: Tick) -> dict[str, Counts]:
    """Let the candidate's pods be there and do nothing."""
    return {pod: Counts(slow=(0.0,) * len(done.slow)) for pod, done in tick.candidate.items()}


class Ours:
    """Judges one run."""

    def __init__(self, settings: JudgeSettings, past: Past) -> None:
        self._judge = Judge(settings, past=past)
        self.away_s = settings.away_s

    def step(self, tick: Tick) -> Verdict | None:
        judged = self._judge.step(tick)
        return None if judged is None or judged.kind == "NO_DATA" else judged.kind


@dataclass(frozen=True)
class OurEntry:
    """
    How it is begun; whether the baseline is fresh is seen by its counters, which begin at 0 then.

    :param history_s: 0: it knows no more than what stable's counters stand at, as where pods' own pages are read.
    """

    settings: JudgeSettings | None = None
    history_s: float = HISTORY_S

    def begin(self, record: Record, setting: Setting) -> tuple[Ours, Ticks]:
        """Read the last hour, and give the judge with what it is shown."""
        is_stable = ~record.live.pods.is_candidate
        settings = replace(
            self.settings or JudgeSettings(),
            fresh=not record.live.totals[0, is_stable].any(), min_s=setting.min_s, max_s=setting.max_s,
        )  # fmt: skip
        ours = Ours(settings, past(record) if self.history_s else page(record))
        if len(is_stable) - is_stable.sum() == 1:
            ours.away_s = AWAY_ALONE_S
        return ours, Ticks(record)


def page(record: Record) -> Past:
    """Read what stable's counters stand at when the candidate takes traffic; those of a fresh baseline say nothing."""
    errors, *upto = record.live.totals[0, ~record.live.pods.is_candidate].sum(axis=0).tolist()
    buckets = tuple(high - low for low, high in pairwise((0.0, *upto)))
    return Past(upto[-1], errors, buckets, EDGES) if upto[-1] else Past()


def past(record: Record) -> Past:
    """
    Read what stable did before, as :func:`~cd_provider.core.judge.past.look_back` does.

    Minutes are added up as arrays: counts are whole numbers, so that their sums do not depend on who adds.
    """
    if record.before is None:
        return Past()
    seen = steps(record.before)
    short = list(coarse(seen, PAST_SPAN_S).bare.ticks())
    return past_of(short, minutes(list(coarse(seen, MINUTE_S).ticks())), EDGES)
