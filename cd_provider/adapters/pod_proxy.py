"""Pods through the API server: how to ask one, and who said no."""

from __future__ import annotations

from cd_provider.exceptions import CdProviderError, ClusterForbiddenError


def proxy_path(namespace: str, pod: str, port: int, path: str) -> str:
    """Give the API server's path for a path of a pod."""
    return f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"


def may_not(err: CdProviderError) -> bool:
    """Tell the API server's own no from the pod's, which comes through it with the same status."""
    return isinstance(err, ClusterForbiddenError) and "pods/proxy" in str(err).partition("answered")[2]
