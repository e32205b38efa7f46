"""What stands in a plan's way in the cluster, and what is worth a hint there."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cd_provider.core.access import DELIVERY_PERMISSIONS, role
from tests.integration.deliveries import Shop, connections, until
from tests.integration.plan.plans import (
    faults_of,
    plan,
    the_fault,
    untouched,
)
from tests.stack.access import service_account

ARGO = {"argocd.argoproj.io/tracking-id": "shop:apps/Deployment:shop/shop"}
FLUX = {"kustomize.toolkit.fluxcd.io/name": "apps"}
OTHERS = [{"name": "shop", "port": 80}, {"name": "shop-next", "port": 80}]


def marked(kind: str, mark: Mapping[str, str], *, by: str) -> Callable[[Shop], None]:
    return patched(kind, {"metadata": {by: mark}})


def patched(kind: str, patch: Mapping[str, Any]) -> Callable[[Shop], None]:
    def prepare(shop: Shop) -> None:
        shop.kubectl("patch", kind, "shop", "--type=merge", "-p", json.dumps(patch))

    return prepare


def broken(shop: Shop) -> None:
    """Have no ready pod."""
    shop.kubectl("scale", "deployment/shop", "--replicas=0")
    shop.kubectl("wait", "deployment/shop", "--for=jsonpath={.status.observedGeneration}=2", "--timeout=20s")
    shop.kubectl("wait", "pods", "-l", "app=shop", "--for=delete", "--timeout=30s")


def taken(shop: Shop) -> None:
    """Have somebody else's Service under the candidate's name."""
    shop.kubectl("create", "service", "clusterip", "shop-candidate", "--tcp=80:8080")


def _acted_on(shop: Shop) -> bool:
    found = shop.read("deployment")
    return found is not None and found["status"].get("observedGeneration") == found["metadata"]["generation"]


CLUSTER: list[Any] = [
    pytest.param(
        marked("deployment", ARGO, by="annotations"),
        ["deployment/shop", "Argo CD", "ignoreDifferences"],
        id="Argo CD, workload",
    ),
    pytest.param(
        marked("deployment", FLUX, by="labels"),
        ["deployment/shop", "Flux", "gitops_ignores_us"],
        id="Flux, workload",
    ),
    pytest.param(marked("httproute", ARGO, by="annotations"), ["route shop", "Argo CD"], id="Argo CD, route"),
    pytest.param(marked("httproute", FLUX, by="labels"), ["route shop", "Flux"], id="Flux, route"),
    pytest.param(broken, ["has no ready pod", "stable_may_be_broken"], id="stable is broken"),
    pytest.param(
        patched("deployment", {"spec": {"paused": True}}),
        ["is paused", "resume it first"],
        id="stable is paused",
    ),
    pytest.param(
        patched("httproute", {"spec": {"rules": [{"backendRefs": OTHERS}]}}),
        ["beside shop it has the backends shop-next", "their own rule"],
        id="other backends",
    ),
    pytest.param(
        patched("httproute", {"spec": {"rules": [{"backendRefs": [{"name": "shoe", "port": 80}]}]}}),
        ["names shoe", "selected by shop", "expected one Service in both"],
        id="no rule names stable",
    ),
    pytest.param(
        taken,
        ["Service shop-candidate in", "is not ours", "rename or delete"],
        id="the candidate's name is taken",
    ),
]


@pytest.mark.parametrize(("prepare", "said"), CLUSTER)
async def test_what_stands_in_the_way_in_the_cluster_is_told(
    shop: Shop, v2: str, prepare: Callable[[Shop], None], said: list[str]
) -> None:
    prepare(shop)
    await until(lambda: _acted_on(shop), what="the deployment controller")

    fault = await the_fault(shop, v2, gates=[])

    assert all(word in fault for word in said), fault


async def test_one_of_several_containers_has_to_be_named(shop: Shop, v2: str) -> None:
    second = {"name": "proxy", "image": shop.image}  # its port is taken, so that this rollout never ends
    patch = [{"op": "add", "path": "/spec/template/spec/containers/-", "value": second}]
    shop.kubectl("patch", "deployment", "shop", "--type=json", "-p", json.dumps(patch))

    containers, busy = await faults_of(shop, v2, gates=[])

    assert "has the containers proxy, shop; say which one with container=" in containers
    assert "another rollout of it is under way" in busy


async def test_a_missing_permission_is_named_as_rbac_names_it(
    kept: Shop, v2: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = [
        one for one in DELIVERY_PERMISSIONS if str(one) != "patch httproutes.gateway.networking.k8s.io"
    ]
    account = service_account(
        kept.stack, kept.namespace, "less", role_yaml_rules=role(kept.namespace, allowed)["rules"]
    )
    told = connections(kept.stack, account)["kubernetes_default"]
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(told))

    fault = await the_fault(kept, v2)

    assert fault.startswith("permission is missing: patch httproutes.gateway.networking.k8s.io in namespace")


def bystander(kind: str, version: str, name: str, spec: Mapping[str, Any]) -> str:
    return json.dumps({"apiVersion": version, "kind": kind, "metadata": {"name": name}, "spec": spec})


async def test_what_matches_stable_alone_is_worth_a_hint(shop: Shop, v2: str) -> None:
    ours = {"matchLabels": {"app": "shop"}}
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    peers = [{"from": [{"podSelector": ours}]}]
    for one in (
        bystander("NetworkPolicy", "networking.k8s.io/v1", "shut", {"podSelector": ours}),
        bystander(
            "NetworkPolicy",
            "networking.k8s.io/v1",
            "db",
            {"podSelector": {"matchLabels": {"app": "db"}}, "ingress": peers},
        ),
        bystander("NetworkPolicy", "networking.k8s.io/v1", "all", {"podSelector": {}}),
        bystander("PodDisruptionBudget", "policy/v1", "two", {"minAvailable": 1, "selector": ours}),
        bystander(
            "HorizontalPodAutoscaler",
            "autoscaling/v2",
            "size",
            {"maxReplicas": 9, "minReplicas": 3, "scaleTargetRef": target},
        ),
    ):
        shop.kubectl("apply", "-f", "-", input=one)

    with untouched(shop):
        hints = await plan(shop, v2)

    assert [hint.partition(" ")[0] + " " + hint.split()[1] for hint in hints] == [
        "NetworkPolicy db", "NetworkPolicy shut", "PodDisruptionBudget two", "HorizontalPodAutoscaler size",
    ]  # fmt: skip


async def test_what_may_not_be_looked_at_is_said_to_be_unchecked(
    kept: Shop, v2: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    allowed = [one for one in DELIVERY_PERMISSIONS if not one.optional]
    account = service_account(
        kept.stack, kept.namespace, "less", role_yaml_rules=role(kept.namespace, allowed)["rules"]
    )
    told = connections(kept.stack, account)["kubernetes_default"]
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(told))

    hints = await plan(kept, v2)

    assert len(hints) == 5
    assert all("were not checked" in hint and " may not list " in hint for hint in hints)
