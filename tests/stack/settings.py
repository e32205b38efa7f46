"""Folders and addresses of the stack: the one place that knows them."""

from __future__ import annotations

import os
from pathlib import Path

HOST = "127.0.0.1"
GATEWAY_PORT = 8880  # Contour serves a Gateway listener on its port + 8000
REGISTRY_PORT = 5000
PROMETHEUS_PORT = 9090
APISERVER_PORT = 6443
ETCD_PORT, ETCD_PEER_PORT = 2379, 2380
CONTROLLERS_PORT, SCHEDULER_PORT = 10257, 10259
KUBELET_PORT, KUBELET_HEALTH_PORT = 10250, 10248
PROXY_HEALTH_PORT, PROXY_METRICS_PORT = 10256, 10249
CONTOUR_PORT, CONTOUR_XDS_PORT, ENVOY_STATS_PORT = 8000, 8001, 8002

REGISTRY = f"{HOST}:{REGISTRY_PORT}"
PROMETHEUS_URL = f"http://{HOST}:{PROMETHEUS_PORT}"
GATEWAY_URL = f"http://{HOST}:{GATEWAY_PORT}"
APISERVER_URL = f"https://{HOST}:{APISERVER_PORT}"

NODE_NAME = "stack"
POD_SUBNET, SERVICE_SUBNET, SERVICE_ADDRESS = "10.244.0.0/24", "10.96.0.0/16", "10.96.0.1"
BRIDGE, NODE_ADDRESS = "cni0", "10.244.0.1"
KUBERNETES_VERSION = "v1.36.3"

LOCK_FILE = Path("/run/cd-provider-stack.lock")
SOURCES = Path(__file__).parent
MANIFESTS = SOURCES / "manifests"


def scrape_interval_s() -> int:
    """Seconds between two scrapes of the stack's Prometheus."""
    return int(os.environ.get("CD_SCRAPE_S", "5"))


def cache_dir() -> Path:
    """Where binaries and remembered durations are kept; safe to delete, slow to make again."""
    return Path(os.environ.get("CD_CACHE") or Path.home() / ".cache" / "cd-provider").absolute()


def state_dir() -> Path:
    """Where the running stack keeps certificates, logs, pids and data; ``down`` leaves only the logs."""
    return Path(os.environ.get("CD_STACK_DIR") or cache_dir() / "stack").absolute()


def kubeconfig(name: str) -> Path:
    """The kubeconfig file of one part of the stack; ``admin`` may do everything."""
    return state_dir() / "kubeconfig" / f"{name}.yaml"


def docker_socket() -> Path:
    return state_dir() / "docker" / "docker.sock"


def containerd_socket() -> Path:
    return state_dir() / "containerd" / "containerd.sock"


def docker_host() -> str:
    return f"unix://{docker_socket()}"


def given(variable: str, own: str) -> str | None:
    """
    Give the address that the user set in ``variable``; None when the stack should start its own.

    Our own address counts as not given: ``eval "$(python -m tests.stack env)"`` must not prevent a repair.
    """
    value = os.environ.get(variable)
    return value if value and value != own else None
