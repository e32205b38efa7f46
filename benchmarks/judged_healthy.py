"""Healthy deliveries before the same judge: held until its verdict, then promoted; none may be stopped."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.judged_shops import JudgedShop, judge_order, judged_shop, leave, stream, verdict
from benchmarks.progress import Counter
from benchmarks.report import Figure
from benchmarks.summary import median
from cd_provider.core.order import CanaryOrder
from cd_provider.exceptions import CdProviderError
from cd_provider.triggers.promote import run_promotion
from tests.stack.images import push_shop

if TYPE_CHECKING:
    from tests.stack import Stack

SHARE, LATENCY_MS, SOURCE = 0.005, 9, "direct"
STEPS, MAX_S = ((10, 20.0), (50, 20.0)), 1060.0  # as a canary has it by default: its steps and 17 minutes
# more lanes or requests keep two cores busy, and on busy ones newer pods are truly slower
LANES, RATE_PER_S, PROMOTION_S = 4, 60.0, 300.0
VERSIONS = ("bench-healthy-a", "bench-healthy-b")


@dataclass(frozen=True)
class Lane:
    """One shop under load, and the two images that are delivered to it in turn."""

    shop: JudgedShop
    images: Sequence[str]


def push_healthy(stack: Stack, version: str) -> str:
    """Push a version with a few errors, whose latencies lie around a bucket's edge (10 ms) instead of far below it."""
    return push_shop(stack, version, error_share=SHARE, latency_ms=LATENCY_MS)


def measure(stack: Stack, folder: Path, total: int) -> list[dict[str, Any]]:
    """Run ``total`` deliveries, some side by side; give a sample for each."""
    images = [push_healthy(stack, version) for version in VERSIONS]
    with ExitStack() as opened:
        lanes = []
        for _ in range(min(LANES, total)):
            shop = opened.enter_context(judged_shop(stack, images[0]))
            opened.enter_context(stream(shop, folder, rate_per_s=RATE_PER_S))
            lanes.append(Lane(shop, images))
        return asyncio.run(run_all(lanes, total))


async def run_all(lanes: Sequence[Lane], total: int) -> list[dict[str, Any]]:
    """Let every lane take what is still to do, until nothing is left."""
    left, counter, samples = (
        list(range(total, 0, -1)),
        Counter("healthy delivery", total),
        list[dict[str, Any]](),
    )

    async def follow(lane: Lane) -> None:
        while left:
            samples.append(one := await deliver(lane, number=left.pop()))
            counter.tell(
                f"{one['kind']} after {one['verdict_after_s']:.0f} s, "
                f"{'promoted' if one['promoted'] else 'not promoted'}: {one['line']}"
            )

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(follow(lane))
    return samples


async def deliver(lane: Lane, *, number: int) -> dict[str, Any]:
    """Run canary and promotion of the image that stable does not run."""
    shop, running = lane.shop, await asyncio.to_thread(lane.shop.images)
    image = next(one for one in lane.images if one not in running)
    order = judge_order(shop, image, source=SOURCE, steps=STEPS, delivery=f"healthy-{number}", max_s=MAX_S)
    began = time.time()
    event = await verdict(order)
    took = time.time() - began
    if event["kind"] == "PASS":
        event["line"] += await promote(order)
    await leave(order)
    promoted = await asyncio.to_thread(shop.images) == {image}
    return {
        "what": "healthy",
        "kind": event["kind"],
        "verdict_after_s": round(took, 1),
        "promoted": promoted,
        "line": event["line"],
    }


async def promote(order: CanaryOrder) -> str:
    """Promote, with a deadline of its own; give what went wrong, empty when nothing did."""
    try:
        await run_promotion(replace(order, deadline=time.time() + PROMOTION_S), drain_s=1)
    except CdProviderError as err:
        return f"; {err}"
    return ""


def figures(samples: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Make the figures."""
    times = [one["verdict_after_s"] for one in samples if one["kind"] == "PASS"]
    stopped = sum(not one["promoted"] for one in samples)
    return [
        Figure(key="healthy", label="healthy deliveries, direct", value=len(samples), unit=""),
        Figure(key="healthy_stopped", label="… that were not promoted", value=stopped, unit="", at_most=0),
        Figure(
            key="healthy_pass_median_s", label="… start → PASS, median", value=median(times) if times else None
        ),
        Figure(key="healthy_pass_max_s", label="… the longest", value=max(times, default=None)),
    ]  # fmt: skip
