"""
Abort: from the verdict to weight 0, by the loop that every canary runs, on the real stack.

One candidate that fails every request is kept. Attempt after attempt gives it half of the traffic, the gate finds
it bad, and the loop takes it off. The gateway's word (``off_at``) is checked from outside: at 200 requests a second
the candidate gets 100, so that its last answer is known to about 10 ms.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.progress import Counter, say
from benchmarks.report import Figure, Report
from benchmarks.summary import median, quantile
from benchmarks.world import running_shop, running_stack
from cd_provider.adapters.metrics import open_metric_source
from cd_provider.core.order import CanaryOrder
from cd_provider.triggers.canary_loop import CanaryLoop, CanaryResult
from cd_provider.triggers.progress import Progress
from cd_provider.triggers.session import Session, open_session
from cd_provider.triggers.sources import Sources
from tests.integration.deliveries import Shop, error_gate
from tests.stack.images import push_shop
from tests.stack.load_record import Record

RUNS, RATE_PER_S, WEIGHT, TARGET_S = 50, 200, 50, 1.0
AFTER_S = 2.0
VERSION = "bench-broken"
SETTINGS = {"requests_per_s": RATE_PER_S, "weight": WEIGHT, "error_share": 1.0}


def run(runs: int | None = None) -> Report:
    """Measure ``runs`` aborts, 50 unless told otherwise."""
    total = runs or RUNS
    with running_stack() as stack, tempfile.TemporaryDirectory() as folder:
        stable, broken = push_shop(stack, "bench-v1"), push_shop(stack, VERSION, error_share=1.0)
        with running_shop(stack, stable) as shop:
            say(f"{RATE_PER_S} requests a second go to {shop.namespace}")
            with shop.load(Path(folder), rate_per_s=RATE_PER_S) as load:
                results = asyncio.run(abort_again_and_again(shop, broken, total))
            samples = [sample(result, load.record()) for result in results]
    return report(samples)


async def abort_again_and_again(shop: Shop, image: str, total: int) -> list[CanaryResult]:
    """Let the loop of ``total`` attempts run to its verdict, one after the other."""
    counter, results = Counter("abort", total), list[CanaryResult]()
    order = shop.order(image, max_s=3600)
    async with (
        open_session(order.where, app="shop", delivery=order.asked.delivery, attempt=1) as session,
        open_metric_source("prometheus", order.prometheus_conn_id) as source,
    ):
        await session.lease.acquire()
        async with session.lease.keep():
            for attempt in range(1, total + 1):
                order = shop.order(
                    image, steps=[(WEIGHT, 60)], gates=[error_gate(for_s=1)], attempt=attempt, max_s=120
                )
                loop = make_loop(session, order, source)
                await loop.begin()
                results.append(result := await loop.run())
                counter.tell(f"{result.kind}, weight 0 after {confirmed_s(result)} s")
                await asyncio.sleep(AFTER_S)  # so that a late answer belongs to this attempt, not to the next
    return results


def make_loop(session: Session, order: CanaryOrder, source: Any) -> CanaryLoop:
    """Put the loop together as the trigger does, with nobody to report to."""
    scene, plan = session.scene(order.asked.image), order.plan()
    return CanaryLoop(
        scene, plan=plan, release=order.asked, attempt=order.attempt, gates_hash=order.gates_hash,
        watches=session.watches(plan, Sources(source), scene), report=to_nobody,
    )  # fmt: skip


def to_nobody(_: Progress) -> None:
    """Take what is told while a canary runs."""


def confirmed_s(result: CanaryResult) -> float | None:
    """From the verdict until the router had taken weight 0; None when it never was confirmed."""
    return None if result.off_at is None else round(result.off_at - result.decided_at, 4)


def sample(result: CanaryResult, record: Record) -> dict[str, Any]:
    """
    Put one abort beside what users saw.

    ``last_answer_s``: from the verdict to the end of the last answer that the candidate gave to a request; 0 when
    it gave none any more.
    """
    answers = record.of(VERSION).between(result.decided_at - AFTER_S, result.decided_at + AFTER_S).requests
    after = [one.answered_at - result.decided_at for one in answers if one.answered_at > result.decided_at]
    return {
        "kind": result.kind,
        "decided_at": round(result.decided_at, 3),
        "confirmed_s": confirmed_s(result),
        "last_answer_s": round(max(after, default=0.0), 4),
        "answers_before": sum(one.answered_at <= result.decided_at for one in answers),
    }


def report(samples: Sequence[dict[str, Any]]) -> Report:
    """Make the figures."""
    confirmed = [one["confirmed_s"] for one in samples if one["confirmed_s"] is not None]
    seen = [one["last_answer_s"] for one in samples]
    lost = len(samples) - len(confirmed)
    figures = [
        Figure(key="aborts", label="aborts", value=len(samples), unit=""),
        Figure(key="unconfirmed", label="aborts that were never confirmed", value=lost, unit="", at_most=0),
        Figure(key="median_s", label="verdict → weight 0 confirmed, median", value=median(confirmed)),
        Figure(key="p90_s", label="… of 9 in 10", value=quantile(confirmed, 0.9)),
        Figure(key="slowest_s", label="… the slowest", value=max(confirmed), at_most=TARGET_S),
        Figure(
            key="seen_median_s",
            label="verdict → candidate's last answer to a user, median",
            value=median(seen),
        ),
        Figure(key="seen_p90_s", label="… of 9 in 10", value=quantile(seen, 0.9)),
        Figure(key="seen_slowest_s", label="… the slowest", value=max(seen), at_most=TARGET_S),
    ]
    least = min(one["answers_before"] for one in samples)
    return Report(
        name="abort", title="Abort: verdict → weight 0", figures=figures, samples=samples, settings=SETTINGS,
        notes=[f"In the {AFTER_S:g} s before each verdict the candidate had given at least {least} answers to users."],
    )  # fmt: skip
