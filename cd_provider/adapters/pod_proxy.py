"""Pods through the API server: how to ask one, and who said no."""

from __future__ import annotations

from cd_provider.exceptions import CdProviderError, ClusterForbiddenError, MetricsRefusedError


def proxy_path(namespace: str, pod: str, port: int, path: str) -> str:
    """Give the API server's path for a path of a pod."""
    return f"/api/v1/namespaces/{namespace}/pods/{pod}:{port}/proxy{path}"


def refusal(err: CdProviderError, namespace: str, *, what: str, instead: str) -> MetricsRefusedError | None:
    """
    Give the API server's own no; None where it was the pod's, which comes through it with the same status.

    :param what: is refused, as the beginning of a sentence. :param instead: what can be done without the right.
    """
    if not isinstance(err, ClusterForbiddenError) or "pods/proxy" not in str(err).partition("answered")[2]:
        return None
    return MetricsRefusedError(
        f"{what} needs the RBAC verb get on pods/proxy in namespace {namespace}; grant it, or {instead}. {err}"
    )
