"""A plan of a shop on the real stack, what it finds, and that it has touched nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from cd_provider.core.gate import promql
from cd_provider.exceptions import PlanError
from cd_provider.operators.plan import ReleasePlanOperator
from cd_provider.pipelines import gateway_api
from tests.integration.deliveries import Shop

SILENT = "sum(nobody_exports_this{service='$candidate'})"
READY = "sum(up{namespace='$namespace',pod=~'$pods'})"
WEEK = {"days": "daily", "from": "00:00", "to": "24:00", "zone": "UTC"}


def gate(name: str = "errors", **changed: Any) -> dict[str, Any]:
    return promql(name, **{"query": READY, "min": 0, **changed})


def context(*, dagrun_timeout: timedelta | None = None) -> Any:
    run = SimpleNamespace(
        dag_id="shop_delivery",
        run_id="manual__1",
        run_after=datetime.now(UTC),
        start_date=None,
        triggering_user_name="ada",
    )
    return {"dag_run": run, "dag": SimpleNamespace(dag_id="shop_delivery", dagrun_timeout=dagrun_timeout)}


async def plan(
    shop: Shop,
    image: str,
    *,
    dagrun_timeout: timedelta | None = None,
    rendered: Mapping[str, Any] | None = None,
    **changed: Any,
) -> list[str]:
    """
    Run a plan's checks; give its hints.

    :param rendered: what templates came to, which no parser has seen.
    """
    given: dict[str, Any] = {
        "app": "shop", "image": image, "workload": "deployment/shop", "namespace": shop.namespace,
        "router": gateway_api(route="shop"), "steps": [10, 50], "gates": [gate()], **changed,
    }  # fmt: skip
    operator = ReleasePlanOperator(task_id="plan", **given)
    for name, value in (rendered or {}).items():
        setattr(operator, name, value)
    return await operator.aexecute(context(dagrun_timeout=dagrun_timeout))


@contextmanager
def untouched(shop: Shop) -> Iterator[None]:
    """Make sure that nothing in the namespace was written meanwhile."""

    def world() -> Any:
        listed = json.loads(shop.kubectl("get", "services,leases", "-o", "json"))["items"]
        versions = {
            (one["kind"], one["metadata"]["name"]): one["metadata"]["resourceVersion"] for one in listed
        }
        with_status = json.loads(shop.kubectl("get", "deployments,httproutes", "-o", "json"))["items"]
        # a controller writes it, so that their version says nothing about us
        specs = {
            (one["kind"], one["metadata"]["name"]): (one["metadata"]["generation"], _notes(one))
            for one in with_status
        }
        return versions, specs

    before = world()
    yield
    assert world() == before
    assert "Lease" not in {kind for kind, _ in before[0]}


def _notes(one: Mapping[str, Any]) -> dict[str, str]:
    notes = one["metadata"].get("annotations", {})
    return {key: text for key, text in notes.items() if not key.startswith("deployment.kubernetes.io/")}


async def faults_of(shop: Shop, image: str, **changed: Any) -> tuple[str, ...]:
    """Give what a plan finds that stays until a person acts."""
    with untouched(shop), pytest.raises(PlanError) as caught:
        await plan(shop, image, **changed)
    return caught.value.faults


async def the_fault(shop: Shop, image: str, **changed: Any) -> str:
    """Give the one fault that a plan finds."""
    faults = await faults_of(shop, image, **changed)
    assert len(faults) == 1, faults
    return faults[0]
