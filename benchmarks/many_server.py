"""
A Prometheus for many canaries: answers in the form of a recorded answer, from pods that do not exist.

It runs in a process of its own, so that what it costs is not counted. Every canary has three pods a side, with the
fourteen series each that the demo's pods have, and numbers of a healthy service. Samples come as time passes.
"""

from __future__ import annotations

import asyncio
import json
import logging
import math
import random
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate, pairwise
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from typing import Any
from urllib.parse import parse_qs

EDGES = ("0.005", "0.01", "0.025", "0.05", "0.1", "0.25", "0.5", "1", "2.5", "5", "10", "+Inf")
UPTO = (0.02, 0.20, 0.55, 0.80, 0.93, 0.98, 0.995, 0.998, 0.999, 0.9995, 1.0, 1.0)  # share of the requests
RATE_PER_S, SHARE, PODS = 20.0, 0.005, 3
YOUNG_S = 15.0  # that a candidate's pods were scraped before the first user
RANGE = re.compile(r"\[(\d+)s\]$")


@dataclass(frozen=True)
class World:
    """
    What is scraped.

    :param epoch: of the first sample of stable, epoch seconds. :param scrape_s: between two samples.
    :param until: of the last. Since when a canary's candidate is there stands in its namespace's name.
    """

    epoch: float
    scrape_s: float
    until: float


def namespace(number: int, began_at: float) -> str:
    """Name a canary's namespace; the moment of its first user is a part of it."""
    return f"n{number}-{began_at:.0f}"


def pods(number: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Name a canary's pods: candidate's, stable's."""
    tails = [f"{number:04d}{letter}" for letter in "abc"]
    ours = tuple(f"shop-candidate-599b6748db-{tail}" for tail in tails)
    return ours, tuple(f"shop-7c5b8f6d49-{tail}" for tail in tails)


class Answers:
    """Makes answers; the numbers of all samples are drawn once, and are the same for every canary."""

    def __init__(self, world: World) -> None:
        self.world = world
        count = math.ceil((world.until - world.epoch) / world.scrape_s) + 1
        chance = random.Random(7)
        self._values = [[*self._pod(chance, count)] for _ in range(2 * PODS)]

    def _pod(self, chance: random.Random, count: int) -> Iterator[list[str]]:
        """Give each series' samples as JSON, in the order of :func:`_labels`."""
        phase = chance.uniform(0.05, 0.95) * self.world.scrape_s
        stamps = [self.world.epoch + number * self.world.scrape_s + phase for number in range(count)]
        done = _added(_drawn(chance, self.world.scrape_s * RATE_PER_S, count))
        bad = _added([float(sum(chance.random() < SHARE for _ in range(int(n)))) for n in _steps(done)])
        yield [_sample(at, all_ - its) for at, all_, its in zip(stamps, done, bad, strict=True)]
        yield [_sample(at, its) for at, its in zip(stamps, bad, strict=True)]
        for share in UPTO:
            yield [_sample(at, math.floor(all_ * share)) for at, all_ in zip(stamps, done, strict=True)]

    def to(self, query: str, now: float) -> bytes:
        """Answer one query, as Prometheus words it."""
        if query == "time()":
            data: dict[str, Any] = {"resultType": "scalar", "result": [now, f"{now}"]}
            return json.dumps({"status": "success", "data": data}).encode()
        series = ",".join(self._series(query, now))
        return f'{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}'.encode()

    def _series(self, query: str, now: float) -> Iterator[str]:
        where, window = re.search(r'namespace="n(\d+)-(\d+)"', query), RANGE.search(query)
        assert where, query
        assert window, query
        number, young = int(where[1]), float(where[2]) - YOUNG_S
        for turn, pod in enumerate(name for side in pods(number) for name in side):
            since = max(now - float(window[1]), young if turn < PODS else 0.0)
            first, last = self._index(since), self._index(now)
            if pod in query and first < last:
                for labels, samples in zip(_labels(where[0], pod), self._values[turn], strict=True):
                    yield f'{{"metric":{labels},"values":[{",".join(samples[first:last])}]}}'

    def _index(self, at: float) -> int:
        """Give the number of samples up to a moment; a pod's phase within the interval is overlooked."""
        return max(0, math.floor((at - self.world.epoch) / self.world.scrape_s))


def _drawn(chance: random.Random, mean: float, count: int) -> list[float]:
    return [float(max(0, round(chance.gauss(mean, math.sqrt(mean))))) for _ in range(count)]


def _added(steps: list[float]) -> list[float]:
    return list(accumulate(steps))


def _steps(totals: list[float]) -> list[float]:
    return [later - before for before, later in pairwise([0.0, *totals])]


def _sample(at: float, value: float) -> str:
    return f'[{at:.3f},"{value:.0f}"]'


def _labels(where: str, pod: str) -> Iterator[str]:
    """Give the fourteen label sets of a pod of the demo's shop, as JSON."""
    name = where.partition('"')[2].rstrip('"')
    shared = {"instance": "10.244.0.10:8080", "job": "pods", "namespace": name, "pod": pod, "version": "v3"}
    for code in ("200", "500"):
        yield json.dumps({"__name__": "shop_requests_total", "code": code, **shared})
    for edge in EDGES:
        yield json.dumps({"__name__": "shop_request_duration_seconds_bucket", "le": edge, **shared})


@contextmanager
def serving(world: World) -> Iterator[int]:
    """Serve it on a port of this machine meanwhile; give the port."""
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_serve, args=(world, theirs), daemon=True)
    process.start()
    try:
        if not ours.poll(60.0):
            raise RuntimeError("the metrics server for many canaries did not start within 60 s")
        yield ours.recv()
    finally:
        process.terminate()
        process.join()


def _serve(world: World, told: Connection) -> None:
    """Answer as long as the parent is there; tell it the port as soon as answers are ready."""
    from aiohttp import web

    logging.getLogger("aiohttp.server").setLevel(logging.CRITICAL)  # canaries end while they ask
    answers = Answers(world)

    async def answer(request: web.Request) -> web.Response:
        query = parse_qs(await request.text())["query"][0]
        return web.Response(body=answers.to(query, time.time()), content_type="application/json")

    async def serve() -> None:
        app = web.Application()
        app.router.add_post("/api/v1/query", answer)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        told.send(runner.addresses[0][1])
        while (parent := parent_process()) is not None and parent.is_alive():
            await asyncio.sleep(1.0)

    asyncio.run(serve())
