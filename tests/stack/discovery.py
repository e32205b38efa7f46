"""
Tell Prometheus which pods to scrape: watches pods, writes a file for its ``file_sd_configs``.

Debian's Prometheus is built without discovery of Kubernetes, so this small process takes its place:
every running pod with a container port named ``http``, in any namespace, labelled ``namespace``, ``pod`` and,
from the pod's label ``cd-provider/side``, ``side``.
"""

from __future__ import annotations

import http.client
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.stack import probes, settings
from tests.stack.errors import NotReadyError
from tests.stack.files import write_if_changed

_PODS = "/api/v1/pods"
_WATCH_S = 240


def targets_file() -> Path:
    return settings.state_dir() / "prometheus" / "pods.json"


def targets(pods: dict[str, Any]) -> list[dict[str, Any]]:
    """Scrape targets, in the shape of ``file_sd_configs``, for pods as the API server gives them."""
    return [found for _, pod in sorted(pods.items()) if (found := _target(pod)) is not None]


def run() -> None:
    """Keep the file true for ever; while the API server is away, keep the file and ask each second."""
    while True:
        try:
            for pods in _watched():
                write_if_changed(targets_file(), json.dumps(targets(pods), indent=1))
        except (NotReadyError, OSError, http.client.HTTPException, ValueError) as err:
            print(f"pods cannot be watched: {err}", file=sys.stderr, flush=True)
            time.sleep(1)


def _watched() -> Iterator[dict[str, Any]]:
    """Every running pod by uid, now and after each change, until the watch ends."""
    listed = probes.kubernetes(_PODS, user="prometheus")
    pods = {pod["metadata"]["uid"]: pod for pod in listed["items"]}
    yield pods
    version = listed["metadata"]["resourceVersion"]
    path = f"{_PODS}?watch=true&resourceVersion={version}&timeoutSeconds={_WATCH_S}"
    with probes.open_kubernetes(path, user="prometheus", timeout_s=_WATCH_S + 10) as lines:
        for line in lines:
            event = json.loads(line)
            if event["type"] == "ERROR":
                return
            pod = event["object"]
            if event["type"] == "DELETED":
                pods.pop(pod["metadata"]["uid"], None)
            else:
                pods[pod["metadata"]["uid"]] = pod
            yield pods


def _target(pod: dict[str, Any]) -> dict[str, Any] | None:
    address, metadata = pod["status"].get("podIP"), pod["metadata"]
    containers = pod["spec"]["containers"]
    ports = [
        port for container in containers for port in container.get("ports", []) if port.get("name") == "http"
    ]
    if pod["status"].get("phase") != "Running" or not address or not ports:
        return None
    labels = {"namespace": metadata["namespace"], "pod": metadata["name"]}
    side = metadata.get("labels", {}).get("cd-provider/side")
    if side:
        labels["side"] = side
    return {"targets": [f"{address}:{ports[0]['containerPort']}"], "labels": labels}


if __name__ == "__main__":
    run()
