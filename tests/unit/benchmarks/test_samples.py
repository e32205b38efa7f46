"""What the benchmarks make of what they saw."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks import abort, delivery, exposure, imports
from benchmarks.pod_waits import Look, is_rolling, is_starting, waited
from cd_provider.triggers.canary_loop import CanaryResult
from tests.stack.load_record import Record, Request


def answer(at: float, version: str, *, status: int = 200, latency_s: float = 0.01) -> Request:
    return Request(at=at, status=status, version=version, latency_s=latency_s, error=None)


def test_an_abort_ends_with_the_last_answer_of_the_candidate() -> None:
    record = Record([answer(at, abort.VERSION) for at in (9.5, 9.9, 10.1, 10.3)] + [answer(11, "bench-v1")])

    seen = abort.sample(CanaryResult("FAIL", "bad", decided_at=10.0, off_at=10.25), record)

    assert seen["confirmed_s"] == 0.25
    assert seen["last_answer_s"] == pytest.approx(0.31)
    assert seen["answers_before"] == 2


def test_an_answer_that_belongs_to_the_next_attempt_is_left_out() -> None:
    record = Record([answer(9.9, abort.VERSION), answer(10 + abort.AFTER_S + 1, abort.VERSION)])

    assert (
        abort.sample(CanaryResult("FAIL", "bad", decided_at=10.0, off_at=10.2), record)["last_answer_s"] == 0
    )


def test_an_abort_that_was_never_confirmed_is_counted() -> None:
    samples = [
        {"confirmed_s": confirmed, "last_answer_s": 0.1, "answers_before": 5}
        for confirmed in (0.1, None, 0.3)
    ]

    figures = {one.key: one for one in abort.report(samples).figures}

    assert figures["unconfirmed"].value == 1
    assert figures["unconfirmed"].met is False
    assert figures["slowest_s"].value == 0.3


def test_exposure_runs_from_the_first_bad_answer_to_weight_zero() -> None:
    candidate = [
        answer(2, "bad"),
        answer(3, "bad", status=500),
        answer(6, "bad"),
        answer(7, "bad", status=500),
    ]
    lost = Request(at=8, status=503, version=None, latency_s=0.1, error=None)
    event = {"kind": "FAIL", "decided_at": 7.5, "off_at": 8.01, "line": "errors"}

    seen = exposure.sample(event, Record([*candidate, lost, answer(9, "v1")]), "bad", began=1.0)

    assert (seen["exposure_s"], seen["last_answer_s"]) == (5.0, 4.0)
    assert (seen["requests"], seen["failed"]) == (4, 3)
    assert seen["verdict_after_s"] == 6.5


def test_what_users_never_saw_has_no_exposure() -> None:
    event = {"kind": "FAIL", "decided_at": 2, "off_at": 2.1, "line": ""}

    seen = exposure.sample(event, Record([answer(1.5, "v1")]), "bad", began=1)

    assert (seen["exposure_s"], seen["last_answer_s"], seen["requests"]) == (None, None, 0)


def test_a_healthy_delivery_that_was_stopped_and_a_bad_one_that_was_not_are_told() -> None:
    bad = [bad_sample(kind="FAIL"), bad_sample(kind="PASS")]
    healthy = [{"kind": "PASS", "promoted": True}, {"kind": "FAIL", "promoted": False}]

    figures = {one.key: one.value for one in exposure.report(bad, bad_sample(kind="FAIL"), healthy).figures}

    assert figures["not_stopped"] == 1
    assert figures["healthy_stopped"] == 1


def bad_sample(*, kind: str) -> dict[str, Any]:
    numbers = {"verdict_after_s": 4.0, "exposure_s": 3.0, "last_answer_s": 2.5, "requests": 10, "failed": 3}
    return {"kind": kind, "line": "", **numbers}


def test_each_stretch_of_waiting_is_one_number() -> None:
    looks = [
        Look(at, starting, False) for at, starting in enumerate([False, True, True, False, True, False, True])
    ]

    assert waited(looks, lambda look: look.starting) == [2, 1]


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        pytest.param(None, False, id="not there"),
        pytest.param({"spec": {"replicas": 1}}, True, id="no status yet"),
        pytest.param({"spec": {"replicas": 2}, "status": {"readyReplicas": 1}}, True, id="one of two"),
        pytest.param({"spec": {"replicas": 2}, "status": {"readyReplicas": 2}}, False, id="all"),
    ],
)
def test_a_candidate_starts_until_all_its_pods_are_ready(candidate: Any, expected: bool) -> None:
    assert is_starting(candidate) is expected


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        pytest.param({}, False, id="over"),
        pytest.param({"observedGeneration": 1}, True, id="not seen yet"),
        pytest.param({"replicas": 4}, True, id="an old pod is there"),
        pytest.param({"availableReplicas": 2}, True, id="one is not available"),
        pytest.param({"updatedReplicas": 1}, True, id="two are old"),
    ],
)
def test_a_rollout_is_over_when_every_pod_is_new_and_serves(changed: dict[str, int], expected: bool) -> None:
    status = {"observedGeneration": 2, "replicas": 3, "availableReplicas": 3, "updatedReplicas": 3, **changed}

    assert is_rolling({"metadata": {"generation": 2}, "spec": {"replicas": 3}, "status": status}) is expected


def task(task_id: str, began: int, ended: int) -> dict[str, Any]:
    dates = {"start_date": f"2026-01-01T00:00:{began:02}Z", "end_date": f"2026-01-01T00:00:{ended:02}Z"}
    return {"task_id": task_id, **dates}


def test_a_delivery_is_held_against_the_formula() -> None:
    tasks = [
        task("plan", 1, 2),
        task("canary", 4, 34),
        {"task_id": "never", "start_date": None, "end_date": None},
    ]

    seen = delivery.sample(task("run", 0, 40), tasks, deferrals=1, starts=[2.0, 1.0], rollouts=[3.0])

    assert seen["formula_s"] == pytest.approx(2 * 1.1 + 3.5 + 2.0 + 15)
    assert seen["rest_s"] == pytest.approx(40 - seen["formula_s"])
    assert (seen["more_pods_s"], seen["rollout_s"]) == (1.0, 3.0)
    assert seen["beyond_pods_s"] == pytest.approx(seen["rest_s"] - 4.0)
    assert seen["waits_s"] == {"plan": 1.0, "canary": 2.0}


def test_what_the_provider_costs_is_what_it_adds() -> None:
    kinds = {"airflow": 0.0, "provider": 0.03, "airflow-dag": 0.01, "provider-dag": 0.05}
    samples = [
        {
            "what": what, "airflow_s": 1.5, "added_s": added + turn / 1000, "added_cpu_s": added,
            "peak_mib": 110 + 100 * added, "modules": ["cd_provider"],
        }
        for what, added in kinds.items()
        for turn in range(3)
    ]  # fmt: skip

    figures = {one.key: one.value for one in imports.report(samples).figures}

    assert figures["import_ms"] == pytest.approx(30)
    assert figures["import_mib"] == pytest.approx(3)
    assert figures["dag_ms"] == pytest.approx(40)
    assert figures["heavy"] == 0


def test_an_sdk_that_is_loaded_is_told() -> None:
    base = {"airflow_s": 1.5, "added_s": 0.1, "added_cpu_s": 0.1, "peak_mib": 110}
    samples: list[dict[str, Any]] = [
        {"what": what, **base, "modules": []} for what in ("airflow", "airflow-dag", "provider")
    ]

    figures = imports.report(
        [*samples, {"what": "provider-dag", **base, "modules": ["kubernetes.client"]}]
    ).figures

    assert next(one for one in figures if one.key == "heavy").met is False
