"""A shop in a namespace of its own, reachable through the gateway as ``<namespace>.local``."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from tests.stack import probes, settings
from tests.stack.errors import NotReadyError
from tests.stack.processes import wait_until

if TYPE_CHECKING:
    from tests.stack.stack import Stack


def deploy_shop(stack: Stack, namespace: str, image: str, replicas: int = 3) -> None:
    """
    Have a shop running, and wait until the gateway answers for it.

    :param image: reference by tag or digest, as ``push_shop`` gives it.
    :raises StackError: its pods did not get ready within a minute, or the gateway does not answer for it.
    """
    text = (settings.MANIFESTS / "shop.yaml").read_text()
    filled = string.Template(text).substitute(namespace=namespace, image=image, replicas=replicas)
    stack.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=filled)
    stack.kubectl("rollout", "status", "deployment/shop", "-n", namespace, "--timeout=60s")
    wait_until(
        lambda: answers(stack, namespace), timeout_s=20, what=f"the gateway's route to {namespace}/shop"
    )


def answers(stack: Stack, namespace: str) -> None:
    """Raise ``NotReadyError`` unless the gateway passes a request on to the namespace's shop."""
    status, body = probes.get(stack.gateway_url + "/", host=f"{namespace}.local")
    if status not in {200, 500} or b'"version"' not in body:
        raise NotReadyError(f"{stack.gateway_url} for {namespace}.local answered {status}: {body[:100]!r}")


def wait_for_counters(stack: Stack, namespace: str, pods: int = 3) -> None:
    """
    Wait until Prometheus has read every pod, and counted a request: plans ask for both.

    :raises StackError: it had not within half a minute.
    """
    wait_until(
        lambda: _counted(stack, namespace, pods),
        timeout_s=30,
        what=f"Prometheus' first look at {namespace}/shop",
    )


def _counted(stack: Stack, namespace: str, pods: int) -> None:
    where = f'namespace="{namespace}"'
    query = f"(sum(up{{{where}}}) >= {pods}) and sum(shop_requests_total{{{where}}})"
    status, body = probes.get(f"{stack.prometheus_url}/api/v1/query?{urlencode({'query': query})}")
    if status != 200 or not json.loads(body)["data"]["result"]:
        raise NotReadyError(f"{query} gave {body[:200]!r}")


def remove(stack: Stack, namespace: str, *, wait: bool = False) -> None:
    """Remove a namespace with all that is in it; at once for the caller, unless ``wait``."""
    stack.kubectl("delete", "namespace", namespace, "--ignore-not-found", f"--wait={str(wait).lower()}")
