"""
One thing compared with itself: before a moment, and after it.

Two groups at the same time share the weather; before and after do not. So only the clear lane judges, with a tolerance
of three times or more, and nothing here says more than "weak". What was before is a number that is known when the
judging begins; it is dealt out evenly over the time that is planned for after, so that the clear lane sees both sides
in each tick, and sees all of it at the end. At the end its evidence is that of the two totals; on the way there its
mean under "no worse than tolerated" stays below 1.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from cd_provider.core.judge.clear import ClearLane
from cd_provider.core.judge.counts import Counts, Tick, check, total
from cd_provider.core.judge.past import UNKNOWN_CLUSTER, look_back
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.story import clock, percent, rounded
from cd_provider.core.judge.verdict import Judged, Kind, Word
from cd_provider.core.judge.view import scene

LABEL = "weak, since before/after: time is confounded"
SAID: dict[Word, str] = {
    "no traffic": "nothing was counted after the moment",
    "no baseline": "nothing was counted before the moment",
    "leaning": "leaning towards worse, too little to fail, too much to exclude {harm}",
    "too few requests": "too little to exclude {harm}",
}


class WeakJudge:
    """
    Judges tick by tick; every tick's ``candidate`` is the thing itself, whether before the moment or after it.

    :param settings: of these the clear lane's, and ``unacceptable``. :param moment: epoch seconds, as ``until``, when
        after is over.
    """

    def __init__(self, settings: JudgeSettings, *, moment: float, until: float) -> None:
        self.settings, self.moment, self.until = settings, moment, until
        self.before, self.after = Counts(), Counts()
        self.cluster = UNKNOWN_CLUSTER
        self.at = 0.0  # seconds after the moment, of the last tick
        self.verdict: Judged | None = None
        self._past: list[Tick] = []
        self._clear: ClearLane | None = None

    def step(self, tick: Tick) -> Judged | None:
        """
        Take the next tick; give the verdict when there is one. After it nothing more is looked at.

        :raises ArgumentError: a count is no number, or below 0.
        """
        check(tick)
        if self.verdict is not None:
            return None
        if tick.at <= self.moment + 1e-6:
            self._past.append(Tick(tick.at, tick.span_s, stable=tick.candidate))
            return None
        clear = self._clear or self._begin()
        self.at = tick.at - self.moment
        self.after = self.after + total(tick.candidate).bare
        part = tick.span_s / max(tick.span_s, self.until - self.moment)
        shared = Counts(part * self.before.requests, part * self.before.errors)
        both = Tick(tick.at, tick.span_s, tick.candidate, {"before": shared})
        clear.step(scene(both, began_at=self.moment, known=(), shape=None), None)
        if clear.errors.convicts(self.settings):
            return self._say("FAIL", "clear errors", self._odds())
        return self.finish() if tick.at >= self.until - 1e-6 else None

    def finish(self) -> Judged:
        """Judge what there is; no more is coming."""
        if self.verdict is not None:
            return self.verdict
        if word := self._why_not():
            kind: Kind = "NO_DATA" if word == "no traffic" else "INCONCLUSIVE"
            need = self._need(word)
            return self._say(kind, "", f"{SAID[word].format(harm=self._harm())}; needed: {need}", word, need)
        worst = self.settings.unacceptable
        excluded = (
            f"{worst.errors:g}x the share" if self._times_excluded() else f"{percent(worst.share)} of all"
        )
        return self._say("PASS", "", f"{excluded} excluded")

    @property
    def line(self) -> str:
        """Say how it stands."""
        return self.verdict.line if self.verdict else f"so far {clock(self.at)} {self._both()}"

    def _begin(self) -> ClearLane:
        past = look_back(self._past)
        self.before, self.cluster = Counts(past.requests, past.errors), past.cluster
        # what was before stands beside it already
        self._clear, self._past = ClearLane(self.settings, past, past_over_s=math.inf), []
        return self._clear

    def _why_not(self) -> Word:
        """Say why there is no pass; empty: there is one."""
        if self._clear is None:
            self._begin()
        assert self._clear is not None
        if not self.after.requests:
            return "no traffic"
        if not self.before.requests:
            return "no baseline"
        if self._clear.errors.leans:
            return "leaning"
        return "" if self._times_excluded() or self._share_excluded() else "too few requests"

    def _times_excluded(self) -> bool:
        x = self.settings.unacceptable.errors * self.after.requests
        events, part = self.after.errors + self.before.errors, x / (x + self.before.requests)
        variance = self.cluster * events * part * (1.0 - part)
        return events > 0 and events * part - self.after.errors >= self._least() * math.sqrt(variance)

    def _share_excluded(self) -> bool:
        expected = self.settings.unacceptable.share * self.after.requests
        return expected - self.after.errors >= self._least() * math.sqrt(self.cluster * expected)

    def _least(self) -> float:
        return NormalDist().inv_cdf(1.0 - self.settings.beta)

    def _need(self, word: Word) -> str:
        if word == "no traffic":
            return "events after the moment"
        if word == "no baseline":
            return "events before the moment"
        if word == "leaning":
            return "a clear difference, or none"
        least = self._least() ** 2 * self.cluster / self.settings.unacceptable.share
        return f"about {float(f'{least:.2g}'):,.0f} events after the moment, were they all good"

    def _say(self, kind: Kind, lane: str, end: str, word: Word = "", need: str = "") -> Judged:
        line = f"{kind} {clock(self.at)} {self._both()}: {end} ({LABEL})"
        self.verdict = Judged(kind, self.at, line, lane, word, need)
        return self.verdict

    def _both(self) -> str:
        ours, theirs = self.after.error_share, self.before.error_share
        times = f"{rounded(ours / theirs)}x, " if theirs > 0 else ""
        tolerated = f"({times}tolerated up to {self.settings.clear_at.errors:g}x)"
        counted = f"{self.after.requests:,.0f} after / {self.before.requests:,.0f} before"
        return f"bad {percent(ours)} after vs {percent(theirs)} before {tolerated}, {counted}"

    def _odds(self) -> str:
        assert self._clear is not None
        return f"{rounded(self._clear.errors.evidence)}:1 that it is beyond what is tolerated"

    def _harm(self) -> str:
        worst = self.settings.unacceptable
        return f"{worst.errors:g}x the share, or {percent(worst.share)} of all"
