"""What the kubelet asks of a pod by itself, again and again: requests of nobody's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

PERIOD_S = 10.0  # Kubernetes' default
MOST_PROBES = 0.20  # of the requests that are counted


def probes_per_second(pods: Iterable[Mapping[str, Any]]) -> float:
    """Add up the HTTP and gRPC probes of pods while they run: one of a start ends with it."""
    return sum(
        1.0 / float(probe.get("periodSeconds") or PERIOD_S)
        for pod in pods
        for container in pod.get("spec", {}).get("containers") or ()
        for probe in (container.get("livenessProbe"), container.get("readinessProbe"))
        if probe and ("httpGet" in probe or "grpc" in probe)
    )
