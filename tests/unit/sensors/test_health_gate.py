"""The sensor: what it hands to the trigger, and what each end means for the task."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.bases.operator import TRIGGER_FAIL_REPR, TriggerFailureReason
from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

from cd_provider.core.before_after import before_after
from cd_provider.core.gate import promql
from cd_provider.core.health_order import HealthOrder
from cd_provider.core.judge_gate import judge
from cd_provider.exceptions import ArgumentError
from cd_provider.sensors.health_gate import HealthGateSensor
from cd_provider.triggers.health_gate import HealthGateTrigger

NOW = 1_700_000_000.0
BOUND = promql("errors", query='bad{job="$candidate"}', max=0.01)
ROWS = before_after("rows", total="rows", bad="bad")


class TaskInstance:
    """Keeps what is pushed."""

    def __init__(self) -> None:
        self.xcoms: dict[str, Any] = {}

    def xcom_push(self, *, key: str, value: Any) -> None:
        self.xcoms[key] = value


@pytest.fixture
def ti(monkeypatch: pytest.MonkeyPatch) -> TaskInstance:
    monkeypatch.setattr("time.time", lambda: NOW)
    return TaskInstance()


def sensor(*gates: dict[str, Any], **more: Any) -> HealthGateSensor:
    given = {"candidate": "load", "gates": list(gates) or [BOUND], **more}
    return HealthGateSensor(task_id="healthy", **given)


def context(ti: TaskInstance) -> Any:
    return {"ti": ti}


def deferred(task: HealthGateSensor, ti: TaskInstance) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as raised:
        task.execute(context(ti))
    return raised.value


def event(kind: str, **more: Any) -> dict[str, Any]:
    usual = {"line": f"{kind} 00:01:00: said", "at": 60.0, "lane": "", "reason": "", "need": ""}
    return {"kind": kind, **usual, **more}


def test_it_waits_in_the_triggerer_with_absolute_times(ti: TaskInstance) -> None:
    request = deferred(sensor(max_s="10m"), ti)

    assert isinstance(request.trigger, HealthGateTrigger)
    order = HealthOrder.parse(json.loads(json.dumps(request.trigger.order)))
    assert (order.began_at, order.until) == (NOW, NOW + 600)
    assert request.timeout is not None
    assert request.timeout > timedelta(seconds=600)


@pytest.mark.parametrize("kind", ["PASS", "OBSERVED"])
def test_a_pass_is_success_and_its_record_is_plain(ti: TaskInstance, kind: str) -> None:
    given = event(kind)

    assert sensor().execute_complete(context(ti), given) == given
    assert ti.xcoms["result"] == given


@pytest.mark.parametrize("kind", ["FAIL", "ERROR"])
def test_a_fail_is_for_good(ti: TaskInstance, kind: str) -> None:
    with pytest.raises(AirflowFailException, match=f"{kind} 00:01:00"):
        sensor().execute_complete(context(ti), event(kind))

    assert ti.xcoms["result"]["kind"] == kind


@pytest.mark.parametrize("kind", ["INCONCLUSIVE", "NO_DATA"])
def test_what_is_not_known_keeps_the_retries(ti: TaskInstance, kind: str) -> None:
    with pytest.raises(AirflowException, match="Needed: about 900 requests") as raised:
        sensor().execute_complete(context(ti), event(kind, need="about 900 requests"))

    assert type(raised.value) is AirflowException
    assert ti.xcoms["result"]["kind"] == kind


def test_a_kind_that_nobody_knows_is_no_success(ti: TaskInstance) -> None:
    with pytest.raises(AirflowException):
        sensor().execute_complete(context(ti), event("SUCCESS"))


def test_a_triggerer_that_never_spoke_keeps_the_retries(ti: TaskInstance) -> None:
    late = {"error": TriggerFailureReason.TRIGGER_TIMEOUT}

    with pytest.raises(AirflowException, match="NO_DATA") as raised:
        sensor().resume_execution(TRIGGER_FAIL_REPR, late, context(ti))
    assert type(raised.value) is AirflowException


@pytest.mark.parametrize("word", ["soft_fail", "never_fail"])
def test_what_would_skip_is_refused(word: str) -> None:
    with pytest.raises(ArgumentError, match="they would skip what could not be judged"):
        sensor(**{word: True})


def test_a_wrong_gate_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ArgumentError, match="cannot fail"):
        sensor({"kind": "promql", "name": "errors", "query": "bad{job='$candidate'}"})
    with pytest.raises(ArgumentError, match="saw no `stable`"):
        sensor(judge(preset="envoy"))


def test_a_moment_in_a_parsed_dag_is_checked_when_it_runs(ti: TaskInstance) -> None:
    long_ago = sensor({**ROWS, "moment": NOW - 100})
    deferred(long_ago, ti)
    late = sensor({**ROWS, "moment": NOW + 10**6})

    with pytest.raises(AirflowFailException, match="expected one before the watch is over"):
        late.execute(context(ti))


def test_templates_are_checked_when_they_are_rendered(ti: TaskInstance) -> None:
    task = sensor({**ROWS, "moment": "{{ ts }}"}, max_s="{{ params.s }}")
    task.gates, task.max_s = json.dumps([{**ROWS, "moment": "2023-11-14T22:00:00+00:00"}]), "soon"

    with pytest.raises(AirflowFailException, match="max_s: saw 'soon'"):
        task.execute(context(ti))
    assert {"gates", "candidate", "max_s"} <= set(HealthGateSensor.template_fields)


def test_without_deferring_it_watches_in_the_worker(
    ti: TaskInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    prometheus = {"conn_type": "oops"}
    monkeypatch.setenv("AIRFLOW_CONN_PROMETHEUS_DEFAULT", json.dumps(prometheus))

    with pytest.raises(AirflowFailException, match="ERROR"):
        sensor(deferrable=False).execute(context(ti))
