"""Plans on the real stack: every fault is told before anything is touched, and all of them together."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.sdk import DAG

from cd_provider.core.access import DELIVERY_PERMISSIONS, role
from cd_provider.core.gate import promql
from cd_provider.exceptions import ArgumentError, PlanError, PlanUnavailableError
from cd_provider.operators.plan import ReleasePlanOperator
from cd_provider.pipelines import canary_delivery, gateway_api
from tests.integration.deliveries import Shop, connections, until
from tests.loopback import self_signed
from tests.registries.double import RegistryDouble, error, on
from tests.stack import Stack
from tests.stack.access import service_account
from tests.stack.oci_push import image
from tests.stack.shop import remove

SILENT = "sum(nobody_exports_this{service='$candidate'})"
READY = "sum(up{namespace='$namespace',pod=~'$pods'})"
WEEK = {"days": "daily", "from": "00:00", "to": "24:00", "zone": "UTC"}


def gate(name: str = "errors", **changed: Any) -> dict[str, Any]:
    return promql(name, **{"query": READY, "min": 0, **changed})


def context(*, dagrun_timeout: timedelta | None = None) -> Any:
    run = SimpleNamespace(
        dag_id="shop_delivery",
        run_id="manual__1",
        run_after=datetime.now(UTC),
        start_date=None,
        triggering_user_name="ada",
    )
    return {"dag_run": run, "dag": SimpleNamespace(dag_id="shop_delivery", dagrun_timeout=dagrun_timeout)}


async def plan(
    shop: Shop,
    image: str,
    *,
    dagrun_timeout: timedelta | None = None,
    rendered: Mapping[str, Any] | None = None,
    **changed: Any,
) -> list[str]:
    """
    Run a plan's checks; give its hints.

    :param rendered: what templates came to, which no parser has seen.
    """
    given: dict[str, Any] = {
        "app": "shop", "image": image, "workload": "deployment/shop", "namespace": shop.namespace,
        "router": gateway_api(route="shop"), "steps": [10, 50], "gates": [gate()], **changed,
    }  # fmt: skip
    operator = ReleasePlanOperator(task_id="plan", **given)
    for name, value in (rendered or {}).items():
        setattr(operator, name, value)
    return await operator.aexecute(context(dagrun_timeout=dagrun_timeout))


@pytest.fixture(scope="module")
def standing(stack: Stack, v1: str) -> Iterator[Shop]:
    """A shop for all plans that find what was asked for to be wrong: they leave it as it is."""
    name = f"t-{uuid.uuid4().hex[:10]}"
    try:
        yield Shop.deploy(stack, name, v1)
    finally:
        remove(stack, name)


@pytest.fixture
def kept(standing: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """That shop, and its connections."""
    for name, fields in connections(standing.stack, standing.kubeconfig).items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
    return standing


@contextmanager
def untouched(shop: Shop) -> Iterator[None]:
    """Make sure that nothing in the namespace was written meanwhile."""

    def world() -> Any:
        listed = json.loads(shop.kubectl("get", "services,leases", "-o", "json"))["items"]
        versions = {
            (one["kind"], one["metadata"]["name"]): one["metadata"]["resourceVersion"] for one in listed
        }
        with_status = json.loads(shop.kubectl("get", "deployments,httproutes", "-o", "json"))["items"]
        # a controller writes it, so that their version says nothing about us
        specs = {
            (one["kind"], one["metadata"]["name"]): (one["metadata"]["generation"], _notes(one))
            for one in with_status
        }
        return versions, specs

    before = world()
    yield
    assert world() == before
    assert "Lease" not in {kind for kind, _ in before[0]}


def _notes(one: Mapping[str, Any]) -> dict[str, str]:
    notes = one["metadata"].get("annotations", {})
    return {key: text for key, text in notes.items() if not key.startswith("deployment.kubernetes.io/")}


async def faults_of(shop: Shop, image: str, **changed: Any) -> tuple[str, ...]:
    """Give what a plan finds that stays until a person acts."""
    with untouched(shop), pytest.raises(PlanError) as caught:
        await plan(shop, image, **changed)
    return caught.value.faults


async def the_fault(shop: Shop, image: str, **changed: Any) -> str:
    """Give the one fault that a plan finds."""
    faults = await faults_of(shop, image, **changed)
    assert len(faults) == 1, faults
    return faults[0]


async def test_a_good_plan_finds_nothing_and_touches_nothing(kept: Shop, v2: str) -> None:
    with untouched(kept):
        assert await plan(kept, v2) == []


ARGUMENTS: list[Any] = [
    pytest.param({"workload": "deployment/shoe"}, ['"shoe" not found'], id="unknown workload"),
    pytest.param(
        {"container": "shoe"}, ["no container 'shoe'", "expected one of shop"], id="unknown container"
    ),
    pytest.param(
        {"router": gateway_api(route="shoe")}, ['"shoe" not found', "httproutes"], id="unknown route"
    ),
    pytest.param(
        {"service": "shoe"}, ["no rule names the Service shoe", "saw shop"], id="route without the Service"
    ),
    pytest.param({"steps": [50, 10]}, ["10 comes after 50", "rising"], id="steps not rising"),
    pytest.param({"steps": [50, 110]}, ["steps[1]", "110", "from 1 to 100"], id="steps over 100"),
    pytest.param(
        {"gates": [gate(min=None)]}, ["'errors' cannot fail", "neither max nor min"], id="gate without bound"
    ),
    pytest.param(
        {"gates": [gate(for_s=120)]},
        ["'errors' cannot fail", "120 s"],
        id="bound broken for longer than all steps",
    ),
    pytest.param(
        {"gates": [gate(every_s=90)]}, ["looks every 90 s", "shortest step takes 60 s"], id="looks too seldom"
    ),
    pytest.param(
        {"gates": [gate(query="sum(up{pod=~'$pods'}")]},
        ["it refuses the query", "sum(up"],
        id="PromQL refused",
    ),
    pytest.param(
        {"gates": [gate(query="up{namespace='$namespace',pod=~'$pods'}")]},
        ["gives 3 series", "expected one"],
        id="several series",
    ),
    pytest.param(
        {"gates": [gate(query=SILENT)]},
        ["can only be silent", "service='shop'"],
        id="query that matches nothing",
    ),
    pytest.param(
        {"window": {"weekly": [{**WEEK, "to": "00:00"}]}}, ["never opens"], id="window that never opens"
    ),
    pytest.param(
        {
            "window": {
                "weekly": [WEEK],
                "freezes": [{"from": "2020-01-01T00:00Z", "to": "2999-01-01T00:00Z", "reason": "merger"}],
            },
        },
        ["never opens", "merger"],
        id="window that is always frozen",
    ),
    pytest.param({"max_s": 100}, ["max_s", "steps alone take 120"], id="no time for the steps"),
    pytest.param(
        {"dagrun_timeout": timedelta(minutes=5)},
        ["dagrun_timeout of shop_delivery is 300 s", "Raise it"],
        id="short dagrun_timeout",
    ),
    pytest.param({"namespace": ""}, ["namespace: saw ''"], id="empty namespace"),
    pytest.param({"app": ""}, ["app: saw ''"], id="empty app"),
    pytest.param(
        {"kubernetes_conn_id": "nowhere"}, ["connection 'nowhere': there is none"], id="no cluster connection"
    ),
    pytest.param(
        {"registry_conn_id": "nowhere"}, ["connection 'nowhere': there is none"], id="no registry connection"
    ),
    pytest.param(
        {"prometheus_conn_id": "nowhere"},
        ["connection 'nowhere': there is none"],
        id="no Prometheus connection",
    ),
]


@pytest.mark.parametrize(("given", "said"), ARGUMENTS)
async def test_what_is_asked_for_wrongly_is_told(
    kept: Shop, v2: str, given: dict[str, Any], said: list[str]
) -> None:
    rendered = {name: value for name, value in given.items() if name != "dagrun_timeout"}

    fault = await the_fault(kept, v2, dagrun_timeout=given.get("dagrun_timeout"), rendered=rendered)

    assert all(word in fault for word in said), fault


async def test_all_faults_are_told_together(kept: Shop) -> None:
    faults = await faults_of(
        kept,
        "Not/An:Image:At all",
        dagrun_timeout=timedelta(minutes=5),
        rendered={
            "app": "",
            "workload": "deployment/shoe",
            "router": gateway_api(route="shoe"),
            "gates": [
                gate("one", query="sum(up{pod=~'$pods'}"),
                gate("two", min=None),
                gate("three", every_s=90),
            ],
            "window": {"weekly": []},
        },
    )

    text = "\n".join(faults)
    words = [
        "app: saw ''", "Not/An:Image", "'two' cannot fail", "'three' looks every 90 s", "dagrun_timeout", "window",
        "httproutes.gateway.networking.k8s.io/shoe", "deployments.apps/shoe", "it refuses the query",
    ]  # fmt: skip
    assert [word for word in words if word not in text] == []
    assert len(faults) == len(words)


# --- what the cluster holds ---------------------------------------------------------------------------------

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


# --- the image ----------------------------------------------------------------------------------------------

HTTP = {"insecure_http": True}


def registry(monkeypatch: pytest.MonkeyPatch, host: str, **extra: Any) -> None:
    told = {"conn_type": "oci_registry", "host": host, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY_DEFAULT", json.dumps(told))


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        pytest.param(404, "MANIFEST_UNKNOWN", "MANIFEST_UNKNOWN", id="not found"),
        pytest.param(401, "UNAUTHORIZED", "401", id="401"),
    ],
)
async def test_what_the_registry_says_is_told(
    kept: Shop, monkeypatch: pytest.MonkeyPatch, status: int, code: str, said: str
) -> None:
    with RegistryDouble(on("manifests", error(status, code))) as double:
        registry(monkeypatch, double.host, **HTTP)

        fault = await the_fault(kept, f"{double.host}/shop:v2")

    assert said in fault
    assert double.host in fault


@pytest.mark.parametrize("status", [429, 503])
async def test_a_registry_that_is_busy_or_down_is_worth_another_try(
    kept: Shop, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with RegistryDouble(on("manifests", error(status, "LATER"))) as double:
        registry(monkeypatch, double.host, **HTTP)

        with untouched(kept), pytest.raises(PlanUnavailableError) as caught:
            await plan(kept, f"{double.host}/shop:v2")

    (fault,) = caught.value.faults
    assert str(status) in fault
    assert double.host in fault


async def test_a_registry_without_tls_is_told(kept: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with RegistryDouble() as double:
        registry(monkeypatch, double.host)

        fault = await the_fault(kept, f"{double.host}/shop:v2")

    assert "insecure_http" in fault
    assert double.requests == []


async def test_a_registry_whose_certificate_nobody_vouches_for_is_told(
    kept: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with RegistryDouble(certificate=self_signed(tmp_path)) as double:
        registry(monkeypatch, double.host)

        fault = await the_fault(kept, f"{double.host}/shop:v2")

    assert "certificate" in fault.lower()
    assert double.requests == []


async def test_an_image_of_another_host_is_refused_and_nothing_is_sent(
    kept: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RegistryDouble() as double, RegistryDouble() as other:
        registry(monkeypatch, double.host, **HTTP)
        name = other.hold("shop", "v2", image())

        fault = await the_fault(kept, name)

    assert other.host in fault
    assert double.host in fault
    assert double.requests == other.requests == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("shop@sha256:beef", "sha256:beef", id="short digest"),
        pytest.param("127.0.0.1:5000/Shop:v2", "Shop", id="capitals"),
        pytest.param("", "image: saw ''", id="empty"),
    ],
)
async def test_what_is_no_image_is_told(kept: Shop, name: str, said: str) -> None:
    assert said in await the_fault(kept, name)


# --- what a Dag's parser refuses ----------------------------------------------------------------------------


def test_no_router_is_refused_when_the_dag_is_parsed() -> None:
    with (
        DAG("shop", schedule=None),
        pytest.raises(ArgumentError, match=r"router: saw None.*gateway_api.*half of it"),
    ):
        canary_delivery(
            app="shop", image="shop:v2", workload="deployment/shop", namespace="shop", steps=[10], gates=[], router=None  # type: ignore[arg-type]
        )  # fmt: skip


def test_an_unknown_argument_is_named_when_the_dag_is_parsed() -> None:
    given: dict[str, Any] = {
        "app": "shop", "image": "shop:v2", "workload": "deployment/shop", "namespace": "shop", "steps": [10],
        "gates": [], "router": gateway_api(route="shop"), "stepps_s": 5,
    }  # fmt: skip

    with DAG("shop", schedule=None), pytest.raises(TypeError, match="stepps_s"):
        canary_delivery(**given)


# --- hints --------------------------------------------------------------------------------------------------


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
