"""A canary with its real adapters, on a small cluster in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from cd_provider.adapters.routers import open_router
from cd_provider.adapters.workloads import open_candidate, open_workload
from cd_provider.core.finding import Finding, GateState, Reading
from cd_provider.core.gate import AnyGate
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.names import BASELINE
from cd_provider.core.order import gates_hash
from cd_provider.core.release import Release
from cd_provider.core.situation import CanaryPlan
from cd_provider.core.traffic import parse_steps
from cd_provider.core.workload import WorkloadRef
from cd_provider.triggers.answers import Read
from cd_provider.triggers.canary_loop import CanaryLoop
from cd_provider.triggers.progress import Progress
from cd_provider.triggers.promote_loop import PromoteLoop, Promotion
from cd_provider.triggers.session import Session
from cd_provider.triggers.sources import Sources
from tests.fakes import FakeCounters
from tests.small_cluster import V2, ClusterPods, SmallCluster

REF = WorkloadRef("deployment", "shop", "shop")
DIGEST = V2.partition("@")[2]
RELEASE = Release("shop", V2, (DIGEST,), "v2", "d-1", 0.0, "dag", "run")


class Watch:
    """A gate's watch that says what a test sets: ``state``."""

    def __init__(self, gate: AnyGate, world: World) -> None:
        self.gate, self.world = gate, world
        self.finding, self.trips, self.opened = Finding.OK, 0, list[float]()

    @property
    def state(self) -> GateState:
        now = self.world.now
        return GateState(self.finding, Reading(now), now, line="all is alike", trips=self.trips)

    def open(self, *, at: float, exposed_at: float | None = None) -> None:
        self.opened.append(at)

    async def run(self) -> None:
        """Nothing has to be looked at."""


class World:
    """
    A shop, and what delivers to it.

    :ivar now: the clock; each reading of it is half a second later than the one before.
    """

    def __init__(self, *gates: AnyGate, cluster: SmallCluster | None = None) -> None:
        self.cluster = cluster or SmallCluster()
        self.pods, self.now, self.reports = ClusterPods(self.cluster), 1000.0, list[Progress]()
        self.plan = CanaryPlan(tuple(parse_steps([10, 50], step_s=2)), gates, (DIGEST,), deadline=3000.0)
        self.watches = [Watch(gate, self) for gate in gates]
        self.lost: Exception | None = None

    def clock(self) -> float:
        self.now += 0.5
        return self.now

    async def check(self) -> None:
        """The lock is ours, unless a test says otherwise."""
        if self.lost:
            raise self.lost

    def session(self, *, fresh: bool = False, knows: bool = False) -> Session:
        """
        Open one.

        :param fresh: a baseline is asked for. :param knows: its Service was found, and is ours.
        """
        client: Any = self.cluster
        pods: Any = self.pods
        lease: Any = SimpleNamespace(check=self.check, clock=self.clock)
        nothing: Any = None
        router = open_router(
            client,
            "shop",
            {"kind": "gateway_api", "route": "shop"},
            stable="shop",
            candidate="shop-candidate",
            baseline="shop-baseline" if fresh or knows else None,
            fresh=fresh,
        )
        return Session(
            client=client,
            ref=REF,
            container="shop",
            service="shop",
            before=nothing,
            stable=open_workload(client, REF),
            candidate=open_candidate(client, REF, service="shop", app="shop"),
            baseline=open_candidate(client, REF, service="shop", app="shop", side=BASELINE),
            router=router,
            pods=pods,
            lease=lease,
        )

    def loop(self, *, attempt: int = 1, read_answer: Read | None = None) -> CanaryLoop:
        """Give one attempt of the canary."""
        session = self.session(fresh=self.plan.fresh)
        scene = replace(session.scene(V2), guard=self.check, clock=self.clock)
        watches: Any = self.watches
        return CanaryLoop(
            scene,
            plan=self.plan,
            release=RELEASE,
            attempt=attempt,
            gates_hash=gates_hash(self.plan.gates),
            watches=watches,
            report=self.reports.append,
            read_answer=read_answer,
        )

    def promotion(self, **session: bool) -> PromoteLoop:
        """Give the promotion of what passed."""
        asked = Promotion(RELEASE, gates_hash(self.plan.gates), self.plan, deadline=1e9, drain_s=0.0)
        judges = [gate for gate in self.plan.gates if isinstance(gate, JudgeGate)]
        sources = Sources(counters={gate.name: FakeCounters() for gate in judges})
        loop = PromoteLoop(self.session(**session), asked, sources)
        loop.scene.clock = self.clock
        return loop


def fresh_judge(**more: Any) -> JudgeGate:
    """Give a judge that asks for a baseline."""
    return JudgeGate.parse(judge(preset="demo", baseline="fresh", **more))


def sides(pods: Sequence[Any]) -> dict[str | None, int]:
    """Count the pods of each side."""
    found: dict[str | None, int] = {}
    for pod in pods:
        found[pod.side] = found.get(pod.side, 0) + 1
    return found
