"""What a plan looks at, on loopback sockets: an API server, a registry and a Prometheus in which all is well."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from aiohttp import web

from cd_provider.adapters.access import REVIEWS
from cd_provider.core.gate import promql
from cd_provider.operators.plan import ReleasePlanOperator
from tests.loopback import Answer, Loopback
from tests.registries.double import RegistryDouble
from tests.stack.oci_push import image
from tests.unit.api_server import ApiServer

DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
SERVICES = "/api/v1/namespaces/shop/services"
ROUTES = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes"
V2 = image("linux/amd64", created="2026-02-02T00:00:00Z")
NUMBER = Answer(b'{"status": "success", "data": {"resultType": "scalar", "result": [1, "1"]}}')


def deployment(name: str) -> dict[str, Any]:
    labels = {"app": name}
    pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "shop", "image": "shop:v1"}]}}
    counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
    return {
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "shop", "generation": 1},
        "spec": {"replicas": 3, "selector": {"matchLabels": labels}, "template": pods},
        "status": {"observedGeneration": 1, **dict.fromkeys(counts, 3)},
    }


def service(name: str, *, selects: str) -> dict[str, Any]:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "shop"},
        "spec": {"selector": {"app": selects}, "ports": [{"port": 80}]},
    }


def route(*, names: str) -> dict[str, Any]:
    parent = {"name": "gateway"}
    accepted = {"type": "Accepted", "status": "True", "observedGeneration": 1}
    return {
        "kind": "HTTPRoute",
        "metadata": {"name": "shop", "namespace": "shop", "generation": 1},
        "spec": {"parentRefs": [parent], "rules": [{"backendRefs": [{"name": names, "port": 80}]}]},
        "status": {"parents": [{"parentRef": parent, "controllerName": "double", "conditions": [accepted]}]},
    }


class Cluster(ApiServer):
    """An API server with a shop; every account may do everything, and ``changed`` is what was asked to change."""

    def __init__(self) -> None:
        super().__init__()
        self.put(DEPLOYMENTS, deployment("shop"))
        self.put(SERVICES, service("shop", selects="shop"))
        self.put(ROUTES, route(names="shop"))

    def put(self, where: str, made: Mapping[str, Any]) -> None:
        self.objects[f"{where}/{made['metadata']['name']}"] = dict(made)

    @property
    def changed(self) -> list[str]:
        return [one.path for one in self.requests if one.method != "GET" and one.path != REVIEWS]

    def _stored(self, method: str, path: str, body: Any) -> web.Response:
        if path == REVIEWS:
            return web.json_response({"status": {"allowed": True}})
        if method == "GET" and path == SERVICES:
            listed = [one for name, one in self.objects.items() if name.startswith(path)]
            return web.json_response({"items": listed})
        return super()._stored(method, path, body)


class World:
    """A delivery's surroundings: what is there, and where Airflow's connections lead."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, cluster: Cluster, registry: RegistryDouble) -> None:
        self.monkeypatch, self.cluster, self.registry = monkeypatch, cluster, registry
        self.image = registry.hold("shop", "v2", V2)

    def connect_cluster(self, kubeconfig: Mapping[str, Any]) -> None:
        self._connect("kubernetes", conn_type="kubernetes", extra={"kube_config": kubeconfig})

    def connect_registry(self, host: str, **extra: Any) -> None:
        self._connect("registry", conn_type="oci_registry", host=host, extra=extra)

    def connect_prometheus(self, port: int, *, schema: str = "http") -> None:
        self._connect("prometheus", conn_type="prometheus", host="127.0.0.1", port=port, schema=schema)

    def _connect(self, name: str, **fields: Any) -> None:
        self.monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}_DEFAULT", json.dumps(fields))

    def operator(self, **changed: Any) -> ReleasePlanOperator:
        given: dict[str, Any] = {
            "app": "shop", "image": self.image, "workload": "deployment/shop",
            "namespace": "shop", "router": {"kind": "gateway_api", "route": "shop"}, "steps": [10, 50],
            "gates": [promql("errors", query="errors{pod=~'$pods'}", max=1)], **changed,
        }  # fmt: skip
        return ReleasePlanOperator(task_id="plan", **given)

    async def plan(self, **changed: Any) -> Any:
        """Run a plan's checks."""
        return await self.operator(**changed).aexecute(context())


def context(**more: Any) -> Any:
    """Give what a task is told about its run."""
    run = SimpleNamespace(
        dag_id="shop_delivery",
        run_id="manual__1",
        run_after=datetime(2026, 2, 3, tzinfo=UTC),
        start_date=None,
        triggering_user_name="ada",
    )
    return {"dag_run": run, "dag": SimpleNamespace(dag_id="shop_delivery", dagrun_timeout=None), **more}


@asynccontextmanager
async def open_world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    """Bring it up."""
    with RegistryDouble() as registry, Loopback(NUMBER) as prometheus:
        async with Cluster() as cluster:
            world = World(monkeypatch, cluster, registry)
            world.connect_cluster(cluster.kubeconfig())
            world.connect_registry(registry.host, insecure_http=True)
            world.connect_prometheus(prometheus.port)
            yield world
