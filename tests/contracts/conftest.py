"""A shop in a real cluster, and a client with exactly the documented rights in its namespace."""

from __future__ import annotations

import json
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cd_provider.core.access import role
from cd_provider.core.workload import WorkloadRef
from cd_provider.hooks.cluster import ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient
from tests.stack import objects
from tests.stack.access import service_account
from tests.stack.shop import deploy_shop, remove

if TYPE_CHECKING:
    from kubernetes_asyncio.client import Configuration

    from tests.stack import Stack


@dataclass(frozen=True)
class Deployed:
    """Where a shop runs, and a kubeconfig with exactly the documented rights there."""

    namespace: str
    kubeconfig: Path


@dataclass(frozen=True)
class Shop:
    """A running shop: one pod, its Service and route; ``client`` has the documented role in its namespace."""

    stack: Stack
    namespace: str
    client: ClusterClient
    open_client: Callable[[], ClusterClient]

    @property
    def ref(self) -> WorkloadRef:
        return WorkloadRef("deployment", self.namespace, "shop")

    def read(self, kind: str, name: str = "shop") -> dict[str, Any]:
        """Read an object as admin."""
        found = objects.read(self.stack.kubeconfig, kind, self.namespace, name)
        assert found is not None, f"there is no {kind} {name}"
        return found

    def names(self, kind: str, selector: str = "") -> list[str]:
        """Name the objects of a kind that a label selector matches."""
        listed = objects.listed(self.stack.kubeconfig, kind, self.namespace, selector)
        return [one["metadata"]["name"] for one in listed]

    def apply(self, *bodies: Mapping[str, Any], manager: str = "user") -> None:
        """Apply objects as a user does, by server-side apply."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(bodies)})
        self.kubectl("apply", "--server-side", f"--field-manager={manager}", "-f", "-", input=text)

    def patch(self, kind: str, body: Any, *, name: str = "shop", how: str = "merge") -> None:
        """Change an object behind our back."""
        self.kubectl("patch", kind, name, f"--type={how}", "-p", json.dumps(body))

    def kubectl(self, *args: str, input: str | None = None) -> str:
        return self.stack.kubectl("-n", self.namespace, *args, input=input)


@pytest.fixture
def deployed(stack: Stack, namespace: str, v1: str) -> Deployed:
    return deploy(stack, namespace, v1)


def deploy(stack: Stack, namespace: str, image: str) -> Deployed:
    """Run a shop of one pod, with an account that has the documented role."""
    deploy_shop(stack, namespace, image, replicas=1)
    rules = role(namespace)["rules"]
    return Deployed(namespace, service_account(stack, namespace, "cd", role_yaml_rules=rules))


@pytest.fixture(scope="module")
def standing_shop(stack: Stack, v1: str) -> Iterator[Deployed]:
    name = f"t-{uuid.uuid4().hex[:10]}"
    try:
        yield deploy(stack, name, v1)
    finally:
        remove(stack, name)


@pytest.fixture
def standing(stack: Stack, standing_shop: Deployed) -> Iterator[Deployed]:
    """A shop that the tests of one file share; what belongs to a candidate or a baseline is removed behind each."""
    yield standing_shop
    for kind in ("deployment", "service"):
        for name in ("shop-candidate", "shop-baseline"):
            stack.kubectl("delete", kind, name, "-n", standing_shop.namespace, "--ignore-not-found")


@pytest.fixture
async def shop(stack: Stack, deployed: Deployed) -> AsyncIterator[Shop]:
    async with open_shop(stack, deployed) as opened:
        yield opened


@asynccontextmanager
async def open_shop(stack: Stack, deployed: Deployed) -> AsyncIterator[Shop]:
    """Open the client of a shop; for fixtures that need a shop only sometimes."""

    async def configuration() -> Configuration:
        return await load(ClusterLogin(kube_config_path=str(deployed.kubeconfig)), conn_id="contract")

    async with ClusterClient(configuration) as client:
        yield Shop(stack, deployed.namespace, client, lambda: ClusterClient(configuration))
