"""Clients of an API server that answers as a test says."""

from __future__ import annotations

from cd_provider.hooks.cluster import ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.api_server import ApiServer

MAPS = "/api/v1/namespaces/shop/configmaps"
ROUTE = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/shop"


def opened(server: ApiServer, *, token: str = "fresh", timeout_s: float = 10.0) -> ClusterClient:
    login = ClusterLogin(kube_config=server.kubeconfig(token))
    return ClusterClient(lambda: load(login, conn_id="k8s"), timeout_s=timeout_s)
