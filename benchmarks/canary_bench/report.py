"""What a judge did, in figures: how often it was wrong, how much it saw, how long it took."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from statistics import fmean
from typing import Any

from benchmarks.canary_bench.families import FAMILIES
from benchmarks.canary_bench.measures import (
    censored_s,
    detected,
    ever_detected,
    failed,
    not_promoted,
    pass_times,
    passed,
    seconds_to_fail,
    seconds_to_off,
    tripped,
    unclear,
)
from benchmarks.canary_bench.outcome import Outcome
from benchmarks.canary_bench.regressions import HARMFUL, QUICK
from benchmarks.canary_bench.run import Plan, Row
from benchmarks.canary_bench.wilson import wilson
from benchmarks.summary import median

REFERENCE = "kayenta5"
QUICK_RPS, PROMOTED_RPS = 20.0, 5.0
"""Candidate requests per second from which on ``healthy_pass_median_s`` and ``healthy_not_promoted_pct`` count."""

Cells = Mapping[tuple[str, str], Sequence[Outcome]]
"""(family, regression) → what one judge did in each run."""


def as_dict(plan: Plan, rows: Iterable[Row]) -> dict[str, Any]:
    """Give plain JSON."""
    by_judge: dict[str, dict[tuple[str, str], list[Outcome]]] = defaultdict(lambda: defaultdict(list))
    made: list[float] = []
    for row in rows:
        made.append(row.made_s)
        by_judge[row.judge][row.family, row.regression].append(row.outcome)
    reference = by_judge.get(REFERENCE)
    return {
        "seed": plan.seed,
        "runs": plan.runs,
        "harmful_runs": plan.harmful_runs,
        "families": list(plan.families),
        "generate_ms": round(1000.0 * fmean(made), 1),
        "judges": {name: figures(by_judge[name], reference) for name in plan.judges},
    }


def figures(cells: Cells, reference: Cells | None) -> dict[str, Any]:
    """Give one judge's figures; shares in per cent, each family weighing the same; None where nothing was run."""
    harmful = [
        one.name for one in (*HARMFUL, *QUICK) if any(regression == one.name for _, regression in cells)
    ]
    healthy = {family: runs for (family, regression), runs in cells.items() if regression == "healthy"}
    at_ignore = worst({family: runs for (family, name), runs in cells.items() if name == "at_ignore"})
    return {
        "healthy_fail_pct": mean_pct(healthy.values(), failed),
        "healthy_fail_interval_pct": interval_pct(healthy.values(), failed),
        "healthy_inconclusive_pct": mean_pct(healthy.values(), unclear),
        "healthy_trip_pct": mean_pct(healthy.values(), tripped),
        "healthy_not_promoted_pct": mean_pct(busy(healthy, PROMOTED_RPS), not_promoted),
        "worst_family": worst(healthy),
        "worst_family_two_sided": worst(two_sided(healthy)),
        "by_family": {family: by_family(runs) for family, runs in healthy.items()},
        "detected_pct": {name: mean_pct(of(cells, name), detected(name)) for name in harmful},
        "detected_interval_pct": {name: interval_pct(of(cells, name), detected(name)) for name in harmful},
        "detected_any_pct": {name: mean_pct(of(cells, name), ever_detected(name)) for name in harmful},
        "wrong_pass_pct": {name: mean_pct(of(cells, name), passed) for name in harmful},
        "inconclusive_pct": {name: mean_pct(of(cells, name), unclear) for name in harmful},
        "median_s": {name: median_s(cells, name, seconds_to_fail) for name in harmful},
        "median_off_s": {name: median_s(cells, name, seconds_to_off) for name in harmful},
        "healthy_pass_median_s": healthy_pass_median_s(healthy),
        "at_ignore_fail_pct": at_ignore and at_ignore["fail_pct"],
        "at_ignore_worst_family": at_ignore,
        "cpu_ms": cpu_ms(cells),
        "begin_ms": begin_ms(cells),
        "time_ratio_vs_kayenta5": time_ratio(cells, reference, harmful) if reference else None,
    }


def of(cells: Cells, regression: str) -> list[Sequence[Outcome]]:
    return [runs for (_, name), runs in cells.items() if name == regression]


def two_sided(healthy: Mapping[str, Sequence[Outcome]]) -> dict[str, Sequence[Outcome]]:
    """Leave out families in which something happens to one side only."""
    return {family: runs for family, runs in healthy.items() if not FAMILIES[family].one_sided}


def busy(healthy: Mapping[str, Sequence[Outcome]], rps: float) -> list[Sequence[Outcome]]:
    """Keep the families whose candidate has so many requests a second at its last weight."""
    return [runs for family, runs in healthy.items() if FAMILIES[family].candidate_rate >= rps]


def pct(runs: Sequence[Outcome], what: Callable[[Outcome], bool]) -> float:
    return 100.0 * sum(map(what, runs)) / len(runs)


def mean_pct(families: Iterable[Sequence[Outcome]], what: Callable[[Outcome], bool]) -> float | None:
    shares = [pct(runs, what) for runs in families]
    return round(fmean(shares), 2) if shares else None


def interval_pct(families: Iterable[Sequence[Outcome]], what: Callable[[Outcome], bool]) -> list[float]:
    """Give the Wilson interval of all runs together."""
    together = [one for runs in families for one in runs]
    return [round(100.0 * end, 2) for end in wilson(sum(map(what, together)), len(together))]


def worst(families: Mapping[str, Sequence[Outcome]]) -> dict[str, Any] | None:
    """Give the family in which most runs were failed."""
    if not families:
        return None
    name, runs = max(families.items(), key=lambda item: pct(item[1], failed))
    upper = wilson(sum(map(failed, runs)), len(runs))[1]
    return {"name": name, "fail_pct": round(pct(runs, failed), 2), "upper_pct": round(100.0 * upper, 2)}


def by_family(runs: Sequence[Outcome]) -> dict[str, Any]:
    kinds = {"fail": failed, "inconclusive": unclear, "trip": tripped}
    return {
        **{f"{kind}_pct": round(pct(runs, what), 2) for kind, what in kinds.items()},
        "pass_median_s": finite(median(pass_times(runs))),
    }


def median_s(cells: Cells, regression: str, seconds: Callable[[Outcome, str], float | None]) -> float | None:
    """Give the median over all runs of ``seconds`` since the candidate turned bad; None when most were not stopped."""
    found = [seconds(one, regression) for runs in of(cells, regression) for one in runs]
    return finite(median([math.inf if time is None else time for time in found])) if found else None


def healthy_pass_median_s(healthy: Mapping[str, Sequence[Outcome]]) -> float | None:
    """Give the median family's median time to PASS; families with traffic enough."""
    medians = [median(pass_times(runs)) for runs in busy(healthy, QUICK_RPS)]
    return finite(median(medians)) if medians else None


def finite(value: float | None) -> float | None:
    return None if value is None or math.isinf(value) else round(value, 1)


def cpu_ms(cells: Cells) -> float:
    """Give the milliseconds of a core that one look takes."""
    every = [one.cost for runs in cells.values() for one in runs]
    return round(1000.0 * sum(one.cpu_s for one in every) / sum(one.looks for one in every), 4)


def begin_ms(cells: Cells) -> float:
    """Give the milliseconds of a core that it takes to begin a run; what is simulated before is read there."""
    return round(1000.0 * fmean(one.cost.begin_s for runs in cells.values() for one in runs), 2)


def time_ratio(cells: Cells, reference: Cells, harmful: Sequence[str]) -> float | None:
    """
    Give the geometric mean, over families and regressions, of our mean time to detection over the reference's.

    What was not detected counts as the whole run; both count from the second in which the candidate turned bad.
    """
    logs = [
        math.log(censored_s(runs, name) / censored_s(reference[family, name], name))
        for (family, name), runs in cells.items()
        if name in harmful
    ]
    return round(math.exp(fmean(logs)), 3) if logs else None
