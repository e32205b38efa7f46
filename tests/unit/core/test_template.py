"""The candidate's JSON, made from stable's; and what is read from a Deployment, or asked of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.deployment import applied, max_unavailable, workload_state
from cd_provider.core.names import APP, ATTEMPT, RELEASE, SIDE
from cd_provider.core.template import (
    candidate_deployment,
    candidate_labels,
    candidate_selector,
    candidate_service,
    is_candidate,
    label_value,
    selects,
    suffixed,
    under_judgement,
)
from cd_provider.exceptions import ArgumentError

LABELS = {"app": "shop", "tier": "web", "version": "7"}
IMAGES = {"shop": "registry.example/shop@sha256:" + "2" * 64}


def deployment(*, selector: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "shop",
            "namespace": "shop",
            "generation": 4,
            "uid": "u1",
            "labels": {"app": "shop", "argocd.argoproj.io/instance": "shop"},
            "annotations": {"kubectl.kubernetes.io/last-applied-configuration": "{}"},
        },
        "spec": {
            "replicas": 5,
            "selector": {"matchLabels": {"app": "shop"}} if selector is None else selector,
            "template": {
                "metadata": {"labels": dict(LABELS), "annotations": {"prometheus.io/scrape": "true"}},
                "spec": {
                    "containers": [
                        {"name": "shop", "image": "old", "env": [{"name": "A", "value": "1"}]},
                        {"name": "proxy", "image": "proxy:1"},
                    ]
                },
            },
            **spec,
        },
        "status": {"observedGeneration": 3},
    }


def service(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "shop", "namespace": "shop", "labels": {"app": "shop"}},
        "spec": {"selector": {"app": "shop"}, "ports": [{"port": 80}], **spec},
    }


def made(stable: dict[str, Any], serves: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"app": "shop", "images": IMAGES, "replicas": 2, "annotations": {}, **more}
    return candidate_deployment(stable, serves, **asked)


# --- labels -------------------------------------------------------------------------------------------------


def test_only_the_labels_that_choose_stables_pods_get_the_suffix() -> None:
    labels = candidate_labels(deployment(), service(), app="shop")

    assert labels == {"app": "shop-candidate", "tier": "web", "version": "7", SIDE: "candidate", APP: "shop"}


def test_what_stables_service_selects_by_gets_the_suffix_too() -> None:
    labels = candidate_labels(deployment(), service(selector={"tier": "web"}), app="shop")

    assert not selects({"matchLabels": {"tier": "web"}}, labels)


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param({"matchLabels": {"app": "shop"}}, id="labels"),
        pytest.param({"matchLabels": {"app": "shop", "tier": "web"}}, id="several labels"),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["shop"]}]}, id="one of one"
        ),
        pytest.param(
            {
                "matchLabels": {"app": "shop"},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["web", "api"]},
                    {"key": "version", "operator": "Exists"},
                    {"key": "job", "operator": "DoesNotExist"},
                    {"key": "tier", "operator": "NotIn", "values": ["db"]},
                ],
            },
            id="expressions beside a label",
        ),
    ],
)
def test_stables_selector_matches_no_candidate_pod(selector: dict[str, Any]) -> None:
    found = made(deployment(selector=selector))
    labels = found["spec"]["template"]["metadata"]["labels"]

    assert selects(selector, LABELS)
    assert not selects(selector, labels)
    assert selects(found["spec"]["selector"], labels)
    assert not selects(found["spec"]["selector"], LABELS)


@pytest.mark.parametrize(
    "selector",
    [
        pytest.param({"matchExpressions": [{"key": "app", "operator": "Exists"}]}, id="any value"),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["x"]}]}, id="all but"
        ),
        pytest.param(
            {"matchExpressions": [{"key": "app", "operator": "In", "values": ["shop", "shop-candidate"]}]},
            id="both",
        ),
    ],
)
def test_a_selector_that_would_match_the_candidate_is_refused(selector: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="cannot be told apart"):
        made(deployment(selector=selector))


@given(st.text("abcXYZ019-_.", max_size=63), st.text("abcXYZ019-_.", max_size=63))
def test_suffixed_values_are_labels_and_stay_apart(one: str, other: str) -> None:
    assert len(suffixed(one)) <= 63
    assert suffixed(one).endswith("candidate")
    assert suffixed(one) != one
    assert (suffixed(one) == suffixed(other)) == (one == other)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("shop", "shop", id="fine"),
        pytest.param("a" * 63, "a" * 63, id="as long as may be"),
        pytest.param("Ladenöffnung 24/7", "Laden-ffnung-24-7-", id="other letters"),
        pytest.param("a" * 64, "a" * 50 + "-", id="too long"),
    ],
)
def test_any_text_gets_a_label_of_its_own(text: str, expected: str) -> None:
    assert label_value(text).startswith(expected)
    assert len(label_value(text)) <= 63


# --- the objects --------------------------------------------------------------------------------------------


def test_the_candidate_is_stables_pods_with_other_images() -> None:
    stable = deployment(
        minReadySeconds=7, progressDeadlineSeconds=90, paused=True, strategy={"type": "Recreate"}
    )
    before = copy.deepcopy(stable)

    found = made(stable, annotations={RELEASE: "r-1"})

    pods = found["spec"]["template"]
    assert [one["image"] for one in pods["spec"]["containers"]] == [IMAGES["shop"], "proxy:1"]
    assert pods["spec"]["containers"][0]["env"] == [{"name": "A", "value": "1"}]
    assert pods["metadata"]["annotations"] == {"prometheus.io/scrape": "true"}
    assert found["spec"]["replicas"] == 2
    assert (found["spec"]["minReadySeconds"], found["spec"]["progressDeadlineSeconds"]) == (7, 90)
    assert not {"paused", "strategy"} & set(found["spec"])
    assert stable == before


def test_the_candidates_objects_carry_our_marks_and_nobody_elses() -> None:
    found = made(deployment(), annotations={RELEASE: "r-1"})

    assert found["metadata"] == {
        "name": "shop-candidate",
        "namespace": "shop",
        "labels": {SIDE: "candidate", APP: "shop", RELEASE: "r-1"},
        "annotations": {RELEASE: "r-1"},
    }
    assert is_candidate(found)
    assert not is_candidate(deployment())


def test_an_unknown_container_is_an_error() -> None:
    with pytest.raises(ArgumentError, match=r"no container 'web'.*shop, proxy"):
        made(deployment(), images={"web": "x"})


def test_the_candidates_service_takes_ports_and_protocol_hints_and_no_address() -> None:
    stable = service(
        type="LoadBalancer",
        clusterIP="10.0.0.1",
        clusterIPs=["10.0.0.1"],
        ports=[
            {
                "name": "h",
                "port": 80,
                "targetPort": "http",
                "protocol": "TCP",
                "appProtocol": "h2c",
                "nodePort": 3,
            }
        ],
    )
    stable["metadata"]["annotations"] = {
        "projectcontour.io/upstream-protocol.h2c": "80",
        "external-dns.alpha.kubernetes.io/hostname": "shop.example",
        "argocd.argoproj.io/tracking-id": "x",
    }
    selector = candidate_selector({"app": "shop"})

    found = candidate_service(stable, app="shop", selector=selector)

    assert found["metadata"]["name"] == "shop-candidate"
    assert found["metadata"]["annotations"] == {"projectcontour.io/upstream-protocol.h2c": "80"}
    assert found["spec"] == {
        "type": "ClusterIP",
        "selector": {"app": "shop-candidate", SIDE: "candidate"},
        "ports": [{"name": "h", "port": 80, "targetPort": "http", "protocol": "TCP", "appProtocol": "h2c"}],
    }


# --- stable -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("strategy", "wanted", "expected"),
    [
        pytest.param({}, 10, 2, id="a quarter, rounded down, unless said"),
        pytest.param({}, 3, 0, id="of three: none, since one may surge"),
        pytest.param({"rollingUpdate": {"maxUnavailable": "34%"}}, 3, 1, id="percent"),
        pytest.param({"rollingUpdate": {"maxUnavailable": 2}}, 5, 2, id="a number"),
        pytest.param({"rollingUpdate": {"maxUnavailable": 9}}, 5, 5, id="no more than there are"),
        pytest.param({"rollingUpdate": {"maxUnavailable": 0, "maxSurge": 0}}, 5, 1, id="both 0 is 1"),
        pytest.param({"type": "Recreate"}, 5, 5, id="recreate"),
    ],
)
def test_how_many_may_be_away_is_resolved_as_kubernetes_does(
    strategy: dict[str, Any], wanted: int, expected: int
) -> None:
    assert max_unavailable(strategy, wanted) == expected


def test_a_young_deployments_missing_numbers_are_nought() -> None:
    raw = deployment()
    del raw["spec"]["replicas"], raw["status"]

    state = workload_state(raw)

    assert (state.wanted, state.ready, state.total, state.observed) == (1, 0, 0, 0)
    assert state.images == {"shop": "old", "proxy": "proxy:1"}
    assert state.selector == {"app": "shop"}


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        pytest.param(
            {
                "type": "Progressing",
                "status": "False",
                "reason": "ProgressDeadlineExceeded",
                "message": "slow",
            },
            "ProgressDeadlineExceeded: slow",
            id="out of time",
        ),
        pytest.param(
            {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "quota"},
            "FailedCreate: quota",
            id="pods cannot be made",
        ),
        pytest.param(
            {"type": "Progressing", "status": "True", "reason": "ReplicaSetUpdated"}, None, id="goes on"
        ),
        pytest.param(
            {"type": "Available", "status": "False", "reason": "MinimumReplicasUnavailable"}, None, id="few"
        ),
        pytest.param(
            {"type": "Progressing", "status": "Unknown", "reason": "DeploymentPaused"}, None, id="paused"
        ),
    ],
)
def test_a_rollout_is_stalled_when_the_cluster_says_so(
    condition: dict[str, Any], expected: str | None
) -> None:
    raw = deployment()
    raw["status"]["conditions"] = [condition]

    assert workload_state(raw).stalled == expected


def owned(*containers: str, operation: str = "Apply", manager: str = "cd-provider") -> dict[str, Any]:
    parts: dict[str, Any] = {
        f'k:{{"name":"{name}"}}': {".": {}, "f:name": {}, "f:image": {}} for name in containers
    }
    fields = {"f:spec": {"f:template": {"f:spec": {"f:containers": parts}}}}
    return {"manager": manager, "operation": operation, "fieldsV1": fields}


def containers_of(body: dict[str, Any]) -> dict[str, str]:
    return {one["name"]: one["image"] for one in body["spec"]["template"]["spec"]["containers"]}


def test_an_apply_names_again_what_we_set_before() -> None:
    raw = deployment()
    raw["metadata"]["managedFields"] = [owned("proxy"), owned("shop", manager="kubectl")]
    raw["metadata"]["annotations"] |= {"cd-provider/record": "{}", "cd-provider/old": "1"}

    body = applied(raw, images=IMAGES, annotations={"cd-provider/old": None, "cd-provider/new": "2"})

    assert containers_of(body) == {"shop": IMAGES["shop"], "proxy": "proxy:1"}
    assert body["metadata"] == {
        "name": "shop",
        "annotations": {"cd-provider/record": "{}", "cd-provider/new": "2"},
    }


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param(None, id="nothing is managed"),
        pytest.param([owned("proxy", operation="Update")], id="an update by the same name"),
        pytest.param([owned("proxy", manager="kubectl")], id="somebody else's"),
        pytest.param([owned("gone")], id="a container of the past"),
    ],
)
def test_an_apply_takes_over_no_image_of_others(fields: list[dict[str, Any]] | None) -> None:
    raw = deployment()
    raw["metadata"]["managedFields"] = fields

    assert containers_of(applied(raw, images=IMAGES, annotations={})) == IMAGES
    assert set(applied(raw, images=IMAGES, annotations={})["spec"]) == {"template"}


def test_annotations_alone_leave_the_pods_alone() -> None:
    assert "spec" not in applied(deployment(), images={}, annotations={"cd-provider/record": "{}"})


def test_an_apply_never_adds_a_container() -> None:
    with pytest.raises(ArgumentError, match="no container 'web'"):
        applied(deployment(), images={"web": "x"}, annotations={})


# --- while it is judged ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("live", "asked", "kept"),
    [
        pytest.param({ATTEMPT: "1"}, {ATTEMPT: "1"}, True, id="the same attempt"),
        pytest.param({ATTEMPT: "1"}, {ATTEMPT: "2"}, False, id="another attempt"),
        pytest.param({}, {}, False, id="nobody says which attempt"),
    ],
)
def test_pods_under_judgement_stay_although_stables_template_changes(
    live: dict[str, str], asked: dict[str, str], kept: bool
) -> None:
    judged, changed = made(deployment(), annotations=live), deployment()
    changed["spec"]["template"]["spec"]["containers"][0]["env"] = []

    found = under_judgement(judged, made(changed, annotations=asked, replicas=9))

    assert (found["spec"]["template"] == judged["spec"]["template"]) is kept
    assert found["spec"]["replicas"] == 9


def test_a_baseline_keeps_its_image_too_within_an_attempt() -> None:
    judged = made(deployment(), annotations={ATTEMPT: "1"}, side="baseline")
    same, other = (
        made(deployment(), annotations={ATTEMPT: attempt}, images={"shop": "other"}, side="baseline")
        for attempt in "12"
    )

    assert under_judgement(judged, same) == judged
    assert under_judgement(judged, other) == other


def test_a_baselines_pods_are_nobody_elses() -> None:
    found = [made(deployment(), service(), side=side) for side in ("candidate", "baseline")]
    labels = [one["spec"]["template"]["metadata"]["labels"] for one in found]

    assert [one["metadata"]["name"] for one in found] == ["shop-candidate", "shop-baseline"]
    for one, mine, other in ((found[0], *labels), (found[1], *reversed(labels))):
        assert selects(one["spec"]["selector"], mine)
        assert not selects(one["spec"]["selector"], other)
        assert not selects({"matchLabels": {"app": "shop"}}, mine)
    behind = candidate_service(
        service(), app="shop", selector=candidate_selector({"app": "shop"}, "baseline"), side="baseline"
    )
    assert selects({"matchLabels": behind["spec"]["selector"]}, labels[1])
    assert not selects({"matchLabels": behind["spec"]["selector"]}, labels[0])


def test_another_image_is_never_held_back() -> None:
    judged = made(deployment(), annotations={ATTEMPT: "1"})
    asked = made(deployment(), annotations={ATTEMPT: "1"}, images={"shop": "other"})

    assert under_judgement(judged, asked) == asked
