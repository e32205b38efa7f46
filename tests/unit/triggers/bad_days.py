"""A canary whose judge reads a Prometheus over a real socket, scrape by scrape, and what it is decided to do."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx

from cd_provider.adapters.metrics.counters_prometheus import PrometheusCounters
from cd_provider.core.canary import decide
from cd_provider.core.finding import Finding
from cd_provider.core.judge.presets import DEMO
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.situation import CanaryPlan, Passed, Resize, Shift, Situation, Stop
from cd_provider.core.traffic import Step, Weights
from cd_provider.triggers.judge_watch import JudgeWatch
from tests.fakes import SHOP, pod
from tests.loopback import Answer, Loopback, Request
from tests.relay import Relay

BEGAN, SCRAPE_S, NO_DATA_S = 1_000_000.0, 5.0, 30.0
CANDIDATE, STABLE = ("c1", "c2"), ("s1", "s2", "s3")
EDGES = {"0.1": 0.9, "0.5": 0.99, "1": 1.0, "+Inf": 1.0}  # seconds → share of the requests up to it
SIDES = Sides("web", "shop-candidate", "shop", CANDIDATE, STABLE)
STEPS = (Step(10, 60.0), Step(50, 60.0))


class Prometheus:
    """
    A server that has scraped five pods, ten requests a second each, since an hour before the first user.

    :param bad: the candidate's error share. :param now: the server's clock, moved by the test.
    :param fault: its answer to everything, if set. :param more: further keys of a good answer, such as warnings.
    :param namespace: of the pods. :param lost_before: samples from before it are gone.
    :param silent: pod → since when it is no longer scraped. :param every_s: pod → seconds between two scrapes.
    :param still_from: since when the counters of a pod stand still.
    :param says: pod → what it says at a moment of the requests of a code ("" of their times); None: the truth.
    """

    def __init__(self, *, bad: float = 0.002) -> None:
        self.bad, self.now, self.namespace = bad, BEGAN, "web"
        self.fault: Answer | None = None
        self.more: dict[str, Any] = {}
        self.lost_before = BEGAN - 3600.0
        self.silent: Mapping[str, float] = {}
        self.every_s: Mapping[str, float] = {}
        self.still_from: Mapping[str, float] = {}
        self.says: Mapping[str, Callable[[float, str], str | None]] = {}
        self.headers: Mapping[str, str] = {}  # of the last question

    def __call__(self, request: Request) -> Answer:
        query = request.form.get("query", "")  # whoever asks may leave in the middle
        self.headers = request.headers
        if self.fault:
            return self.fault
        if query == "time()":
            return self._success("scalar", [self.now, str(self.now)])
        window = re.search(r"\[(\d+)s\]$", query)
        assert window, query
        since = max(self.now - int(window[1]), self.lost_before)
        found = [one for pod in (*CANDIDATE, *STABLE) if f"{pod}" in query for one in self._pod(pod, since)]
        return self._success("matrix", [one for one in found if one["values"]])

    def _success(self, kind: str, result: Any) -> Answer:
        body = {"status": "success", "data": {"resultType": kind, "result": result}, **self.more}
        return Answer(json.dumps(body).encode())

    def _pod(self, pod: str, since: float) -> list[dict[str, Any]]:
        born = BEGAN if pod in CANDIDATE else BEGAN - 7200.0
        bad = self.bad if pod in CANDIDATE else 0.002
        every_s, until = self.every_s.get(pod, SCRAPE_S), min(self.now, self.silent.get(pod, self.now))
        first, last = max(0, math.floor((since - born) / every_s) + 1), math.floor((until - born) / every_s)
        stamps = [born + every_s * number for number in range(first, last + 1)]
        total = {at: 10.0 * (min(at, self.still_from.get(pod, at)) - born) for at in stamps}

        def series(name: str, share: float, **labels: str) -> dict[str, Any]:
            says, code = self.says.get(pod, truth), labels.get("code", "")
            values = [[at, says(at, code) or f"{int(total[at] * share)}"] for at in stamps]
            metric = {
                "__name__": name,
                "namespace": self.namespace,
                "pod": pod,
                "job": "pods",
                "instance": pod,
                **labels,
            }
            return {"metric": metric, "values": values}

        buckets = [series("shop_request_duration_seconds_bucket", up, le=le) for le, up in EDGES.items()]
        codes = [
            series("shop_requests_total", part, code=code) for code, part in (("200", 1 - bad), ("500", bad))
        ]
        return [*codes, *buckets]


def truth(at: float, code: str) -> None:
    """Say nothing else."""


@dataclass
class Canary:
    """
    What :func:`~cd_provider.core.canary.decide` makes of what the judge says, in a world where all else is well.

    :param relay: between the product and the server: may be cut, left hanging, and mended.
    """

    server: Prometheus
    relay: Relay
    source: PrometheusCounters
    watch: JudgeWatch
    plan: CanaryPlan
    step: int = 0
    step_started: float = BEGAN
    wanted: int = 2
    steps_at: list[float] = field(
        default_factory=list
    )  # when each further step began, seconds since the first user

    def again(self) -> None:
        """Start the trigger anew: nothing is remembered but when the first user came."""
        self.watch = make_watch(self.server, self.source)
        self.watch.open(at=self.server.now, exposed_at=BEGAN)

    async def look(self) -> None:
        """Let the judge look once."""
        self.watch.wake.clear()
        task = asyncio.create_task(self.watch.run())
        await asyncio.wait_for(self.watch.wake.wait(), 20)
        task.cancel()

    async def until_it_passes(self) -> None:
        """Go on until the judge has said PASS; the canary is not over, since its last step takes long."""
        self.plan = replace(self.plan, steps=(STEPS[0], Step(50, 600.0)))
        while self.watch.state.finding is not Finding.OK:
            self.server.now += SCRAPE_S
            await self.look()

    async def go_on(self, upto_s: float) -> tuple[str, str, float] | None:
        """
        Let time pass, scrape by scrape, until the canary is over.

        :returns: PASS, FAIL or INCONCLUSIVE, the sentence, seconds since the first user; None: not over yet.
        """
        while self.server.now < BEGAN + upto_s:
            self.server.now += SCRAPE_S
            await self.look()
            match decide(self.plan, self._seen()):
                case Stop(kind, line):
                    return kind, line, self.server.now - BEGAN
                case Passed(line):
                    return "PASS", line, self.server.now - BEGAN
                case Shift(step, _):
                    self.step, self.step_started = step, self.server.now
                    self.steps_at.append(self.server.now - BEGAN)
                case Resize(replicas):
                    self.wanted = replicas
        return None

    def _seen(self) -> Situation:
        size = {"wanted": self.wanted, "updated": self.wanted, "ready": self.wanted, "available": self.wanted}
        return Situation(
            now=self.server.now, step=self.step, step_started=self.step_started, created_at=BEGAN - 10.0,
            stable_replicas=3, candidate=replace(SHOP, **size, total=self.wanted),  # type: ignore[arg-type]
            pods=[pod(f"shop-candidate-{number}") for number in range(self.wanted)],
            weights=Weights.of(STEPS[self.step].weight), gates=[self.watch.state], ready_since=BEGAN - 5.0,
        )  # fmt: skip


GATE = JudgeGate.parse(judge(preset="demo"))


def make_watch(server: Prometheus, source: PrometheusCounters) -> JudgeWatch:
    return JudgeWatch(
        GATE, source, sides=lambda: SIDES, clock=lambda: server.now, wake=asyncio.Event(), max_s=1800.0
    )


@asynccontextmanager
async def canary(*, bad: float = 0.002) -> AsyncIterator[Canary]:
    """Give one whose first user has just come."""
    prometheus = Prometheus(bad=bad)
    with Loopback(prometheus) as server:
        async with Relay(server.port) as relay:
            url = f"http://127.0.0.1:{relay.port}/"
            async with httpx.AsyncClient(base_url=url, trust_env=False) as client:
                source = PrometheusCounters(client, DEMO, clock=lambda: prometheus.now)
                watch = make_watch(prometheus, source)
                watch.open(at=BEGAN)
                plan = CanaryPlan(
                    STEPS,
                    (GATE,),
                    {"sha256:" + "1" * 64},
                    BEGAN + 1800.0,
                    no_data_s=NO_DATA_S,
                    candidate_min=2,
                )
                yield Canary(prometheus, relay, source, watch, plan)
