"""
Pictures of what a judge saw in simulated canaries, those of the docs among them.

``python -m benchmarks.canary_bench.pictures FOLDER [NAME …]`` draws them as the product does, from a record.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.canary_bench.families import FAMILIES
from benchmarks.canary_bench.family import Family, Incident
from benchmarks.canary_bench.generate import generate
from benchmarks.canary_bench.judges.ours import HISTORY_S, Steps, coarse
from benchmarks.canary_bench.outcome import AWAY_S, Exposure
from benchmarks.canary_bench.regressions import HEALTHY, REGRESSIONS, Regression
from benchmarks.canary_bench.samples import EDGES, HORIZON_S, NONE, Samples
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.judge import ENDS, Judge
from cd_provider.core.judge.past import look_back
from cd_provider.core.judge.picture import picture
from cd_provider.core.judge.record import Record, Recorder
from cd_provider.core.judge.series import Notes, Restart
from cd_provider.core.judge_gate import JudgeGate, judge

SEED, BEGAN_AT = 7, 1_764_150_000.0
AFTER_PASS_S = 120.0  # that are still drawn
SHOP = replace(FAMILIES["shop-50"], candidate_pods=3)
OUTAGE = Incident(on="candidate", pods=2, for_s=20.0, errors_to=(0.5, 0.8))
Change = Callable[[Samples], Samples]


def record(family: Family, regression: Regression, *, run: int = 0, change: Change | None = None) -> Record:
    """Judge one simulated canary as a delivery does, and give its record. ``change``: what a scrape shows instead."""
    gate = JudgeGate.parse(judge(preset="otel_http_server"))
    scrapes = generate(family, regression, seed=SEED, run=run, history_s=HISTORY_S)
    steps, exposure, restarts = (Steps(), Steps()), Exposure(), Restarts()
    ticks = []
    for samples in scrapes[: sum(one.at <= 0 for one in scrapes)]:
        ticks.append(_tick(samples, steps, family))
        restarts.see(samples)
    past = look_back(coarse(ticks[:-1]))
    live = Judge(gate.settings(max_s=HORIZON_S), began_at=BEGAN_AT, past=past)
    about = {"app": "shop", "tag": "v42", "attempt": 1}
    recorder = Recorder(about=about, gate=gate.as_dict(), max_s=HORIZON_S, began_at=BEGAN_AT, past=past)
    for samples in scrapes[len(ticks) :]:
        shown = change(samples) if change else samples
        shown = exposure.show(shown) if live.trips else shown
        restarts.see(shown)
        tick = _tick(shown, steps, family)
        judged = live.step(tick)
        recorder.add(tick, judged)
        if judged is not None and judged.kind == "TRIP":
            exposure.leave(shown, AWAY_S)
        last = recorder.verdicts[-1] if recorder.verdicts else None
        if last and (last.kind in ENDS or (last.kind == "PASS" and samples.at >= last.at + AFTER_PASS_S)):
            break
    recorder.odd(Notes(resets=len(restarts.found)), restarts.found)
    return recorder.record()


class Restarts:
    """Notes which pods' counters began anew, and when."""

    def __init__(self) -> None:
        self._last: dict[str, float] = {}
        self.found: list[Restart] = []

    def see(self, samples: Samples) -> None:
        for pod, now in {**samples.candidate, **samples.stable}.items():
            if samples.at > 0 and now.requests < self._last.get(pod, 0.0):
                self.found.append(Restart(BEGAN_AT + samples.at, pod))
            self._last[pod] = now.requests


def _tick(samples: Samples, steps: tuple[Steps, Steps], family: Family) -> Tick:
    ours, theirs = steps[0].of(dict(samples.candidate)), steps[1].of(dict(samples.stable))
    return Tick(BEGAN_AT + samples.at, family.interval_s, _possible(ours), _possible(theirs), EDGES)


def _possible(pods: Mapping[str, Counts]) -> dict[str, Counts]:
    """Take what a restart between two lost scrapes hid for nothing."""
    return {
        pod: one if min(one.requests, one.errors, *one.slow) >= 0 else Counts() for pod, one in pods.items()
    }


def bad_pod(samples: Samples) -> Samples:
    """Let one pod fail six requests of a hundred."""
    ours = dict(samples.candidate)
    if one := ours.get("candidate-1"):
        ours["candidate-1"] = one._replace(errors=min(one.requests, one.errors + round(one.requests * 0.06)))
    return replace(samples, candidate=ours)


def nobody(samples: Samples) -> Samples:
    """Send the candidate nothing."""
    return replace(samples, candidate=dict.fromkeys(samples.candidate, NONE))


class Silence:
    """Send the candidate nothing for two minutes."""

    def __init__(self) -> None:
        self._held: dict[str, object] = {}

    def __call__(self, samples: Samples) -> Samples:
        if 400.0 < samples.at <= 520.0:
            return replace(samples, candidate=self._held)  # type: ignore[arg-type]
        self._held.update(samples.candidate)
        return samples


CASES: Mapping[str, Callable[[], Record]] = {
    "healthy": lambda: record(SHOP, HEALTHY),
    "errors": lambda: record(replace(SHOP, errors=0.001), REGRESSIONS["errors_x10"]),
    "trip": lambda: record(SHOP, REGRESSIONS["errors_30"]),
    "return": lambda: record(replace(FAMILIES["shop-200"], candidate_pods=2, incidents=(OUTAGE,)), HEALTHY),
    "one-pod": lambda: record(SHOP, HEALTHY, change=bad_pod),
    "latency": lambda: record(SHOP, REGRESSIONS["latency_plus_50"]),
    "no-traffic": lambda: record(SHOP, HEALTHY, change=nobody),
    "restarts": lambda: record(replace(SHOP, restarts_per_h=8.0, lost=0.05), HEALTHY, change=Silence()),
    "no-errors": lambda: record(FAMILIES["direct-0"], HEALTHY),
    "few-requests": lambda: record(replace(FAMILIES["rps-1"], rate=0.5), REGRESSIONS["errors_x2"]),
}


def main(folder: Path, names: list[str]) -> None:
    """Draw some, or all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or CASES:
        (folder / f"{name}.svg").write_text(picture(CASES[name]()) + "\n")
        print(folder / f"{name}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
