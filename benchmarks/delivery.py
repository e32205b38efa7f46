"""
Delivery: a whole one under a real Airflow at stock settings, against what Airflow itself takes for such a Dag.

Airflow's own price is 1.1 s for each task in a row and 3.5 s for each deferral. With the time for the candidate's
first pod and for the steps that is what a delivery cannot do without; the rest is ours, or is named below it.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.pod_waits import PodWatcher, waited
from benchmarks.progress import Counter, say
from benchmarks.report import BUILD, Figure, Report
from benchmarks.summary import median
from benchmarks.world import running_shop, running_stack
from tests.integration.deliveries import Shop, connections
from tests.stack.airflow import AirflowStack
from tests.stack.images import push_shop
from tests.stack.slack_double import SlackDouble

if TYPE_CHECKING:
    from tests.stack import Stack

RUNS, TARGET_S, DAG_ID = 3, 10.0, "bench_delivery"
TASK_S, DEFERRAL_S, STEPS_S, DRAIN_S = 1.1, 3.5, 15.0, 5.0
RATE_PER_S = 50
FORMULA = f"{TASK_S} s × tasks + {DEFERRAL_S} s × deferrals + pod start + steps"
SETTINGS = {"formula": FORMULA, "steps_s": STEPS_S, "requests_per_s": RATE_PER_S, "database": "sqlite"}


def run(runs: int | None = None) -> Report:
    """Measure ``runs`` deliveries, 3 unless told otherwise, after one that warms the triggerer up."""
    total = runs or RUNS
    with ExitStack() as opened:
        stack = opened.enter_context(running_stack())
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory()))
        images = [push_shop(stack, version) for version in ("bench-v1", "bench-v2")]
        shop = opened.enter_context(running_shop(stack, images[0]))
        airflow = opened.enter_context(running_airflow(stack, shop))
        opened.enter_context(shop.load(folder, rate_per_s=RATE_PER_S))
        say("one delivery first, so that the triggerer is warm")
        deliver(airflow, shop, images[1])
        counter, samples = Counter("delivery", total), []
        for number in range(total):
            samples.append(one := deliver(airflow, shop, images[number % 2]))
            counter.tell(
                f"{one['run_s']:.1f} s, formula {one['formula_s']:.1f} s, rest {one['rest_s']:.1f} s"
            )
    return report(samples)


@contextmanager
def running_airflow(stack: Stack, shop: Shop) -> Iterator[AirflowStack]:
    """A new Airflow at stock settings, with connections for this shop."""
    with SlackDouble() as slack:
        known = connections(stack, shop.kubeconfig)
        known["slack_default"] = {
            "conn_type": "slack",
            "password": slack.token,
            "extra": {"base_url": slack.url},
        }
        airflow = AirflowStack(
            home=BUILD / "airflow", dags_folder=Path(__file__).parent / "dags", port=0, database="sqlite",
            connections=known, stock_settings=True, progress=say,
        )  # fmt: skip
        airflow.remove()  # what an interrupted benchmark left
        airflow.start()
        try:
            yield airflow
        finally:
            airflow.stop()


def deliver(airflow: AirflowStack, shop: Shop, image: str) -> dict[str, Any]:
    """Deliver one image from the trigger to the end of the run; it has to be promoted."""
    deferred: list[str] = []

    def note(task: Mapping[str, Any]) -> None:
        if task["state"] == "deferred":
            deferred.append(task["task_id"])

    api, conf = airflow.api(), {"image": image, "namespace": shop.namespace}
    with PodWatcher(shop.stack.kubeconfig, shop.namespace) as watcher:
        ended = api.run(DAG_ID, conf, timeout_s=600, on_change=note)
    tasks = api.task_instances(DAG_ID, ended["dag_run_id"])
    if ended["state"] != "success":
        raise RuntimeError(
            f"the delivery is {ended['state']}: { {one['task_id']: one['state'] for one in tasks} }"
        )
    starts, rollouts = (
        waited(watcher.looks, lambda look: look.starting),
        waited(watcher.looks, lambda look: look.rolling),
    )
    return sample(ended, tasks, deferrals=len(deferred), starts=starts, rollouts=rollouts)


def sample(
    run: Mapping[str, Any],
    tasks: Sequence[Mapping[str, Any]],
    *,
    deferrals: int,
    starts: Sequence[float],
    rollouts: Sequence[float],
) -> dict[str, Any]:
    """Put a run beside the formula; the candidate's first start is in it, later pods are named by themselves."""
    ran = [one for one in tasks if one["start_date"]]
    run_s, pod_start_s = seconds(run), starts[0] if starts else 0.0
    formula_s = TASK_S * len(ran) + DEFERRAL_S * deferrals + pod_start_s + STEPS_S
    return {
        "run_s": round(run_s, 2),
        "formula_s": round(formula_s, 2),
        "rest_s": round(run_s - formula_s, 2),
        "tasks": len(ran),
        "deferrals": deferrals,
        "pod_start_s": round(pod_start_s, 2),
        "more_pods_s": round(sum(starts[1:]), 2),
        "rollout_s": round(sum(rollouts), 2),
        "beyond_pods_s": round(run_s - formula_s - sum(starts[1:]) - sum(rollouts), 2),
        "tasks_s": {one["task_id"]: round(seconds(one), 2) for one in ran},
        "waits_s": waits(run, ran),
    }


def seconds(thing: Mapping[str, Any]) -> float:
    """Give how long a run or a task took, by its own dates."""
    return moment(thing["end_date"]) - moment(thing["start_date"])


def moment(text: str) -> float:
    """Read a date of Airflow's as epoch seconds."""
    return datetime.fromisoformat(text).timestamp()


def waits(run: Mapping[str, Any], tasks: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Give how long each task came after the one before it, or after the beginning of the run."""
    ends = [moment(run["start_date"]), *(moment(one["end_date"]) for one in tasks)]
    return {
        one["task_id"]: round(moment(one["start_date"]) - end, 2)
        for one, end in zip(tasks, ends, strict=False)
    }


def report(samples: Sequence[Mapping[str, Any]]) -> Report:
    """Make the figures: medians, but for the rest, of which the worst counts."""

    def middle(key: str) -> float:
        return median([one[key] for one in samples])

    figures = [
        Figure(key="deliveries", label="deliveries", value=len(samples), unit=""),
        Figure(key="run_s", label="Dag run, median", value=middle("run_s")),
        Figure(key="tasks", label=f"… tasks, {TASK_S} s each", value=middle("tasks"), unit=""),
        Figure(
            key="deferrals", label=f"… deferrals, {DEFERRAL_S} s each", value=middle("deferrals"), unit=""
        ),
        Figure(key="pod_start_s", label="… start of the candidate's first pod", value=middle("pod_start_s")),
        Figure(key="steps_s", label="… steps", value=STEPS_S),
        Figure(key="formula_s", label=f"= {FORMULA}", value=middle("formula_s")),
        Figure(key="rest_s", label="the rest, median", value=middle("rest_s"), at_most=TARGET_S),
        Figure(key="rest_max_s", label="the rest, the longest", value=max(one["rest_s"] for one in samples)),
        Figure(key="rollout_s", label="… of which stable's rollout, three pods", value=middle("rollout_s")),
        Figure(
            key="more_pods_s",
            label="… of which start of the candidate's other pods",
            value=middle("more_pods_s"),
        ),
        Figure(
            key="beyond_pods_s",
            label="… the rest when every wait for a pod counts as pod start",
            value=middle("beyond_pods_s"),
        ),
        Figure(key="drain_s", label="… of which drain before the candidate goes", value=DRAIN_S),
    ]
    return Report(
        name="delivery", title="A whole delivery: stock Airflow, SQLite, triggerer warm, steps of 5 s",
        figures=figures, samples=samples, settings=SETTINGS,
        notes=["Where the time went, task by task, is in the samples: tasks_s is each one's own, waits_s before it."],
    )  # fmt: skip
