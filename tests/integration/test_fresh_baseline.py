"""A canary beside a fresh baseline on the real cluster."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from cd_provider.core.gate import parse_gates
from cd_provider.core.judge_gate import judge
from cd_provider.exceptions import PermanentError
from cd_provider.triggers.canary import CanaryTrigger, run_order
from cd_provider.triggers.promote import run_promotion
from tests.integration.deliveries import Shop, observed, until
from tests.integration.test_canary import digest, first_event
from tests.stack.load import Load

FRESH = [gate.as_dict() for gate in parse_gates([judge(preset="demo", baseline="fresh")])]
OURS = ("shop-candidate", "shop-baseline")


def left(shop: Shop) -> list[str]:
    """Name what is left of a canary."""
    kinds = ("deployment", "service")
    return [f"{kind} {name}" for kind in kinds for name in OURS if shop.read(kind, name) is not None]


async def test_one_like_its_baseline_passes_and_is_promoted_without_a_failed_request(
    shop: Shop, tmp_path: Path, v1: str, v2: str
) -> None:
    order = shop.order(v2, steps=[(25, 5), (40, 5)], gates=FRESH, candidate_min=2, max_s=900)

    with shop.load(tmp_path, rate_per_s=200) as load:
        async with observed(shop) as seen:
            event = await run_order(order)
            assert shop.weights() == {"shop": 20, "shop-candidate": 40, "shop-baseline": 40}
            line = await run_promotion(order, drain_s=1)

    assert event["kind"] == "PASS", event["line"]
    assert "baseline requests" in event["line"]
    assert set(seen.baseline) == {0, 25, 40}
    seen.holds(at_least=3, allowed_digests={digest(v1), digest(v2)})
    assert "3 of 3 ready pods" in line
    assert shop.images() == {v2}
    assert shop.weights() == {"shop": 1}
    assert left(shop) == []
    assert load.record().failed() == 0


async def test_a_bad_candidate_takes_the_baselines_share_back_too(
    shop: Shop, load: Load, v1: str, bad: str
) -> None:
    once = [gate.as_dict() for gate in parse_gates([judge(preset="demo", baseline="fresh", on_trip="fail")])]

    async with observed(shop) as seen:
        event = await run_order(shop.order(bad, steps=[(10, 60)], gates=once, candidate_min=2, max_s=600))

    assert event["kind"] == "FAIL"
    assert shop.weights() == {"shop": 100, "shop-candidate": 0, "shop-baseline": 0}
    seen.holds(at_least=3, allowed_digests={digest(v1), digest(bad)})
    assert load.record().last_seen("bad") <= event["off_at"] + 1


async def test_an_abort_removes_both_and_fails_no_request(shop: Shop, load: Load, v1: str, v2: str) -> None:
    trigger = CanaryTrigger(order=shop.order(v2, steps=[(25, 60)], gates=FRESH, max_s=600).as_dict())
    running = asyncio.create_task(first_event(trigger))
    await until(lambda: shop.weights().get("shop-baseline") == 25)

    async with observed(shop) as seen:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await trigger.on_kill()

    assert shop.weights() == {"shop": 1}
    assert left(shop) == []
    seen.holds(at_least=3, allowed_digests={digest(v1), digest(v2)})
    assert load.record().failed() == 0


async def test_a_baseline_that_is_deleted_ends_it_without_a_verdict(shop: Shop, load: Load, v2: str) -> None:
    running = asyncio.create_task(run_order(shop.order(v2, steps=[(10, 60)], gates=FRESH, max_s=600)))
    await until(lambda: shop.weights().get("shop-baseline") == 10)
    shop.kubectl("delete", "deployment", "shop-baseline")

    event = await running

    assert event["kind"] == "INCONCLUSIVE"
    assert "the baseline was deleted in mid-canary" in event["line"]
    assert shop.weights() == {"shop": 100, "shop-candidate": 0, "shop-baseline": 0}


async def test_the_next_delivery_cleans_up_behind_one_that_had_a_baseline(
    shop: Shop, load: Load, v1: str, v2: str
) -> None:
    dead = asyncio.create_task(
        run_order(shop.order(v2, steps=[(10, 60)], gates=FRESH, delivery="d-dead", max_s=600))
    )
    await until(lambda: shop.weights().get("shop-baseline") == 10)
    dead.cancel()
    await asyncio.gather(dead, return_exceptions=True)
    lease = {"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}}
    shop.kubectl("patch", "lease", "cd-provider-deployment-shop", "--type=merge", "-p", json.dumps(lease))

    event = await run_order(shop.order(v2, steps=[(10, 2)], delivery="d-next"))

    assert event["kind"] == "PASS", event["line"]
    assert shop.weights() == {"shop": 90, "shop-candidate": 10}
    assert shop.read("deployment", "shop-baseline") is None


async def test_another_attempt_makes_both_anew(shop: Shop, load: Load, v2: str) -> None:
    first = asyncio.create_task(run_order(shop.order(v2, steps=[(10, 60)], gates=FRESH, max_s=600)))
    await until(lambda: shop.weights().get("shop-baseline") == 10)
    before = {name: (shop.read("deployment", name) or {})["metadata"]["uid"] for name in OURS}

    second = asyncio.create_task(
        run_order(shop.order(v2, steps=[(10, 60)], gates=FRESH, max_s=600, attempt=2))
    )
    await until(lambda: shop.annotations("shop-baseline").get("cd-provider/attempt") == "2")
    after = {name: (shop.read("deployment", name) or {})["metadata"]["uid"] for name in OURS}
    for task in (first, second):
        task.cancel()
    await asyncio.gather(first, second, return_exceptions=True)

    assert not set(before.values()) & set(after.values())


async def test_somebody_elses_service_in_its_place_is_refused_and_nothing_is_touched(
    shop: Shop, v2: str
) -> None:
    shop.kubectl("create", "service", "clusterip", "shop-baseline", "--tcp=80:80")

    with pytest.raises(PermanentError, match=r"shop-baseline .*not ours"):
        await run_order(shop.order(v2, gates=FRESH))

    assert shop.weights() == {"shop": 1}
    assert shop.read("deployment", "shop-candidate") is None
