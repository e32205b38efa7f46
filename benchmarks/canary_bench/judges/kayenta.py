"""
Kayenta's NetflixACAJudge, as it is documented and as its source computes, on one point a minute.

Labels and score are the product's own shadow judge. Two things are not: the interval is exact where Kayenta's ends at
its root finder's tolerance of 1e-4, and no effect size is asked for, where Kayenta wants the mean not to have fallen.

Source: spinnaker/kayenta, ``judge`` and ``mannwhitney``; its documentation, "Canary judge" and "Configure a canary".
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmarks.canary_bench.judges.increase import Increase, quantile, share
from benchmarks.canary_bench.judges.mann_whitney import shift
from benchmarks.canary_bench.samples import Maker, Samples, Setting, Verdict
from cd_provider.core.judge.kayenta.metric import Classified, EffectSize, Metric
from cd_provider.core.judge.kayenta.metric import classify as classified
from cd_provider.core.judge.kayenta.score import MARGINAL, PASS, score

POINT_S = 60.0
RISING = Metric(name="it", groups=("all",), direction="increase", effect=EffectSize(allowed_increase=0.0))

Points = list[float | None]


class Kayenta:
    """
    Judges the error share and quantiles of the latency, each a metric of the same weight that may only rise.

    At each look all points since the start are compared. A score below ``MARGINAL`` ends the canary; the last look
    must reach ``PASS``. Nothing corrects for looking more than once.

    :param every_s: between two looks; whole minutes. :param quantiles: such as 0.99.
    """

    def __init__(self, setting: Setting, every_s: float, quantiles: Sequence[float]) -> None:
        self.setting, self.every_s, self.quantiles = setting, every_s, quantiles
        self._next_point_s, self._next_look_s = POINT_S, every_s
        self._sides = (Increase(), Increase())
        self._points: list[tuple[Points, Points]] = [([], []) for _ in (1, *quantiles)]

    def step(self, samples: Samples) -> Verdict | None:
        self._sides[0].see(samples.candidate)
        self._sides[1].see(samples.stable)
        if samples.at < self._next_point_s:
            return None
        self._next_point_s += POINT_S
        self._add_points()
        if samples.at < self._next_look_s:
            return None
        self._next_look_s += self.every_s
        return self._look(is_last=samples.at >= self.setting.max_s)

    def _add_points(self) -> None:
        for number, side in enumerate(self._sides):
            done = side.take()
            latencies = [quantile(done.buckets, wanted) for wanted in self.quantiles]
            values = (share(done.errors, done.requests), *latencies)
            for points, value in zip(self._points, values, strict=True):
                points[number].append(value)

    def _look(self, *, is_last: bool) -> Verdict | None:
        reached = score([classify(candidate, stable) for candidate, stable in self._points]).score
        if reached < MARGINAL or (is_last and reached <= MARGINAL):
            return "FAIL"
        if not is_last:
            return None
        return "PASS" if reached >= PASS else "INCONCLUSIVE"


def classify(candidate: Sequence[float | None], stable: Sequence[float | None]) -> Classified:
    """Judge one metric that may only rise; points without a value are left out."""
    return classified(RISING, candidate, stable, interval=shift)


def kayenta(*, every_s: float, quantiles: Sequence[float] = (0.99,)) -> Maker:
    """Give a maker of judges that look every ``every_s``."""
    return lambda setting: Kayenta(setting, every_s, quantiles)
