"""One delivery, driven and followed through Airflow's REST API, as a person at the UI would."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any

import httpx

from tests.demo.figures import ABORTED, PROMOTED, Evidence
from tests.demo.observer import Observer
from tests.demo.screen import Screen, View
from tests.demo.world import DAG_ID, NAMESPACE, World
from tests.stack.airflow_api import DONE, AirflowApi, AirflowApiError
from tests.stack.load import Load

CANARY = "shop.canary"
EVERY_S = 0.5


def deliver(
    world: World, load: Load, screen: Screen, version: str, *, step_s: float, timeout_s: float = 600
) -> Evidence:
    """
    Press *Trigger*, show what happens until the run has ended, and give what was recorded.

    :raises AirflowApiError: it did not end in time.
    """
    api = world.airflow.api()
    image = f"{world.stack.registry}/shop:{version}"
    with Observer(world.stack.kubeconfig, NAMESPACE) as observer:
        api.unpause(DAG_ID)
        began = time.time()
        run_id = api.trigger(DAG_ID, {"image": image, "step_s": step_s})
        screen.say(f"{image}: {world.airflow.url}/dags/{DAG_ID}/runs/{run_id}")
        follower = Follower(api, run_id, version, load, observer, screen)
        with screen.watching():
            run = follower.follow(until=began + timeout_s)
    result = api.xcom(DAG_ID, run_id, CANARY, "result") or {}
    return Evidence(
        version=version, verdict=_verdict(world, version, run), run=run, samples=observer.samples,
        record=load.record().between(began), decided_at=result.get("decided_at"), line=result.get("line", ""),
    )  # fmt: skip


def task_order(api: AirflowApi) -> list[str]:
    """The Dag's tasks, each behind those that it waits for."""
    order = TopologicalSorter[str]()
    for task in sorted(api.tasks(DAG_ID), key=lambda task: task["task_id"] != CANARY):
        order.add(task["task_id"])
        for after in task["downstream_task_ids"]:
            order.add(after, task["task_id"])
    return list(order.static_order())


@dataclass
class Follower:
    """What is looked at, again and again, while a run runs."""

    api: AirflowApi
    run_id: str
    version: str
    load: Load
    observer: Observer
    screen: Screen

    def follow(self, *, until: float) -> dict[str, Any]:
        """
        Show each change until the run has ended, and give it. An Airflow too busy to answer is asked again.

        :raises AirflowApiError: it has not ended at ``until``, epoch seconds.
        """
        began, view = (
            time.time(),
            View(f"delivery of shop:{self.version}", dict.fromkeys(task_order(self.api))),
        )
        while True:
            with suppress(httpx.TransportError):
                run = self.api.dag_run(DAG_ID, self.run_id)
                view = self._look(view, began)
                self.screen.show(view)
                if run["state"] in DONE:
                    return run
            if time.time() > until:
                raise AirflowApiError(f"{self.run_id} has not ended: {view.tasks}")
            time.sleep(EVERY_S)

    def _look(self, before: View, began: float) -> View:
        return View(
            before.title,
            before.tasks | self.api.states(DAG_ID, self.run_id),
            self.observer.weight,
            _line(self.api, self.run_id) or before.line,
            _answers(self.load, self.version, began),
            time.time() - began,
        )


def _line(api: AirflowApi, run_id: str) -> str:
    progress = api.xcom(DAG_ID, run_id, CANARY, "progress")
    result = api.xcom(DAG_ID, run_id, CANARY, "result")
    if result:
        return f"{result['kind']}: {result['line']}"
    return str(progress["line"]) if progress else ""


def _answers(load: Load, version: str, since: float) -> str:
    figures = load.record().between(since).per_version().get(version)
    return (
        f"{figures['requests']} answers, {figures['failed']} of them errors" if figures else "no answers yet"
    )


def _verdict(world: World, version: str, run: dict[str, Any]) -> str:
    """
    Say how it ended, by run and cluster alike.

    :raises AssertionError: they disagree: green without the new image, or red with it.
    """
    runs_it = world.stable_image() == world.images[version]
    green = run["state"] == "success"
    assert runs_it == green, f"the run of {version} is {run['state']}, but stable runs {world.stable_image()}"
    return PROMOTED if green else ABORTED
