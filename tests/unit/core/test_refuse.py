from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cd_provider.core.gate import Gate, promql
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.names import CANDIDATE, RECORD, SIDE, compact
from cd_provider.core.refuse import blind_gates, long_names, owners, pick_container, refusals, strangers
from cd_provider.core.release import Record, Release
from cd_provider.core.traffic import Step
from cd_provider.core.workload import WorkloadState
from cd_provider.exceptions import ArgumentError

RELEASE = Release(
    app="shop", image="shop@sha256:2", digests=(), tag=None, delivery="d", asked_at=1000.0, dag_id="d", run_id="new"
)  # fmt: skip
STABLE = WorkloadState(
    generation=1, observed=1, wanted=3, updated=3, ready=3, available=3, total=3, images={"shop": "shop:v1"}
)


def found(*, allow_downgrade: bool = False, stable_may_be_broken: bool = False, **changed: Any) -> list[str]:
    return refusals(
        RELEASE,
        replace(STABLE, **changed),
        where="deployment/shop in web",
        allow_downgrade=allow_downgrade,
        stable_may_be_broken=stable_may_be_broken,
    )


def record(asked_at: float) -> dict[str, str]:
    release = {**RELEASE.as_dict(), "asked_at": asked_at, "image": "shop@sha256:3", "run_id": "newest"}
    return {RECORD: compact(Record(release, {"shop": "shop:v1"}, "promoted", 1.0).as_dict())}


# --- the workload -------------------------------------------------------------------------------------------


def test_nothing_speaks_against_a_healthy_workload() -> None:
    assert found() == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"ready": 0}, "has no ready pod", id="broken"),
        pytest.param({"paused": True}, "is paused", id="paused"),
        pytest.param({"updated": 2}, "is busy", id="a rollout under way"),
        pytest.param({"generation": 2}, "is busy", id="a change that nobody has acted on"),
        pytest.param({"annotations": record(1000.5)}, "by run newest", id="older release"),
        pytest.param({"labels": {"argocd.argoproj.io/instance": "shop"}}, "Argo CD", id="Argo CD"),
        pytest.param({"annotations": {"helm.toolkit.fluxcd.io/name": "shop"}}, "Flux", id="Flux"),
    ],
)
def test_each_reason_is_given_alone(changed: dict[str, Any], said: str) -> None:
    reasons = found(**changed)

    assert len(reasons) == 1
    assert said in reasons[0]
    assert reasons[0].startswith("deployment/shop in web ")


def test_all_reasons_are_given_together() -> None:
    assert (
        len(
            found(
                ready=0, paused=True, annotations=record(2000.0), labels={"argocd.argoproj.io/instance": "x"}
            )
        )
        == 4
    )


def test_one_ready_pod_is_something_to_go_back_to() -> None:
    assert found(ready=1) == []


@pytest.mark.parametrize(
    "told",
    [
        pytest.param({"ready": 0, "stable_may_be_broken": True}, id="broken"),
        pytest.param({"annotations": record(2000.0), "allow_downgrade": True}, id="downgrade"),
    ],
)
def test_who_says_so_is_let_through(told: dict[str, Any]) -> None:
    assert found(**told) == []


def test_the_same_run_again_and_a_later_one_are_no_downgrade() -> None:
    assert found(annotations=record(1000.0)) == []
    assert found(annotations=record(500.0)) == []


def test_a_record_that_is_not_ours_says_nothing() -> None:
    assert found(annotations={RECORD: "by hand"}) == []


# --- GitOps agents ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mark", "agent"),
    [
        pytest.param("argocd.argoproj.io/instance", "Argo CD", id="Argo CD, label"),
        pytest.param("argocd.argoproj.io/tracking-id", "Argo CD", id="Argo CD, annotation"),
        pytest.param("kustomize.toolkit.fluxcd.io/name", "Flux", id="Flux, Kustomization"),
        pytest.param("helm.toolkit.fluxcd.io/name", "Flux", id="Flux, HelmRelease"),
    ],
)
def test_an_agent_is_known_by_its_mark_and_told_how_to_ignore_us(mark: str, agent: str) -> None:
    (said,) = owners({mark: "prod"}, where="route shop")

    assert said.startswith(f"route shop is owned by {agent} ({mark}=prod)")
    assert "gitops_ignores_us=True" in said


@pytest.mark.parametrize(
    "marks", [pytest.param({}, id="none"), pytest.param({"argocd.argoproj.io/instance": ""}, id="empty"),
              pytest.param({"app.kubernetes.io/managed-by": "Helm"}, id="Helm")],
)  # fmt: skip
def test_what_no_agent_marked_is_the_users_own(marks: dict[str, str]) -> None:
    assert owners(marks, where="route shop") == []


def test_an_agent_that_ignores_us_is_no_reason() -> None:
    owned = replace(STABLE, labels={"argocd.argoproj.io/instance": "shop"})

    assert (
        refusals(
            RELEASE, owned, where="it", allow_downgrade=False, stable_may_be_broken=False, gitops_ignores_us=True
        )
        == []
    )  # fmt: skip


# --- containers ---------------------------------------------------------------------------------------------


def test_the_only_container_need_not_be_named() -> None:
    assert pick_container({"shop": "shop:v1"}, None, where="it") == "shop"


def test_the_named_one_of_several_is_taken() -> None:
    assert pick_container({"shop": "shop:v1", "proxy": "envoy:1"}, "shop", where="it") == "shop"


@pytest.mark.parametrize(
    ("container", "said"),
    [
        pytest.param(
            None, r"it has the containers proxy, shop; say which one with container=", id="not named"
        ),
        pytest.param("shoe", r"it has no container 'shoe', expected one of proxy, shop", id="not there"),
    ],
)
def test_a_container_that_cannot_be_told_is_refused(container: str | None, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        pick_container({"shop": "shop:v1", "proxy": "envoy:1"}, container, where="it")


# --- gates that cannot fail ---------------------------------------------------------------------------------

STEPS = (Step(10, 30), Step(50, 60))


def gate(**changed: Any) -> Gate:
    return Gate.parse(promql("errors", **{"query": "a{s='$candidate'}", "max": 0, **changed}))


@pytest.mark.parametrize(
    "changed",
    [
        pytest.param({}, id="at once"),
        pytest.param({"for_s": 89}, id="just in time"),
        pytest.param({"for_s": 60, "every_s": 29}, id="three looks"),
        pytest.param({"every_s": 30}, id="one look a step"),
    ],
)
def test_a_gate_that_can_fail_is_let_through(changed: dict[str, Any]) -> None:
    assert blind_gates([gate(**changed)], STEPS) == []


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"for_s": 90}, "'errors' cannot fail", id="for as long as all steps"),
        pytest.param(
            {"for_s": 61, "every_s": 30}, "it needs 90 s", id="the look that would tell comes too late"
        ),
        pytest.param({"every_s": 31}, "looks every 31 s, but the shortest step takes 30 s", id="too seldom"),
        pytest.param({"for_s": 90, "mode": "observe"}, "'errors' cannot fail", id="observed"),
    ],
)
def test_a_gate_that_cannot_fail_is_named(changed: dict[str, Any], said: str) -> None:
    (reason,) = blind_gates([gate(), gate(**changed)], STEPS)

    assert said in reason


@pytest.mark.parametrize(("every_s", "seldom"), [(30, False), (31, True)])
def test_a_judge_that_looks_less_often_than_a_step_lasts_is_named(every_s: float, seldom: bool) -> None:
    found = blind_gates([JudgeGate.parse(judge(preset="demo", every_s=every_s))], STEPS)

    assert bool(found) is seldom
    if seldom:
        assert (
            "'judge' looks every 31 s, but the shortest step takes 30 s: it would judge nothing" in found[0]
        )


# --- the candidate's names ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name", "length"),
    [
        pytest.param("Service", "s" * 54, 64, id="Service"),
        pytest.param(
            "Deployment", "d" * 233, 243, id="Deployment, whose ReplicaSets bear its name and a hash"
        ),
    ],
)
def test_a_name_that_the_candidate_cannot_have_is_told_with_its_length(
    kind: str, name: str, length: int
) -> None:
    (said,) = long_names({"Deployment": "shop", "Service": "shop", kind: name})

    assert said.startswith(f"{kind} {name}-candidate would have a name of {length} characters")
    assert f"at most {length - 1}" in said


def test_a_name_as_long_as_can_be_is_none() -> None:
    assert long_names({"Deployment": "d" * 232, "Service": "s" * 53}) == []


def test_an_object_in_the_candidates_place_is_told_unless_it_is_ours() -> None:
    def made(kind: str, **labels: str) -> dict[str, Any]:
        return {"kind": kind, "metadata": {"name": "shop-candidate", "namespace": "web", "labels": labels}}

    ours, theirs = made("Service", **{SIDE: CANDIDATE}), made("Deployment", app="shop")

    (said,) = strangers([ours, theirs])
    assert len(strangers([ours, theirs], "baseline")) == 2

    assert said.startswith("Deployment shop-candidate in web is not ours")
    assert "rename or delete" in said
