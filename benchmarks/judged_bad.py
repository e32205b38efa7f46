"""
Bad candidates before a judge: four kinds side by side, each in shops of its own, one canary after the other.

The first trip ends a canary here (``on_trip="fail"``), so that a run has one end. A pod that crashes would end it as
well; these do not crash.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.exposure import sample
from benchmarks.judged_shops import JudgedShop, judge_order, judged_shop, leave, stream, verdict
from benchmarks.progress import Counter
from benchmarks.report import Figure
from benchmarks.summary import median
from tests.stack.images import push_shop
from tests.stack.load import Load

if TYPE_CHECKING:
    from tests.stack import Stack

RATE_PER_S, WEIGHT, MAX_S = 50.0, 10, 150.0
# shops of each kind: with two, two slow cores have more requests than they can answer, and all fail
LANES = 1
FLAGGER, ARGO = "Flagger 1.44", "Argo Rollouts"


@dataclass(frozen=True)
class Kind:
    """
    One kind of bad candidate.

    :param share: of its answers that are errors, 0–1. :param at_most: the bar for the median, seconds; None: stated.
    :param beside: what the peers needed, seconds.
    """

    key: str
    source: str
    share: float
    at_most: float | None
    beside: Mapping[str, Sequence[float]]

    @property
    def label(self) -> str:
        """What people call it."""
        return f"{self.share:.0%} errors, {self.source}"

    @property
    def version(self) -> str:
        """The bad image's."""
        return f"bench-bad-{self.share * 100:.0f}"


KINDS = (
    Kind("direct_30", "direct", 0.30, 4.0, {ARGO: [8.9], FLAGGER: [19.6]}),
    Kind("direct_5", "direct", 0.05, 15.0, {ARGO: [9.3], FLAGGER: [19.8]}),
    Kind("prometheus_30", "prometheus", 0.30, None, {ARGO: [8.9], FLAGGER: [19.6]}),
    Kind("prometheus_5", "prometheus", 0.05, None, {ARGO: [9.3], FLAGGER: [19.8]}),
)


@dataclass(frozen=True)
class Lane:
    """One shop under load, and what is delivered to it."""

    kind: Kind
    shop: JudgedShop
    load: Load
    image: str


@dataclass(frozen=True)
class Ended:
    """One canary that is over; times in epoch seconds."""

    lane: Lane
    event: Mapping[str, Any]
    began: float
    over: float


def measure(stack: Stack, folder: Path, total: int) -> list[dict[str, Any]]:
    """Run ``total`` canaries of each kind; give a sample for each."""
    with ExitStack() as opened:
        lanes = open_lanes(stack, folder, opened, min(LANES, total))
        ended = asyncio.run(run_all(lanes, total))
        records = {id(lane): lane.load.record() for lane in lanes}  # read once: it takes seconds
    return [
        {
            "what": one.lane.kind.key,
            **sample(
                dict(one.event),
                records[id(one.lane)].between(one.began, one.over),
                one.lane.kind.version,
                began=one.began,
            ),
        }
        for one in ended
    ]


def open_lanes(stack: Stack, folder: Path, opened: ExitStack, each: int) -> list[Lane]:
    """Have all shops running, under load."""
    stable = push_shop(stack, "bench-v1")
    images = {kind.version: push_shop(stack, kind.version, error_share=kind.share) for kind in KINDS}
    lanes = []
    for kind in KINDS * each:
        shop = opened.enter_context(judged_shop(stack, stable))
        load = opened.enter_context(stream(shop, folder, rate_per_s=RATE_PER_S))
        lanes.append(Lane(kind, shop, load, images[kind.version]))
    return lanes


async def run_all(lanes: Sequence[Lane], total: int) -> list[Ended]:
    """Let every lane take what is still to do of its kind, until nothing is left."""
    left = {kind.key: list(range(total, 0, -1)) for kind in KINDS}
    counter, ended = Counter("bad candidate", total * len(KINDS)), list[Ended]()

    async def follow(lane: Lane) -> None:
        while left[lane.kind.key]:
            ended.append(one := await deliver(lane, number=left[lane.kind.key].pop()))
            counter.tell(f"{lane.kind.label}: {one.event['kind']}, {one.event['line']}")

    async with asyncio.TaskGroup() as group:
        for lane in lanes:
            group.create_task(follow(lane))
    return ended


async def deliver(lane: Lane, *, number: int) -> Ended:
    """Run one canary to its verdict, and clean up."""
    order = judge_order(
        lane.shop, lane.image, source=lane.kind.source, steps=[(WEIGHT, MAX_S)],
        delivery=f"{lane.kind.key}-{number}", max_s=MAX_S,
    )  # fmt: skip
    began = time.time()
    event = await verdict(order)
    await leave(order)
    return Ended(lane, event, began, time.time())


def figures(samples: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Make the figures of all kinds."""
    return [figure for kind in KINDS for figure in kind_figures(kind, samples)]


def kind_figures(kind: Kind, samples: Sequence[Mapping[str, Any]]) -> list[Figure]:
    """Make those of one; a run that was not stopped, or showed users nothing bad, has no time."""
    runs = [one for one in samples if one["what"] == kind.key]
    times = [one["exposure_s"] for one in runs if one["kind"] == "FAIL" and one["exposure_s"] is not None]
    unseen = sum(one["kind"] == "FAIL" and one["exposure_s"] is None for one in runs)
    missed, failed = sum(one["kind"] != "FAIL" for one in runs), [one["failed"] for one in runs]
    more = f" ({unseen} before users saw an error)" if unseen else ""
    return [
        Figure(
            key=f"{kind.key}_median_s", label=f"{kind.label}: first bad answer → weight 0, median of {len(runs)}{more}",
            value=median(times) if times else None, at_most=kind.at_most, beside=kind.beside,
        ),
        Figure(key=f"{kind.key}_max_s", label="… the longest", value=max(times, default=None)),
        Figure(
            key=f"{kind.key}_failed", label="… failed requests, median", unit="",
            value=median(failed) if failed else None,
        ),
        Figure(key=f"{kind.key}_failed_max", label="… the most", value=max(failed, default=None), unit=""),
        Figure(
            key=f"{kind.key}_not_stopped", label=f"… not stopped within {MAX_S:g} s", value=missed, unit="", at_most=0
        ),
    ]  # fmt: skip
