"""Deliveries on the real stack without Airflow: a shop under load, orders for it, and an observer of the invariants."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cd_provider.core.access import role
from cd_provider.core.gate import Gate, promql
from cd_provider.core.order import CanaryOrder
from cd_provider.core.release import Release, Target
from tests.stack import objects
from tests.stack.access import service_account
from tests.stack.load import Load
from tests.stack.shop import deploy_shop, wait_for_counters

if TYPE_CHECKING:
    from tests.stack import Stack

ANSWERS = 'shop_requests_total{namespace="$namespace",pod=~"$pods"'
ERRORS = f'(sum({ANSWERS},code=~"5.."}}) or vector(0)) / sum({ANSWERS}}})'


def error_gate(**changed: Any) -> dict[str, Any]:
    """Give the gate that the tests judge by: at most one answer in ten may be an error, from ten answers on."""
    return Gate.parse(
        promql("errors", **{"query": ERRORS, "max": 0.1, "min_requests": 10, **changed})
    ).as_dict()


def connections(stack: Stack, kubeconfig: Path) -> dict[str, dict[str, Any]]:
    """Give the connections that a delivery on this stack needs, as Airflow keeps them."""
    host, _, port = stack.prometheus_url.removeprefix("http://").partition(":")
    return {
        "kubernetes_default": {"conn_type": "kubernetes", "extra": {"kube_config_path": str(kubeconfig)}},
        "prometheus_default": {"conn_type": "prometheus", "schema": "http", "host": host, "port": int(port)},
        "registry_default": {
            "conn_type": "oci_registry",
            "host": stack.registry,
            "extra": {"insecure_http": True},
        },
    }


@dataclass(frozen=True)
class Shop:
    """A running shop of three pods in a namespace of its own; orders speak for an account with the documented role."""

    stack: Stack
    namespace: str
    image: str
    kubeconfig: Path

    @classmethod
    def deploy(cls, stack: Stack, namespace: str, image: str, *, replicas: int = 3) -> Shop:
        """Deploy it, and make its account."""
        deploy_shop(stack, namespace, image, replicas=replicas)
        wait_for_counters(stack, namespace, replicas)
        account = service_account(stack, namespace, "cd", role_yaml_rules=role(namespace)["rules"])
        return cls(stack, namespace, image, account)

    @property
    def target(self) -> Target:
        """Where its releases go."""
        return Target("deployment/shop", self.namespace, {"kind": "gateway_api", "route": "shop"})

    def release(self, image: str, *, delivery: str = "d-test", asked_at: float | None = None) -> Release:
        """Give a release of an image by digest."""
        return Release(
            app="shop", image=image, digests=(image.partition("@")[2],), tag=None, delivery=delivery,
            asked_at=asked_at or time.time(), dag_id="test", run_id="test",
        )  # fmt: skip

    def order(
        self,
        image: str,
        *,
        steps: Sequence[tuple[int, float]] = ((10, 4), (50, 4)),
        gates: Sequence[Mapping[str, Any]] | None = None,
        delivery: str = "d-test",
        asked_at: float | None = None,
        max_s: float = 120,
        **more: Any,
    ) -> CanaryOrder:
        """Give an order of a canary; steps are (weight, seconds)."""
        return CanaryOrder(
            release=self.release(image, delivery=delivery, asked_at=asked_at).as_dict(),
            target=self.target.as_dict(),
            steps=[{"weight": weight, "for_s": for_s} for weight, for_s in steps],
            gates=list(gates) if gates is not None else [error_gate()],
            deadline=time.time() + max_s,
            **{"attempt": 1, "no_data_s": 60.0, **more},
        )

    def read(self, kind: str, name: str = "shop") -> dict[str, Any] | None:
        """Read an object as admin; None when it is not there."""
        return objects.read(self.stack.kubeconfig, kind, self.namespace, name)

    def pods(self, selector: str = "app=shop") -> list[dict[str, Any]]:
        """Read pods as admin."""
        return objects.listed(self.stack.kubeconfig, "pod", self.namespace, selector)

    def weights(self) -> dict[str, int | None]:
        """Read the route's backends as admin: Service → weight as it is written."""
        route = self.read("httproute")
        assert route is not None
        return {ref["name"]: ref.get("weight") for ref in route["spec"]["rules"][0]["backendRefs"]}

    def annotations(self, name: str = "shop-candidate") -> dict[str, str]:
        """Read a Deployment's annotations as admin; empty when it is not there."""
        found = self.read("deployment", name)
        notes: dict[str, str] = found["metadata"].get("annotations", {}) if found else {}
        return notes

    def images(self) -> set[str]:
        """Give what stable's template asks for."""
        found = self.read("deployment")
        assert found is not None
        return {one["image"] for one in found["spec"]["template"]["spec"]["containers"]}

    def kubectl(self, *args: str, input: str | None = None) -> str:
        """Run kubectl in its namespace, as admin."""
        return self.stack.kubectl("-n", self.namespace, *args, input=input)

    @contextmanager
    def load(self, folder: Path, *, rate_per_s: float = 50) -> Iterator[Load]:
        """Send it requests through the gateway meanwhile, for half an hour at most: longer than any test may take."""
        with Load(
            url=self.stack.gateway_url + "/", host_header=f"{self.namespace}.local", rate_per_s=rate_per_s,
            out=folder / f"load-{self.namespace}.jsonl", max_s=1800,
        ) as load:  # fmt: skip
            yield load


@dataclass
class Seen:
    """What an observer saw, sample by sample."""

    weights: list[tuple[float, tuple[int, int]]] = field(default_factory=list)
    baseline: list[int] = field(default_factory=list)  # its share in each of them
    capacity: list[int] = field(default_factory=list)  # ready pods that users can reach, both sides
    stable_images: set[str] = field(default_factory=set)
    reachable_digests: set[str] = field(default_factory=set)
    stable_pods: set[str] = field(default_factory=set)
    candidate_names: set[str] = field(default_factory=set)  # uid of each candidate Deployment

    def distinct_weights(self) -> list[int]:
        """Give the candidate's weights in the order in which they were seen, without repeats."""
        found: list[int] = []
        for _, (_, candidate) in self.weights:
            if not found or found[-1] != candidate:
                found.append(candidate)
        return found

    def holds(self, *, at_least: int, allowed_digests: set[str]) -> None:
        """Assert the invariants that hold at every instant."""
        assert self.weights, "nothing was observed"
        splits = zip(self.weights, self.baseline, strict=True)
        assert {stable + candidate + baseline for (_, (stable, candidate)), baseline in splits} == {100}
        assert min(self.capacity) >= at_least
        assert self.reachable_digests <= allowed_digests


@asynccontextmanager
async def observed(shop: Shop, *, every_s: float = 0.1) -> AsyncIterator[Seen]:
    """Sample route, Deployments and pods as admin, beside what runs in this loop and once when it has ended."""
    from cd_provider.hooks.cluster import ClusterLogin, load
    from cd_provider.hooks.cluster_client import ClusterClient

    async def configuration() -> Any:
        return await load(ClusterLogin(kube_config_path=str(shop.stack.kubeconfig)), conn_id="observer")

    seen = Seen()
    async with ClusterClient(configuration) as client:
        task = asyncio.create_task(_observe(client, shop, seen, every_s))
        try:
            yield seen
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await _look(client, shop, seen)


async def _observe(client: Any, shop: Shop, seen: Seen, every_s: float) -> None:
    from cd_provider.exceptions import TransientError

    while True:
        with suppress(TransientError):
            await _look(client, shop, seen)
        await asyncio.sleep(every_s)


async def _look(client: Any, shop: Shop, seen: Seen) -> None:
    route = f"/apis/gateway.networking.k8s.io/v1/namespaces/{shop.namespace}/httproutes/shop"
    pods = f"/api/v1/namespaces/{shop.namespace}/pods"
    deployments = f"/apis/apps/v1/namespaces/{shop.namespace}/deployments"
    answers = await asyncio.gather(client.get(route), client.get(pods), client.get(deployments))
    _note(seen, *answers)


def _note(seen: Seen, route: Any, pods: Any, deployments: Any) -> None:
    refs = {ref["name"]: ref.get("weight", 1) for ref in route["spec"]["rules"][0]["backendRefs"]}
    candidate = refs.get("shop-candidate", 0)
    baseline = refs.get("shop-baseline", 0)
    seen.baseline.append(baseline)
    seen.weights.append(
        (time.time(), (refs["shop"] if candidate or "shop-candidate" in refs else 100, candidate))
    )
    for one in deployments["items"]:
        if one["metadata"]["name"] == "shop":
            seen.stable_images.add(one["spec"]["template"]["spec"]["containers"][0]["image"])
        elif one["metadata"]["name"] == "shop-candidate":
            seen.candidate_names.add(one["metadata"]["uid"])
    ready = [pod for pod in pods["items"] if _ready(pod)]
    reached = {None: True, "candidate": candidate > 0, "baseline": baseline > 0}
    seen.capacity.append(sum(reached[_side(pod)] for pod in ready))
    for pod in ready:
        if _side(pod) is None:
            seen.stable_pods.add(pod["metadata"]["name"])
        if reached[_side(pod)]:
            seen.reachable_digests |= {
                one["imageID"].rpartition("@")[2] for one in pod["status"]["containerStatuses"]
            }


def _ready(pod: Mapping[str, Any]) -> bool:
    conditions = {one["type"]: one["status"] for one in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def _side(pod: Mapping[str, Any]) -> str | None:
    """Say whose pod it is: the candidate's, the baseline's, or (None) stable's."""
    side: str | None = pod["metadata"].get("labels", {}).get("cd-provider/side")
    return side


async def until(condition: Any, *, timeout_s: float = 30.0, what: str = "the condition") -> None:
    """Wait until a (possibly slow, synchronous) condition holds; a deadline, not a sleep, ends it."""
    deadline = time.monotonic() + timeout_s
    while not await asyncio.to_thread(condition):
        assert time.monotonic() < deadline, f"{what} did not hold within {timeout_s:g} s"
        await asyncio.sleep(0.1)
