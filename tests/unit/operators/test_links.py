"""Buttons on the canary's task: what they lead to, and when there is none."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from cd_provider.core.gate import promql
from cd_provider.core.judge_gate import judge
from cd_provider.operators.canary import CanaryOperator
from cd_provider.operators.links import GatesLink, VerdictLink, verdict_url
from cd_provider.pipelines import gateway_api

JUDGE = judge(preset="demo")
BOUND = promql("errors", query="errors{pod=~'$pods'}", max=0.01)


def canary(*gates: dict[str, Any]) -> CanaryOperator:
    return CanaryOperator(
        task_id="canary", app="shop", image="shop:v2", workload="deployment/shop", namespace="shop",
        router=gateway_api(route="shop"), steps=[10], gates=list(gates),
    )  # fmt: skip


class Ti(SimpleNamespace):
    """A task instance that keeps what is pushed."""

    def __init__(self, map_index: int = -1) -> None:
        super().__init__(dag_id="shop", run_id="manual__1+00:00", task_id="shop.canary", map_index=map_index)
        self.pushed: dict[str, Any] = {}

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.pushed[key] = value


@pytest.mark.parametrize(("map_index", "end"), [(-1, ""), (2, "?map_index=2")])
def test_the_verdicts_page_is_that_of_the_task_instance(
    monkeypatch: pytest.MonkeyPatch, map_index: int, end: str
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/cd/")

    found = verdict_url(Ti(map_index))

    assert (
        found == f"https://airflow.example/cd/cd-provider/verdict/shop/manual__1%2B00%3A00/shop.canary{end}"
    )


@pytest.mark.parametrize(
    ("gates", "there"),
    [((JUDGE,), True), ((BOUND, JUDGE), True), ((BOUND,), False), ((), False)],
    ids=["judge", "both", "bound", "none"],
)
def test_there_is_a_verdict_where_there_is_a_judge(gates: Sequence[dict[str, Any]], *, there: bool) -> None:
    operator = canary(*gates)

    assert bool(VerdictLink().get_link(operator, ti_key=Ti())) is there  # type: ignore[arg-type]


def test_gates_that_cannot_be_read_are_no_reason_to_fail() -> None:
    operator = canary()
    operator.gates = "{{ nothing }}"  # type: ignore[assignment]

    assert operator.verdict_url(Ti()) == ""


def test_both_links_are_there_from_the_start_on(monkeypatch: pytest.MonkeyPatch) -> None:
    operator, ti = canary(JUDGE), Ti()
    monkeypatch.setattr(CanaryOperator.__mro__[1], "execute", lambda self, context: None)

    operator.execute({"ti": ti})  # type: ignore[typeddict-item]

    assert set(ti.pushed) == {GatesLink().xcom_key, VerdictLink().xcom_key}
    assert "/cd-provider/verdict/shop/" in ti.pushed["_link_VerdictLink"]
