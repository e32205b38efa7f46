"""Shops for canaries that are judged side by side: each has a namespace, a connection and a stream of its own."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.progress import say
from benchmarks.world import as_variables, environment
from cd_provider.core.access import DELIVERY_PERMISSIONS, DIRECT_PERMISSIONS, role
from cd_provider.core.gate import parse_gates
from cd_provider.core.judge_gate import judge
from cd_provider.core.order import CanaryOrder
from cd_provider.core.release import Target
from cd_provider.exceptions import CdProviderError
from cd_provider.triggers.canary import CanaryTrigger, run_order
from tests.integration.deliveries import Shop, connections
from tests.stack.access import service_account
from tests.stack.load import Load
from tests.stack.shop import remove

if TYPE_CHECKING:
    from tests.stack import Stack

STREAM_S = 7200.0  # the longest that a load generator sends
CANDIDATE_MIN = 2  # as the page on judges says: with a single pod nobody can tell the version from its host


@dataclass(frozen=True)
class JudgedShop(Shop):
    """A shop whose orders name a connection of their own, so that one process runs several of them."""

    @property
    def conn_id(self) -> str:
        """The connection's name, made of the namespace's."""
        return self.namespace.replace("-", "_")

    @property
    def target(self) -> Target:
        """Where its releases go, and by whose rights."""
        return replace(super().target, kubernetes_conn_id=self.conn_id)


@contextmanager
def judged_shop(stack: Stack, image: str, *, replicas: int = 3) -> Iterator[JudgedShop]:
    """Some pods of an image, and an account of the documented role that may read pods' pages; removed behind it."""
    namespace = f"bench-{uuid.uuid4().hex[:8]}"
    try:
        JudgedShop.deploy(stack, namespace, image, replicas=replicas)
        rules = role(namespace, (*DELIVERY_PERMISSIONS, *DIRECT_PERMISSIONS))["rules"]
        account = service_account(stack, namespace, "judged", role_yaml_rules=rules)
        shop = JudgedShop(stack, namespace, image, account)
        known = connections(stack, account)
        known[shop.conn_id] = known.pop("kubernetes_default")
        with environment(as_variables(known)):
            yield shop
    finally:
        remove(stack, namespace)


def stream(shop: Shop, folder: Path, *, rate_per_s: float) -> Load:
    """Give requests through the gateway for as long as a benchmark may last, two hours."""
    return Load(
        url=shop.stack.gateway_url + "/", host_header=f"{shop.namespace}.local", rate_per_s=rate_per_s,
        out=folder / f"load-{shop.namespace}.jsonl", max_s=STREAM_S,
    )  # fmt: skip


def judge_order(
    shop: Shop, image: str, *, source: str, steps: Sequence[tuple[int, float]], delivery: str, max_s: float
) -> CanaryOrder:
    """Give an order with one judge, whose first trip ends the canary."""
    gates = gates_of(judge(preset="demo", source=source, on_trip="fail"))
    return shop.order(
        image, steps=steps, gates=gates, delivery=delivery, max_s=max_s, candidate_min=CANDIDATE_MIN,
        asked_at=time.time(),
    )  # fmt: skip


def gates_of(*given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Give gates as an order keeps them."""
    return [gate.as_dict() for gate in parse_gates(given)]


async def verdict(order: CanaryOrder) -> dict[str, Any]:
    """Run one canary; an error ends it as the kind ERROR, so that one of many does not end all."""
    try:
        event = await run_order(order)
    except CdProviderError as err:
        event = {"kind": "ERROR", "line": str(err)}
    return {"decided_at": time.time(), **event}


async def leave(order: CanaryOrder) -> None:
    """Remove what is left of a canary, as the abort task does, and free the lock; what fails, the next one mends."""
    try:
        await CanaryTrigger(order=order.as_dict()).on_kill()
    except CdProviderError as err:
        say(f"cleaning up: {err}")
