"""One delivery's tools, opened together: cluster, lock, both sides, route, pods."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cd_provider.core.judge.sides import Sides, fresh_sides_of, sides_of
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.names import BASELINE, CANDIDATE, baseline_name, candidate_name
from cd_provider.core.ports import Candidate, TrafficRouter, Workload
from cd_provider.core.query import QueryNames
from cd_provider.core.refuse import pick_container, strangers
from cd_provider.core.release import Target
from cd_provider.core.situation import CanaryPlan
from cd_provider.core.template import is_side
from cd_provider.core.workload import WorkloadRef, WorkloadState
from cd_provider.exceptions import ClusterNotFoundError, ClusterRefusedError
from cd_provider.triggers.gate_watch import GateWatch
from cd_provider.triggers.judge_watch import JudgeWatch, Probing
from cd_provider.triggers.progress import Watch
from cd_provider.triggers.scene import Scene
from cd_provider.triggers.sources import Sources

if TYPE_CHECKING:
    from cd_provider.adapters.lease import Lease
    from cd_provider.adapters.pods import WatchedPods
    from cd_provider.core.gate import AnyGate
    from cd_provider.hooks.cluster import ClusterClient


@dataclass(frozen=True)
class Session:
    """What is open. ``before`` is stable as it was when the session began."""

    client: ClusterClient
    ref: WorkloadRef
    container: str
    service: str
    before: WorkloadState
    stable: Workload
    candidate: Candidate
    baseline: Candidate
    router: TrafficRouter
    pods: WatchedPods
    lease: Lease

    def scene(self, image: str) -> Scene:
        """Give the loop what it works on."""
        return Scene(
            stable=self.stable,
            candidate=self.candidate,
            router=self.router,
            pods=self.pods,
            logs=self.pods,
            images={self.container: image},
            guard=self.lease.check,
            clock=time.time,
            baseline=self.baseline,
        )

    def watches(
        self, plan: CanaryPlan, sources: Sources, scene: Scene, *, about: Mapping[str, Any] | None = None
    ) -> list[Watch]:
        """
        Give a watch for each gate; they wake the loop that works on ``scene``.

        :param about: what the judges' records say of whose they are; None: no records are kept.
        """
        return [self._watch(gate, plan, sources, scene, about) for gate in plan.gates]

    def _watch(
        self, gate: AnyGate, plan: CanaryPlan, sources: Sources, scene: Scene, about: Mapping[str, Any] | None
    ) -> Watch:
        if not isinstance(gate, JudgeGate):
            assert sources.numbers is not None  # opened for every gate of its kind
            return GateWatch(
                gate, sources.numbers, names=self.query_names, clock=scene.clock, wake=scene.wake
            )
        return JudgeWatch(
            gate, sources.counters[gate.name], sides=lambda: self.sides(gate, plan.digests), clock=scene.clock,
            wake=scene.wake, max_s=plan.deadline - scene.clock(), about=about,
            usual=lambda: self.beside_stable(gate, plan.digests), probing=self._probing(gate, plan),
        )  # fmt: skip

    def _probing(self, gate: JudgeGate, plan: CanaryPlan) -> Probing | None:
        """Give what sends a gate's own requests; None where it asks for none."""
        if gate.probe is None:
            return None
        from cd_provider.adapters.prober import Prober

        sides = partial(self.sides, gate, plan.digests)
        return Prober(self.client, gate.probe, gate.counters(), sides=sides).run

    def sides(self, gate: JudgeGate, asked: Collection[str]) -> Sides:
        """Say who is compared now: the candidate's pods with stable's or with the baseline's, as the gate asks."""
        if not gate.fresh:
            return self.beside_stable(gate, asked)
        pods = [pod for pod in self.pods.latest() if pod.serves]
        ours, theirs = ([pod.name for pod in pods if pod.side == side] for side in (CANDIDATE, BASELINE))
        return fresh_sides_of(
            gate.counters(), self.ref.namespace, self.service, candidate_pods=ours, baseline_pods=theirs
        )

    def beside_stable(self, gate: JudgeGate, asked: Collection[str]) -> Sides:
        """Set the candidate's pods beside stable's that do not run the asked image yet."""
        pods = [pod for pod in self.pods.latest() if pod.serves]
        ours = tuple(pod.name for pod in pods if pod.side == CANDIDATE)
        theirs = tuple(pod.name for pod in pods if pod.side is None and not pod.digests & set(asked))
        return sides_of(
            gate.counters(), self.ref.namespace, self.service, candidate_pods=ours, stable_pods=theirs
        )

    def query_names(self) -> QueryNames:
        """What the placeholders of queries stand for now."""
        pods = tuple(pod.name for pod in self.pods.latest() if pod.side == CANDIDATE)
        return QueryNames(candidate_name(self.service), self.service, self.ref.namespace, pods)


@asynccontextmanager
async def open_session(
    target: Target, *, app: str, delivery: str, attempt: int, about: str = "", fresh: bool = False
) -> AsyncIterator[Session]:
    """
    Open everything that one delivery needs; the lock is not taken yet.

    :param about: what people are told of the lock's holder: which Dag and run.
    :param fresh: whether a baseline is to get traffic. One that an earlier delivery left is known in any case.
    :raises ArgumentError: container or Service cannot be told.
    :raises ClusterRefusedError: a baseline is asked for, and a Service of its name is not ours.
    :raises ClusterNotFoundError: workload or route does not exist.
    """
    from cd_provider.adapters.lease import Lease
    from cd_provider.adapters.pods import open_pods
    from cd_provider.adapters.routers import open_router
    from cd_provider.adapters.workloads import open_candidate, open_workload
    from cd_provider.hooks.cluster import ClusterHook

    ref = target.ref
    hook = ClusterHook(target.kubernetes_conn_id)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(hook.client())
        stable = open_workload(client, ref)
        before = await stable.state()
        container = pick_container(before.images, target.container, where=str(ref))
        service = target.service or await find_service(client, target, before)
        router: Mapping[str, Any] = target.router
        ours = await find_baseline(client, target.namespace, service, fresh=fresh)
        yield Session(
            client=client,
            ref=ref,
            container=container,
            service=service,
            before=before,
            stable=stable,
            candidate=open_candidate(client, ref, service=service, app=app),
            baseline=open_candidate(client, ref, service=service, app=app, side=BASELINE),
            router=open_router(
                client,
                ref.namespace,
                router,
                stable=service,
                candidate=candidate_name(service),
                baseline=ours,
                fresh=fresh,
            ),
            pods=await stack.enter_async_context(
                open_pods(hook, ref, container=container, selector=before.selector)
            ),
            lease=Lease(
                client,
                ref,
                delivery=delivery,
                attempt=attempt,
                instance=uuid.uuid4().hex,
                clock=time.time,
                about=about,
            ),
        )


async def find_baseline(client: ClusterClient, namespace: str, service: str, *, fresh: bool) -> str | None:
    """
    Name the baseline's Service when it is ours, or will be; None: a backend of that name is somebody else's.

    :raises ClusterRefusedError: a baseline is asked for, and a Service of its name is not ours.
    """
    name = baseline_name(service)
    try:
        found = await client.get(f"/api/v1/namespaces/{namespace}/services/{name}")
    except ClusterNotFoundError:
        return name if fresh else None
    if not is_side(found, BASELINE):
        if fresh:
            raise ClusterRefusedError(strangers([found], BASELINE)[0])
        return None
    return name


async def find_service(client: ClusterClient, target: Target, stable: WorkloadState) -> str:
    """Tell which Service the route names that selects stable's pods."""
    from cd_provider.adapters.routers import find_stable_service

    return await find_stable_service(client, target.namespace, target.router, stable.pod_labels)
