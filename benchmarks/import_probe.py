"""
Import one thing in a process of its own, and print what that took as JSON.

``python -m benchmarks.import_probe airflow|provider|airflow-dag|provider-dag FILE``. What every Dag file imports of
Airflow comes first in each; the rest is what this process adds, timed by itself.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def airflow() -> None:
    """Nothing more than what every Dag file needs."""


def provider() -> None:
    """All words that the provider has for Dag files."""
    importlib.import_module("cd_provider.pipelines")


def airflow_dag() -> None:
    """A Dag of the shape of a delivery, made of Airflow's own operator."""
    from airflow.sdk import DAG, BaseOperator, Param, TaskGroup, chain

    with DAG("plain", schedule=None, params={"image": Param("", type="string")}), TaskGroup("shop"):
        chain(*(BaseOperator(task_id=f"task_{number}") for number in range(6)))


def provider_dag() -> None:
    """A Dag file of a delivery, parsed."""
    path = Path(sys.argv[2])
    exec(compile(path.read_text(), path, "exec"), {"__name__": "dag", "__doc__": ""})


PROBES: dict[str, Callable[[], None]] = {
    "airflow": airflow, "provider": provider, "airflow-dag": airflow_dag, "provider-dag": provider_dag,
}  # fmt: skip


def peak_mib() -> float:
    """Read the peak of this process's memory; ``getrusage`` would also count its parent's before exec."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024


def measure(name: str) -> dict[str, Any]:
    """Run one probe; ``modules`` are those that it has loaded over Airflow's."""
    began = time.perf_counter()
    from airflow.sdk import DAG, BaseOperator, Param, TaskGroup, chain  # noqa: F401

    before, base, base_cpu = frozenset(sys.modules), time.perf_counter(), time.process_time()
    PROBES[name]()
    took = {"added_s": time.perf_counter() - base, "added_cpu_s": time.process_time() - base_cpu}
    modules = sorted(set(sys.modules) - before)
    return {"airflow_s": base - began, **took, "peak_mib": peak_mib(), "modules": modules}


if __name__ == "__main__":
    print(json.dumps(measure(sys.argv[1])))
