"""
Imports: what the provider adds to a process that imports Airflow anyway, such as the one that parses Dags.

Each sample is a process of its own. It imports what every Dag file needs of Airflow, and then, timed by itself, what
is asked about; processes with and without the provider take turns. Memory is the difference of the peaks' medians.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.progress import Counter
from benchmarks.report import BUILD, Figure, Report
from benchmarks.summary import median

RUNS, TARGET_MS, TARGET_MIB = 11, 50.0, 10.0
ROOT = BUILD.parents[1]
DAG = ROOT / "dags" / "shop_delivery.py"
HEAVY = ("aiohttp", "docker", "httpx", "kubernetes", "kubernetes_asyncio", "requests", "slack_sdk")
PAIRS = {"import": ("airflow", "provider"), "dag": ("airflow-dag", "provider-dag")}
Sample = dict[str, Any]


def run(runs: int | None = None) -> Report:
    """Measure each of the four processes ``runs`` times, 11 unless told otherwise."""
    names = [name for pair in PAIRS.values() for name in pair]
    for name in names:  # the first of each compiles byte code and fills the page cache
        probe(name)
    counter, samples = Counter("imports, four processes", runs or RUNS), list[Sample]()
    for _ in range(runs or RUNS):
        samples += (turn := [probe(name) for name in names])
        counter.tell(
            ", ".join(f"{one['what']} {one['added_cpu_s'] * 1000:.0f} ms of CPU on top" for one in turn)
        )
    return report(samples)


def probe(name: str) -> Sample:
    """Run one probe in a process of its own."""
    argv = [sys.executable, "-m", "benchmarks.import_probe", name, str(DAG)]
    env = {**os.environ, "PYTHONPATH": str(ROOT), "AIRFLOW_HOME": str(BUILD / "airflow-home")}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return {"what": name, **json.loads(done.stdout.splitlines()[-1])}


def report(samples: Sequence[Sample]) -> Report:
    """Make the figures."""
    new = {pair: first(samples, ours)["modules"] for pair, (_, ours) in PAIRS.items()}
    heavy = sorted({name.partition(".")[0] for names in new.values() for name in names} & set(HEAVY))
    figures = [
        Figure(
            key="airflow_ms", label="importing DAG, BaseOperator, Param, TaskGroup, chain of airflow.sdk",
            value=median([one["airflow_s"] for one in samples]) * 1000, unit="ms",
        ),
        Figure(
            key="import_ms", label="cd_provider.pipelines on top", value=over(samples, "import", "added_s") * 1000,
            unit="ms", at_most=TARGET_MS,
        ),
        Figure(key="import_cpu_ms", label="… CPU time", value=over(samples, "import", "added_cpu_s") * 1000, unit="ms"),
        Figure(
            key="import_mib", label="… peak memory", value=over(samples, "import", "peak_mib"), unit="MiB",
            at_most=TARGET_MIB,
        ),
        Figure(key="import_modules", label="… modules", value=len(new["import"]), unit=""),
        Figure(
            key="dag_ms", label=f"{DAG.name}, parsed, over a Dag of six plain tasks",
            value=over(samples, "dag", "added_s") * 1000, unit="ms",
        ),
        Figure(key="dag_cpu_ms", label="… CPU time", value=over(samples, "dag", "added_cpu_s") * 1000, unit="ms"),
        Figure(key="dag_mib", label="… peak memory", value=over(samples, "dag", "peak_mib"), unit="MiB"),
        Figure(key="heavy", label="SDKs and HTTP clients that are loaded on top", value=len(heavy), unit="", at_most=0),
    ]  # fmt: skip
    notes = [
        f"Loaded on top by the import: {summary(new['import'])}.",
        *([f"HEAVY: {heavy}"] if heavy else []),
    ]
    lean = [{key: value for key, value in one.items() if key != "modules"} for one in samples]
    return Report(
        name="imports", title="Imports: the provider over Airflow itself", figures=figures, samples=lean,
        settings={"python": sys.version.split()[0], "new_modules": new}, notes=notes,
    )  # fmt: skip


def of(samples: Sequence[Sample], what: str) -> list[Sample]:
    """Give those of one kind of process."""
    return [one for one in samples if one["what"] == what]


def first(samples: Sequence[Sample], what: str) -> Sample:
    """Give one of a kind; the modules that it loads are the same each time."""
    return of(samples, what)[0]


def over(samples: Sequence[Sample], pair: str, key: str) -> float:
    """Give how much more the second of a pair needs than the first, median against median."""
    base, ours = (median([one[key] for one in of(samples, name)]) for name in PAIRS[pair])
    return float(ours - base)


def summary(names: Sequence[str]) -> str:
    """Name the packages of modules, with how many of each."""
    count: Mapping[str, int] = {}
    for name in names:
        parts = name.split(".")
        package = ".".join(
            parts[: 3 if parts[:2] == ["airflow", "providers"] else 2 if parts[0] == "airflow" else 1]
        )
        count = {**count, package: count.get(package, 0) + 1}
    return ", ".join(f"{package} ({number})" for package, number in sorted(count.items()))
