"""Read objects of the cluster often and cheaply: kubectl costs a tenth of a second of a core each time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

GROUPS: Mapping[str, str] = {
    "deployment": "apis/apps/v1",
    "httproute": "apis/gateway.networking.k8s.io/v1",
    "lease": "apis/coordination.k8s.io/v1",
    "pdb": "apis/policy/v1",
    "pod": "api/v1",
    "service": "api/v1",
}
PLURALS: Mapping[str, str] = {"pdb": "poddisruptionbudgets"}


def read(kubeconfig: Path, kind: str, namespace: str, name: str) -> dict[str, Any] | None:
    """Give an object, with its managed fields; None when it is not there."""
    return _get(kubeconfig, f"{_collection(kind, namespace)}/{name}")


def listed(kubeconfig: Path, kind: str, namespace: str, selector: str = "") -> list[dict[str, Any]]:
    """Give the objects of a kind that a label selector matches."""
    found = _get(kubeconfig, _collection(kind, namespace), {"labelSelector": selector} if selector else {})
    items: list[dict[str, Any]] = found["items"] if found else []
    return items


def _collection(kind: str, namespace: str) -> str:
    return f"/{GROUPS[kind]}/namespaces/{namespace}/{PLURALS.get(kind, kind + 's')}"


def _get(kubeconfig: Path, path: str, query: Mapping[str, str] | None = None) -> dict[str, Any] | None:
    from kubernetes.client import ApiException

    try:
        answer = _client(kubeconfig).call_api(
            path,
            "GET",
            query_params=list((query or {}).items()),
            auth_settings=["BearerToken"],
            _preload_content=False,
            _return_http_data_only=True,
        )
    except ApiException as err:
        if err.status == 404:
            return None
        raise
    found: dict[str, Any] = json.loads(answer.data)
    return found


@cache
def _client(kubeconfig: Path) -> Any:
    """Give one client for each process: its connections are kept."""
    from kubernetes.config import new_client_from_config

    return new_client_from_config(str(kubeconfig))
