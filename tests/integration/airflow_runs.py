"""Runs of deliveries under a real Airflow: started, waited for, looked at; what the tests of whole deliveries share."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from tests.integration.deliveries import Shop
from tests.stack.airflow import AirflowStack
from tests.stack.session_process import wait_until

OVER = ("success", "failed", "skipped", "upstream_failed")
Start = Callable[..., "Delivery"]


@dataclass
class Delivery:
    """One run of one Dag, and the shop it is for."""

    airflow: AirflowStack
    shop: Shop
    dag_id: str
    run_id: str

    def states(self) -> dict[str, str | None]:
        """Give the state of each task, named without its group."""
        found = self.airflow.api().states(self.dag_id, self.run_id)
        return {task_id.removeprefix("shop."): state for task_id, state in found.items()}

    def wait_for(self, task: str, *states: str, timeout_s: float = 240) -> None:
        """Wait until a task is in one of these states."""
        wait(
            lambda: self.states().get(task) in states,
            f"{task} is {states}: {self.states}",
            timeout_s=timeout_s,
        )

    def on_traffic(self, weight: int = 10) -> None:
        """Wait until users reach the candidate; asks the cluster alone, since Airflow may hang meanwhile."""
        wait(lambda: self._weight() == weight, f"weight {weight}", timeout_s=240)

    def off_traffic(self) -> None:
        """Wait until no user reaches a candidate."""
        wait(lambda: not self._weight(), "weight 0")

    def _weight(self) -> int | None:
        return self.shop.weights().get("shop-candidate")

    def gone(self) -> None:
        """Wait until nothing is left of a candidate."""
        wait(lambda: self.shop.weights() == {"shop": 1}, "the route as it was")
        wait(lambda: self.shop.read("deployment", "shop-candidate") is None, "no candidate")

    def end(self, timeout_s: float = 360) -> str:
        """Wait for the run's end, and give its colour."""
        run = self.airflow.api().wait(self.dag_id, self.run_id, timeout_s=timeout_s)
        return str(run["state"])

    def xcom(self, task: str, key: str = "return_value") -> Any:
        """Read what a task left."""
        return self.airflow.api().xcom(self.dag_id, self.run_id, f"shop.{task}", key)

    def kill_worker(self, task: str) -> bool:
        """
        Kill -9 the processes that run a task, as soon as there are both; false when it is over before.

        The task names itself only after Airflow has written down that it runs. Killed before that it stays
        queued for ever under LocalExecutor, which cannot take a task back. A task that only defers runs for some
        tenths of a second: Airflow is asked now and then, /proc all the time.
        """
        api, found = self.airflow.api(), list[int]()

        def caught() -> bool:
            there = api.task_instance(self.dag_id, self.run_id, f"shop.{task}")
            if there["state"] in OVER:
                return True

            def both() -> bool:
                found[:] = self.airflow.pids_of(there["id"])
                return len(found) == 2

            return wait_until(both, timeout_s=0.5, every_s=0.02)

        wait(caught, f"a worker of {task}", timeout_s=240, every_s=0.0)
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return len(found) == 2


def wait(condition: Callable[[], Any], what: str, *, timeout_s: float = 120, every_s: float = 0.25) -> None:
    """Wait for a condition; a deadline ends it."""
    met = wait_until(lambda: bool(condition()), timeout_s=timeout_s, every_s=every_s)
    assert met, f"not within {timeout_s:g} s: {what}"
