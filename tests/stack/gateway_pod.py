"""
A pod that shows the page of the stack's Envoy.

That Envoy is a process of the host, and the API server reads pages of pods alone, none of them on a loopback address.
So a pod passes its page on, from the host's side of the pods' bridge.
"""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tests.stack import settings

if TYPE_CHECKING:
    from tests.stack.stack import Stack

LABELS = {"app": "envoy"}


@contextmanager
def gateway_pods(stack: Stack, namespace: str, image: str, *, count: int = 1) -> Iterator[str]:
    """
    Have such pods in a namespace that is there.

    :param image: any version of the shop.
    :returns: where they are, as a judge is told: ``<namespace>/app=envoy``.
    """
    with _Passage((settings.NODE_ADDRESS, 0), _Passing) as passage:
        threading.Thread(target=passage.serve_forever, daemon=True).start()
        address = f"http://{settings.NODE_ADDRESS}:{passage.server_address[1]}"
        wanted = json.dumps(_deployment(namespace, image, address, count))
        try:
            stack.kubectl("apply", "--server-side", "-f", "-", input=wanted)
            stack.kubectl("rollout", "status", "deployment/envoy", "-n", namespace, "--timeout=60s")
            yield f"{namespace}/app=envoy"
        finally:
            stack.kubectl("delete", "deployment/envoy", "-n", namespace, "--ignore-not-found", "--wait=false")
            passage.shutdown()


class _Passage(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True


class _Passing(socketserver.BaseRequestHandler):
    """One connection of a pod's, passed on to Envoy's port for figures."""

    def handle(self) -> None:
        with socket.create_connection((settings.HOST, settings.ENVOY_STATS_PORT), timeout=10) as envoy:
            back = threading.Thread(target=_pour, args=(envoy, self.request), daemon=True)
            back.start()
            _pour(self.request, envoy)
            back.join()


def _pour(source: socket.socket, into: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(65536):
            into.sendall(chunk)
    with suppress(OSError):
        into.shutdown(socket.SHUT_WR)


def _deployment(namespace: str, image: str, address: str, count: int) -> dict[str, object]:
    port = settings.ENVOY_STATS_PORT
    container = {
        "name": "envoy",
        "image": image,
        "args": [f"-port={port}", f"-gateway={address}"],
        "ports": [{"name": "stats", "containerPort": port}],
        "readinessProbe": {"httpGet": {"path": "/healthz", "port": "stats"}, "periodSeconds": 1},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "envoy", "namespace": namespace},
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": LABELS},
            "template": {
                "metadata": {"labels": LABELS},
                "spec": {"containers": [container], "terminationGracePeriodSeconds": 1},
            },
        },
    }
