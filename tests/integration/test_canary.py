"""A canary on the real cluster, from its first write to promotion or back."""

from __future__ import annotations

import asyncio
import json

import pytest
from airflow.triggers.base import TriggerEvent

from cd_provider.core.release import Verdict
from cd_provider.exceptions import NotPassedError, PermanentError, ReleaseBusyError
from cd_provider.triggers.canary import CanaryTrigger, run_order
from cd_provider.triggers.promote import run_promotion
from tests.integration.deliveries import Shop, error_gate, observed, until
from tests.stack import Stack
from tests.stack.images import push_shop
from tests.stack.load import Load

STEPS = ((10, 3), (25, 3), (50, 3))


async def first_event(trigger: CanaryTrigger) -> TriggerEvent:
    """Run a trigger as the triggerer does."""
    async for event in trigger.run():
        return event
    raise AssertionError("the trigger ended without an event")


def digest(image: str) -> str:
    return image.partition("@")[2]


async def test_a_good_canary_goes_through_every_weight_and_ends_with_only_the_new_revision(
    shop: Shop, load: Load, v1: str, v2: str
) -> None:
    order = shop.order(v2, steps=STEPS)

    async with observed(shop) as seen:
        event = await run_order(order)
        line = await run_promotion(order, drain_s=1)

    assert event["kind"] == "PASS"
    assert seen.distinct_weights() == [0, 10, 25, 50, 0]
    seen.holds(at_least=3, allowed_digests={digest(v1), digest(v2)})
    assert shop.images() == {v2}
    assert "3 of 3 ready pods" in line
    assert shop.read("deployment", "shop-candidate") is None
    assert shop.read("service", "shop-candidate") is None
    assert shop.weights() == {"shop": 1}
    assert load.record().failed() == 0


async def test_a_bad_candidate_is_off_traffic_and_stable_is_not_touched(
    shop: Shop, load: Load, v1: str, bad: str
) -> None:
    stable_before = {pod["metadata"]["uid"] for pod in shop.pods()}

    async with observed(shop) as seen:
        event = await run_order(shop.order(bad, steps=[(10, 30)]))

    assert event["kind"] == "FAIL"
    assert "allowed at most 0.1" in event["line"]
    assert shop.weights()["shop-candidate"] == 0
    assert event["off_at"] >= event["decided_at"]
    seen.holds(at_least=3, allowed_digests={digest(v1), digest(bad)})
    assert seen.stable_images == {v1}
    assert {pod["metadata"]["uid"] for pod in shop.pods()} == stable_before
    last = load.record().last_seen("bad")
    assert last is not None
    assert last < event["off_at"] + 1


@pytest.mark.parametrize("step", [0, 1, 2])
async def test_an_abort_at_each_step_takes_traffic_off_first_and_leaves_no_trace(
    shop: Shop, load: Load, v1: str, v2: str, step: int
) -> None:
    steps = [(weight, 60 if index == step else 1) for index, (weight, _) in enumerate(STEPS)]
    trigger = CanaryTrigger(order=shop.order(v2, steps=steps).as_dict())
    running = asyncio.create_task(first_event(trigger))
    await until(lambda: shop.weights().get("shop-candidate") == STEPS[step][0], what=f"step {step}")

    async with observed(shop) as seen:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await trigger.on_kill()

    assert shop.weights() == {"shop": 1}
    assert shop.read("deployment", "shop-candidate") is None
    assert shop.images() == {v1}
    seen.holds(at_least=3, allowed_digests={digest(v1), digest(v2)})
    assert load.record().failed() == 0


async def test_stopping_what_never_began_is_a_no_op(shop: Shop, v2: str) -> None:
    before = shop.read("deployment")

    await CanaryTrigger(order=shop.order(v2).as_dict()).on_kill()

    assert before is not None
    after = shop.read("deployment")
    assert after is not None
    assert after["metadata"]["generation"] == before["metadata"]["generation"]
    assert shop.weights() == {"shop": 1}


async def test_no_data_at_the_end_is_not_a_pass(shop: Shop, load: Load, v2: str) -> None:
    silent = error_gate(query='sum(no_such_metric{service="$candidate"})', min_requests=None)

    event = await run_order(shop.order(v2, steps=[(10, 1)], gates=[silent], no_data_s=6))

    assert event["kind"] == "INCONCLUSIVE"
    assert "no data" in event["line"]
    assert shop.weights()["shop-candidate"] == 0


async def test_a_candidate_that_crashes_gets_no_traffic(shop: Shop, stack: Stack, load: Load) -> None:
    crashing = push_shop(stack, "crashing", crash=True)

    async with observed(shop) as seen:
        event = await run_order(shop.order(crashing))

    assert event["kind"] == "FAIL"
    assert "exit code 1" in event["line"] or "CrashLoopBackOff" in event["line"]
    assert seen.distinct_weights() == [0]
    assert load.record().count("crashing") == 0


async def test_an_image_that_cannot_be_pulled_names_the_clusters_own_pull_secret(shop: Shop) -> None:
    missing = f"{shop.stack.registry}/shop@sha256:{'0' * 64}"

    event = await run_order(shop.order(missing))

    assert event["kind"] == "FAIL"
    assert "pull secret" in event["line"]


async def test_a_pod_that_runs_another_digest_than_the_verified_one_gets_no_traffic(
    shop: Shop, load: Load, v2: str, bad: str
) -> None:
    order = shop.order(v2)
    other = {**order.release, "digests": [digest(bad)]}

    event = await run_order(shop.order(v2).parse({**order.as_dict(), "release": other}))

    assert event["kind"] == "FAIL"
    assert "not the verified image" in event["line"]
    assert load.record().count("v2") == 0


async def test_of_two_deliveries_of_one_app_the_second_is_refused_and_the_holder_is_named(
    shop: Shop, load: Load, v2: str, bad: str
) -> None:
    first = asyncio.create_task(run_order(shop.order(v2, steps=[(10, 8)], delivery="d-first")))
    await until(lambda: shop.weights().get("shop-candidate") == 10)

    with pytest.raises(ReleaseBusyError, match="d-first"):
        await run_order(shop.order(bad, delivery="d-second"))

    assert (await first)["kind"] == "PASS"
    assert load.record().count("bad") == 0


async def test_a_lease_that_ran_out_is_taken_over_and_its_candidate_is_cleaned_up(
    shop: Shop, load: Load, v2: str, bad: str
) -> None:
    abandoned = asyncio.create_task(run_order(shop.order(bad, steps=[(10, 60)], gates=[], delivery="d-dead")))
    await until(lambda: shop.weights().get("shop-candidate") == 10)
    abandoned.cancel()
    await asyncio.gather(abandoned, return_exceptions=True)
    lease = {"spec": {"renewTime": "2020-01-01T00:00:00.000000Z"}}
    shop.kubectl("patch", "lease", "cd-provider-deployment-shop", "--type=merge", "-p", json.dumps(lease))

    event = await run_order(shop.order(v2, steps=[(10, 2)], delivery="d-next"))

    assert event["kind"] == "PASS"
    assert shop.annotations()["cd-provider/delivery"] == "d-next"
    assert shop.images() == {shop.image}


async def test_a_restarted_trigger_goes_on_where_the_cluster_stands(shop: Shop, load: Load, v2: str) -> None:
    order = shop.order(v2, steps=[(10, 1), (50, 8)])
    async with observed(shop) as seen:
        first = asyncio.create_task(run_order(order))
        await until(lambda: shop.annotations().get("cd-provider/step") == "1")
        await until(lambda: shop.annotations().get("cd-provider/step-started"))
        started = shop.annotations()["cd-provider/step-started"]
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)

        event = await run_order(order)

    assert event["kind"] == "PASS"
    assert seen.distinct_weights() == [0, 10, 50]
    assert shop.annotations()["cd-provider/step-started"] == started
    assert len(seen.candidate_names) == 1


async def test_a_change_of_stables_template_does_not_restart_a_candidate_under_judgement(
    shop: Shop, load: Load, v2: str
) -> None:
    running = asyncio.create_task(run_order(shop.order(v2, steps=[(10, 1), (50, 4)])))
    await until(lambda: shop.weights().get("shop-candidate") == 10)
    first = {pod["metadata"]["uid"] for pod in shop.pods("cd-provider/side=candidate")}
    shop.kubectl("set", "env", "deployment/shop", "COLOUR=blue")

    assert (await running)["kind"] == "PASS"
    assert first <= {pod["metadata"]["uid"] for pod in shop.pods("cd-provider/side=candidate")}


async def test_a_release_is_not_judged_by_what_an_earlier_one_left(
    shop: Shop, load: Load, v2: str, bad: str
) -> None:
    """The bad one's pods live on for a grace period, and its errors stand in Prometheus for a scrape or two."""
    first = shop.order(bad, steps=[(50, 60)], delivery="d-bad")
    assert (await run_order(first))["kind"] == "FAIL"
    await CanaryTrigger(order=first.as_dict()).on_kill()

    event = await run_order(shop.order(v2, steps=STEPS, delivery="d-next"))

    assert event["kind"] == "PASS", event["line"]


async def test_a_cleared_canary_adopts_its_candidate_and_starts_at_step_one(
    shop: Shop, load: Load, v2: str
) -> None:
    old = CanaryTrigger(order=shop.order(v2, steps=[(10, 1), (50, 60)]).as_dict())
    running = asyncio.create_task(first_event(old))
    await until(lambda: shop.weights().get("shop-candidate") == 50)
    async with observed(shop) as seen:
        second = asyncio.create_task(run_order(shop.order(v2, steps=[(10, 6), (50, 2)], attempt=2)))
        await until(lambda: shop.annotations().get("cd-provider/attempt") == "2")
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await old.on_kill()  # Airflow calls it after the new attempt has begun

        event = await second

    assert event["kind"] == "PASS"
    assert seen.distinct_weights() == [50, 0, 10, 50]
    assert len(seen.candidate_names) == 1
    assert shop.annotations()["cd-provider/attempt"] == "2"


async def test_a_stored_verdict_outlives_the_process_that_found_it(shop: Shop, load: Load, bad: str) -> None:
    order = shop.order(bad, steps=[(10, 60)])
    first = await run_order(order)

    again = await run_order(order)

    assert (first["kind"], again["kind"]) == ("FAIL", "FAIL")
    assert again["line"] == first["line"]
    assert load.record().last_seen("bad") < first["off_at"] + 1


async def test_promotion_without_a_stored_pass_is_refused_and_touches_nothing(
    shop: Shop, load: Load, v1: str, bad: str
) -> None:
    order = shop.order(bad, steps=[(10, 60)])
    await run_order(order)

    with pytest.raises(NotPassedError, match="FAIL"):
        await run_promotion(order, drain_s=1)

    assert shop.images() == {v1}


async def test_a_pass_of_other_gates_promotes_nothing(shop: Shop, load: Load, v1: str, v2: str) -> None:
    await run_order(shop.order(v2, steps=[(10, 1)]))

    with pytest.raises(NotPassedError, match="gates"):
        await run_promotion(shop.order(v2, gates=[error_gate(max=0.2)]), drain_s=1)

    assert shop.images() == {v1}
    assert Verdict.read(shop.annotations()["cd-provider/verdict"])


async def test_an_older_release_does_not_come_back_unasked(shop: Shop, load: Load, v1: str, v2: str) -> None:
    newer = shop.order(v2, steps=[(10, 1)], delivery="d-newer", asked_at=2000.0)
    await run_order(newer)
    await run_promotion(newer, drain_s=1)
    shop.kubectl("delete", "lease", "cd-provider-deployment-shop")

    with pytest.raises(PermanentError, match="allow_downgrade"):
        await run_order(shop.order(v1, delivery="d-older", asked_at=1000.0))

    assert shop.images() == {v2}
    assert shop.read("deployment", "shop-candidate") is None


async def test_a_window_that_closed_meanwhile_stops_the_first_write(shop: Shop, v2: str) -> None:
    week = [{"days": "daily", "from": "00:00", "to": "24:00", "zone": "UTC"}]
    frozen = [{"from": "2020-01-01T00:00Z", "to": "2099-01-01T00:00Z", "reason": "year end"}]
    frozen[0]["to"] = "2027-06-01T00:00Z"

    with pytest.raises(PermanentError, match="year end"):
        await run_order(shop.order(v2, window={"weekly": week, "freezes": frozen}))

    assert shop.read("deployment", "shop-candidate") is None


async def test_a_candidate_that_goes_bad_while_stable_is_promoted_is_taken_back(
    shop: Shop, load: Load, v1: str, stack: Stack
) -> None:
    late = push_shop(stack, "late", ready_after_s=4)
    order = shop.order(late, steps=[(50, 2)])
    await run_order(order)
    promoting = asyncio.create_task(run_promotion(order, drain_s=1))
    await until(lambda: shop.images() == {late})
    address = shop.pods("cd-provider/side=candidate")[0]["status"]["podIP"]
    await asyncio.to_thread(_break, address)

    with pytest.raises(PermanentError, match="stable's own image is back"):
        await promoting

    assert shop.images() == {v1}
    assert shop.weights() == {"shop": 1}
    assert shop.read("deployment", "shop-candidate") is None


def _break(address: str) -> None:
    import httpx

    httpx.post(f"http://{address}:8080/admin/error-share", params={"value": "1"}).raise_for_status()
