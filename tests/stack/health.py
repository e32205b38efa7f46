"""Whether each program and part of the stack serves: the one table for starting, ``status`` and ``up``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tests.stack import probes, settings
from tests.stack.errors import NotReadyError

_HOST = settings.HOST
GATEWAY_PATH = "/apis/gateway.networking.k8s.io/v1/namespaces/gateway/gateways/edge"


def check(name: str) -> None:
    """Raise ``NotReadyError``, saying what was seen, unless the program or part ``name`` serves."""
    CHECKS[name]()


def node_ready() -> None:
    """Raise ``NotReadyError`` unless the API server calls our node ready."""
    node = probes.kubernetes(f"/api/v1/nodes/{settings.NODE_NAME}")
    for condition in node["status"].get("conditions", []):
        if condition["type"] == "Ready" and condition["status"] == "True":
            return
        if condition["type"] == "Ready":
            raise NotReadyError(f"node not ready: {condition.get('message')}")
    raise NotReadyError("the node has not reported yet")


def gateway_programmed() -> None:
    """Raise ``NotReadyError`` unless Contour says that it serves our Gateway."""
    conditions = probes.kubernetes(GATEWAY_PATH).get("status", {}).get("conditions", [])
    if not any(seen["type"] == "Programmed" and seen["status"] == "True" for seen in conditions):
        raise NotReadyError(f"Gateway edge is not programmed: {conditions}")


def _discovery() -> None:
    path = settings.state_dir() / "prometheus" / "pods.json"
    if not path.exists():
        raise NotReadyError(f"{path} is not written yet")


def _http(port: int, path: str, scheme: str = "http") -> Callable[[], None]:
    return lambda: probes.http_ok(f"{scheme}://{_HOST}:{port}{path}")


CHECKS: Mapping[str, Callable[[], None]] = {
    "etcd": _http(settings.ETCD_PORT, "/health"),
    "kube-apiserver": _http(settings.APISERVER_PORT, "/readyz", "https"),
    "kube-controller-manager": _http(settings.CONTROLLERS_PORT, "/healthz", "https"),
    "kube-scheduler": _http(settings.SCHEDULER_PORT, "/healthz", "https"),
    "containerd": lambda: probes.unix_listens(settings.containerd_socket()),
    "kubelet": _http(settings.KUBELET_HEALTH_PORT, "/healthz"),
    "kube-proxy": _http(settings.PROXY_HEALTH_PORT, "/healthz"),
    "registry": _http(settings.REGISTRY_PORT, "/v2/"),
    "docker": lambda: probes.unix_http_ok(settings.docker_socket(), "/_ping"),
    "contour": _http(settings.CONTOUR_PORT, "/healthz"),
    "envoy": _http(settings.ENVOY_STATS_PORT, "/ready"),
    "discovery": _discovery,
    "prometheus": _http(settings.PROMETHEUS_PORT, "/-/ready"),
    "kubernetes": node_ready,
    "gateway": gateway_programmed,
}
