"""Groups of pods that exist already, as a cluster names them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from cd_provider.adapters.groups import Group, ready_pods
from cd_provider.exceptions import ArgumentError, ClusterNotFoundError
from cd_provider.hooks.cluster import ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.api_server import ApiServer, status


class Cluster(ApiServer):
    """Pods by name, and Services by name; a list obeys its label selector, as the real one does."""

    def __init__(self) -> None:
        super().__init__()
        self.pods: dict[str, dict[str, Any]] = {}
        self.services: dict[str, dict[str, str] | None] = {}

    def put(self, name: str, *, ready: bool = True, deleting: bool = False, **labels: str) -> None:
        meta: dict[str, Any] = {"name": name, "labels": labels}
        if deleting:
            meta["deletionTimestamp"] = "2026-01-01T00:00:00Z"
        conditions = [{"type": "Ready", "status": "True" if ready else "False"}]
        self.pods[name] = {"metadata": meta, "status": {"conditions": conditions}}

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.path.endswith("/pods"):
            wanted = dict(one.split("=") for one in request.query.get("labelSelector", "").split(",") if one)
            found = [one for one in self.pods.values() if wanted.items() <= one["metadata"]["labels"].items()]
            return web.json_response({"items": found})
        name = request.path.rpartition("/")[2]
        if name not in self.services:
            return status(404, f'services "{name}" not found')
        return web.json_response({"spec": {"selector": self.services[name]}})


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    async with Cluster() as cluster:
        cluster.services = {"shop": {"app": "shop", "track": "old"}, "bare": None}
        cluster.put("shop-2", app="shop", track="old")
        cluster.put("shop-1", app="shop", track="old")
        cluster.put("shop-3", app="shop", track="old", ready=False)
        cluster.put("shop-4", app="shop", track="old", deleting=True)
        cluster.put("shop-v2-1", app="shop", track="new")
        yield cluster


@pytest.fixture
async def client(cluster: Cluster) -> AsyncIterator[ClusterClient]:
    login = ClusterLogin(kube_config=cluster.kubeconfig())
    async with ClusterClient(lambda: load(login, conn_id="k8s")) as client:
        yield client


async def test_a_service_names_the_pods_that_it_selects_and_that_serve(client: ClusterClient) -> None:
    assert await ready_pods(client, Group("web", "shop")) == ("shop-1", "shop-2")


async def test_a_pattern_is_of_whole_names_and_asks_for_no_service(
    cluster: Cluster, client: ClusterClient
) -> None:
    assert await ready_pods(client, Group("web", "gone", "shop-[0-9]+")) == ("shop-1", "shop-2")
    assert await ready_pods(client, Group("web", "gone", "shop")) == ()
    assert {request.path for request in cluster.requests} == {"/api/v1/namespaces/web/pods"}


async def test_a_service_without_a_selector_is_refused_since_it_would_be_everybody(
    client: ClusterClient,
) -> None:
    with pytest.raises(ArgumentError, match="Service web/bare selects no pods"):
        await ready_pods(client, Group("web", "bare"))


async def test_a_service_that_is_not_there_is_an_error(client: ClusterClient) -> None:
    with pytest.raises(ClusterNotFoundError):
        await ready_pods(client, Group("web", "gone"))
