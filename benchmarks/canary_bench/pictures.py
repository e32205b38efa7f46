"""
Pictures of what a judge saw in simulated canaries, those of the docs among them.

``python -m benchmarks.canary_bench.pictures FOLDER [NAME …]`` draws them as the product does, from a record.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.canary_bench.families import FAMILIES
from benchmarks.canary_bench.family import Family, Incident
from benchmarks.canary_bench.generate import record
from benchmarks.canary_bench.judges.ours import HISTORY_S, Ticks, idle, past
from benchmarks.canary_bench.regressions import HEALTHY, REGRESSIONS, Regression
from benchmarks.canary_bench.samples import HORIZON_S
from benchmarks.canary_bench.scrape import Counted
from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.judge import ENDS, Judge
from cd_provider.core.judge.picture import picture
from cd_provider.core.judge.record import Record, Recorder
from cd_provider.core.judge.series import Notes, Restart
from cd_provider.core.judge.settings import AWAY_S
from cd_provider.core.judge_gate import JudgeGate, judge

SEED, BEGAN_AT = 7, 1_764_150_000.0
AFTER_PASS_S = 120.0  # that are still drawn
SHOP = replace(FAMILIES["shop-50"], candidate_pods=3)
OUTAGE = Incident(on="candidate", pods=2, for_s=20.0, errors_to=(0.5, 0.8))
Change = Callable[[Tick], Tick]


def judged(family: Family, regression: Regression, *, run: int = 0, change: Change | None = None) -> Record:
    """
    Judge one simulated canary as a delivery does, and give its record.

    :param change: what is shown instead of a tick.
    """
    gate = JudgeGate.parse(judge(preset="otel_http_server"))
    made = record(family, regression, seed=SEED, run=run, history_s=HISTORY_S)
    known, ticks = past(made), Ticks(made)
    live = Judge(gate.settings(max_s=HORIZON_S), began_at=BEGAN_AT, past=known)
    about = {"app": "shop", "tag": "v42", "attempt": 1}
    recorder = Recorder(about=about, gate=gate.as_dict(), max_s=HORIZON_S, began_at=BEGAN_AT, past=known)
    ended_at = HORIZON_S
    for shown in ticks:
        tick = change(shown) if change else shown
        tick = replace(tick, at=BEGAN_AT + tick.at)
        said = live.step(tick)
        recorder.add(tick, said)
        if said is not None and said.kind == "TRIP":
            ticks.leave(AWAY_S)
        last = recorder.verdicts[-1] if recorder.verdicts else None
        if last and (last.kind in ENDS or (last.kind == "PASS" and shown.at >= last.at + AFTER_PASS_S)):
            ended_at = shown.at
            break
    found = [one for one in restarts(made.live) if one.at <= BEGAN_AT + ended_at]
    recorder.odd(Notes(resets=len(found)), found)
    return recorder.record()


def restarts(seen: Counted) -> Iterator[Restart]:
    """Give which pods' counters began anew, and when."""
    requests = seen.totals[..., -1]
    for number in range(1, len(requests)):
        for pod, name in enumerate(seen.pods.names):
            if requests[number, pod] < requests[number - 1, pod]:
                yield Restart(BEGAN_AT + float(seen.at[number]), name)


def bad_pod(tick: Tick) -> Tick:
    """Let one pod fail six requests of a hundred."""
    ours = dict(tick.candidate)
    if one := ours.get("candidate-1"):
        errors = min(
            one.requests, one.errors + float(round(0.06 * one.requests + 0.3 * (tick.at % 10.0 < 5.0)))
        )
        ours["candidate-1"] = replace(one, errors=errors)
    return replace(tick, candidate=ours)


def nobody(tick: Tick) -> Tick:
    """Send the candidate nothing."""
    return replace(tick, candidate=idle(tick))


def silent(tick: Tick) -> Tick:
    """Send the candidate nothing for two minutes."""
    return nobody(tick) if 400.0 < tick.at <= 520.0 else tick


CASES: Mapping[str, Callable[[], Record]] = {
    "healthy": lambda: judged(SHOP, HEALTHY),
    "errors": lambda: judged(replace(SHOP, errors=0.001), REGRESSIONS["errors_x10"]),
    "trip": lambda: judged(SHOP, REGRESSIONS["errors_30"]),
    "return": lambda: judged(replace(FAMILIES["shop-200"], candidate_pods=2, incidents=(OUTAGE,)), HEALTHY),
    "one-pod": lambda: judged(SHOP, HEALTHY, change=bad_pod),
    "latency": lambda: judged(SHOP, REGRESSIONS["latency_plus_50"]),
    "no-traffic": lambda: judged(SHOP, HEALTHY, change=nobody),
    "restarts": lambda: judged(replace(SHOP, restarts_per_h=8.0, lost=0.05), HEALTHY, change=silent),
    "no-errors": lambda: judged(FAMILIES["direct-0"], HEALTHY),
    "few-requests": lambda: judged(replace(FAMILIES["rps-1"], rate=0.5), REGRESSIONS["errors_x2"]),
}


def main(folder: Path, names: list[str]) -> None:
    """Draw some, or all."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in names or CASES:
        (folder / f"{name}.svg").write_text(picture(CASES[name]()) + "\n")
        print(folder / f"{name}.svg")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2:])
