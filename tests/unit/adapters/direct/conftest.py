"""A cluster whose four pods show a page of counters, and a client of it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cd_provider.hooks.cluster import ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.adapters.direct.proxied import PODS, Proxied, shop


@pytest.fixture
async def server() -> AsyncIterator[Proxied]:
    async with Proxied() as server:
        server.pages = {pod: shop(10, 1) for pod in PODS}
        yield server


@pytest.fixture
async def client(server: Proxied) -> AsyncIterator[ClusterClient]:
    login = ClusterLogin(kube_config=server.kubeconfig())
    async with ClusterClient(lambda: load(login, conn_id="k8s")) as client:
        yield client
