"""The kubelet's own requests, by what a pod says of its probes."""

from __future__ import annotations

from typing import Any

import pytest

from cd_provider.core.kubelet import probes_per_second

HTTP = {"httpGet": {"path": "/healthz", "port": 8080}}
GRPC = {"grpc": {"port": 9090}, "periodSeconds": 5}


@pytest.mark.parametrize(
    ("container", "per_second"),
    [
        ({}, 0.0),
        ({"livenessProbe": HTTP}, 0.1),
        ({"livenessProbe": {**HTTP, "periodSeconds": 2}, "readinessProbe": GRPC}, 0.7),
        ({"startupProbe": HTTP, "livenessProbe": {"tcpSocket": {"port": 1}}, "readinessProbe": {"exec": {}}}, 0.0),
    ],
    ids=["none", "once in ten seconds", "two kinds", "what is over, or no request"],
)  # fmt: skip
def test_what_asks_again_and_again_is_counted(container: dict[str, Any], per_second: float) -> None:
    pod = {"spec": {"containers": [container, {"name": "sidecar"}]}}

    assert probes_per_second([pod, pod]) == pytest.approx(2 * per_second)
