"""
Exposure: how long users get bad answers, and what the same gate does to a service that is healthy.

Anybody can be fast by stopping everything, so both are measured with one and the same gate, on the real stack, with
Prometheus scraping every 5 s. The peers were measured earlier, on the same kind of stack and load.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.progress import Counter
from benchmarks.report import Figure, Report
from benchmarks.summary import median
from benchmarks.world import running_shop, running_stack
from cd_provider.core.order import CanaryOrder
from cd_provider.triggers.canary import CanaryTrigger, run_order
from cd_provider.triggers.promote import run_promotion
from tests.integration.deliveries import Shop, error_gate
from tests.stack.images import push_shop
from tests.stack.load import Load
from tests.stack.load_record import Record

if TYPE_CHECKING:
    from tests.stack import Stack

RUNS, HEALTHY_RUNS, RATE_PER_S = 10, 8, 50
BAD_SHARE, HEALTHY_SHARE, WEIGHT = 0.3, 0.005, 10
HEALTHY_STEPS = ((10, 20), (50, 20))
TARGET_S = 8.0
FLAGGER, ARGO = "Flagger 1.44", "Argo Rollouts"
SETTINGS = {
    "requests_per_s": RATE_PER_S, "error_share": BAD_SHARE, "weight": WEIGHT, "scrape_s": 5,
    "healthy_error_share": HEALTHY_SHARE, "healthy_steps": HEALTHY_STEPS, "gate": error_gate(every_s=1),
}  # fmt: skip


def run(runs: int | None = None) -> Report:
    """Measure ``runs`` bad candidates (10), as many healthy deliveries (8), and one that crashes."""
    with running_stack() as stack, tempfile.TemporaryDirectory() as folder:
        bad = asyncio.run(bad_ones(stack, Path(folder), runs or RUNS))
        healthy = asyncio.run(healthy_ones(stack, Path(folder), runs or HEALTHY_RUNS))
    return report(bad[:-1], bad[-1], healthy)


async def bad_ones(stack: Stack, folder: Path, total: int) -> list[dict[str, Any]]:
    """Deliver a bad image again and again; last one that crashes."""
    stable, bad = push_shop(stack, "bench-v1"), push_shop(stack, "bench-bad", error_share=BAD_SHARE)
    crashing = push_shop(stack, "bench-crashing", crash=True)
    counter, samples = Counter("bad candidate", total + 1), []
    with running_shop(stack, stable) as shop, shop.load(folder, rate_per_s=RATE_PER_S) as load:
        for number, image in enumerate([bad] * total + [crashing], 1):
            version = "bench-crashing" if image is crashing else "bench-bad"
            samples.append(one := await deliver_bad(shop, load, image, version, number=number))
            counter.tell(f"{one['kind']}, {one['exposure_s']} s, {one['failed']} failed")
    return samples


async def deliver_bad(shop: Shop, load: Load, image: str, version: str, *, number: int) -> dict[str, Any]:
    """Run one canary to its verdict, and clean up as the abort task does."""
    order = shop.order(
        image, steps=[(WEIGHT, 120)], gates=[error_gate(every_s=1)], delivery=f"bad-{number}", max_s=300
    )
    began = time.time()
    event = await run_order(order)
    await leave(order)
    return sample(event, load.record().between(began), version, began=began)


async def leave(order: CanaryOrder) -> None:
    """Remove what is left of a canary, and free the lock."""
    await CanaryTrigger(order=order.as_dict()).on_kill()


def sample(event: dict[str, Any], record: Record, version: str, *, began: float) -> dict[str, Any]:
    """
    Put one verdict beside what users saw; ``record`` holds every request since the canary began.

    ``requests`` are those that the candidate answered; ``failed`` all that failed, whoever answered: stable fails none.
    ``exposure_s``: from the end of the first bad answer until the router had taken weight 0;
    ``last_answer_s``: until the end of the candidate's last answer. None when users saw nothing bad.
    """
    candidate, off_at = record.of(version), event.get("off_at")
    first_bad = candidate.first_bad()
    last = max((one.answered_at for one in candidate.requests), default=None)
    return {
        "kind": event["kind"],
        "verdict_after_s": round(event["decided_at"] - began, 3),
        "exposure_s": round(off_at - first_bad, 3) if first_bad and off_at else None,
        "last_answer_s": round(last - first_bad, 3) if first_bad and last else None,
        "requests": candidate.count(),
        "failed": record.failed(),
        "line": event["line"],
    }


async def healthy_ones(stack: Stack, folder: Path, total: int) -> list[dict[str, Any]]:
    """Deliver one healthy image after the other, each to its end."""
    versions = ("bench-healthy-a", "bench-healthy-b")
    images = [push_shop(stack, version, error_share=HEALTHY_SHARE) for version in versions]
    counter, samples = Counter("healthy delivery", total), []
    with running_shop(stack, images[0]) as shop, shop.load(folder, rate_per_s=RATE_PER_S):
        for number in range(1, total + 1):
            samples.append(one := await deliver_healthy(shop, images[number % 2], number=number))
            counter.tell(f"{one['kind']}, {'promoted' if one['promoted'] else 'not promoted'}: {one['line']}")
    return samples


async def deliver_healthy(shop: Shop, image: str, *, number: int) -> dict[str, Any]:
    """Run canary and promotion."""
    gates = [error_gate(every_s=1)]
    order = shop.order(image, steps=HEALTHY_STEPS, gates=gates, delivery=f"healthy-{number}", max_s=300)
    event = await run_order(order)
    if event["kind"] == "PASS":
        await run_promotion(order, drain_s=1)
    await leave(order)
    return {"kind": event["kind"], "promoted": shop.images() == {image}, "line": event["line"]}


def report(
    bad: Sequence[dict[str, Any]], crashing: dict[str, Any], healthy: Sequence[dict[str, Any]]
) -> Report:
    """Make the figures."""
    exposed = [one["exposure_s"] for one in bad if one["exposure_s"] is not None]
    last = [one["last_answer_s"] for one in bad if one["last_answer_s"] is not None]
    failed = [one["failed"] for one in bad]
    promoted = sum(one["promoted"] for one in healthy)
    missed = sum(one["kind"] != "FAIL" or one["exposure_s"] is None for one in bad)
    figures = [
        Figure(key="bad", label="bad deliveries", value=len(bad), unit=""),
        Figure(key="not_stopped", label="… not stopped by the gate", value=missed, unit="", at_most=0),
        Figure(
            key="exposure_median_s", label="first bad answer → weight 0, median", value=median(exposed),
            at_most=TARGET_S, beside={FLAGGER: [20.0], ARGO: [4.8, 9.4]},
        ),
        Figure(key="exposure_max_s", label="… the longest", value=max(exposed)),
        Figure(key="last_answer_median_s", label="first bad → candidate's last answer, median", value=median(last)),
        Figure(key="last_answer_max_s", label="… the longest", value=max(last)),
        Figure(
            key="failed_median", label="failed requests, median", value=median(failed), unit="",
            beside={FLAGGER: [27, 41], ARGO: [6, 23]},
        ),
        Figure(key="failed_max", label="… the most", value=max(failed), unit=""),
        Figure(key="healthy", label="healthy deliveries", value=len(healthy), unit=""),
        Figure(
            key="healthy_stopped", label="… that were not promoted", value=len(healthy) - promoted, unit="", at_most=0,
            beside={FLAGGER: [6], ARGO: [8]},
        ),
        Figure(
            key="crashing_failed", label="failed requests of a candidate that crashes at once",
            value=crashing["failed"], unit="", at_most=0, beside={FLAGGER: [0], ARGO: [13]},
        ),
        Figure(key="crashing_requests", label="… requests it was given", value=crashing["requests"], unit=""),
        Figure(key="crashing_verdict_s", label="… start → its verdict", value=crashing["verdict_after_s"]),
    ]  # fmt: skip
    samples = [
        *({"what": "bad", **one} for one in bad),
        {"what": "crashing", **crashing},
        *({"what": "healthy", **one} for one in healthy),
    ]
    return Report(
        name="exposure", title="Exposure: 30 % errors at 10 % weight, 50 requests/s, 5 s scrape",
        figures=figures, samples=samples, settings=SETTINGS,
        notes=[
            "One gate for all: errors of the candidate's pods, max=0.1, min_requests=10, every_s=1. Each healthy "
            "delivery: 0.5 % errors on both sides, 20 s at 10 %, 20 s at 50 %, then promoted.",
            f"{FLAGGER} (10 s interval, one miss) and {ARGO} (5 s interval, no failure allowed), limits as sharp as "
            "they go, were measured earlier on the same kind of stack, with 8 healthy deliveries each. "
            "In brackets: theirs as a multiple of ours.",
        ],
    )  # fmt: skip
