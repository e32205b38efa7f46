"""The single checks of a plan; each reads, and touches nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cd_provider.core.gate import Gate, judges
from cd_provider.core.image import ImageFacts, ImageRef
from cd_provider.core.kubelet import probes_per_second
from cd_provider.core.names import BASELINE, CANDIDATE, candidate_name, side_name
from cd_provider.core.query import QueryNames, fill
from cd_provider.core.refuse import long_names, owners, pick_container, refusals, strangers
from cd_provider.core.release import Release, Target
from cd_provider.core.surroundings import fresh_baseline
from cd_provider.core.traffic import Step
from cd_provider.core.workload import WorkloadState
from cd_provider.exceptions import ClusterNotFoundError, PlanError
from cd_provider.operators.plan_faults import Faults

if TYPE_CHECKING:
    from cd_provider.core.access import Permission
    from cd_provider.core.gate import AnyGate
    from cd_provider.core.judge_gate import JudgeGate
    from cd_provider.core.ports import MetricSource
    from cd_provider.hooks.cluster import ClusterClient


COLLECTIONS = {
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "Service": "/api/v1/namespaces/{}/services",
}


@dataclass(frozen=True)
class Asked:
    """What a plan is about; what could not be read is None, or missing in ``gates`` and ``steps``."""

    release: Release
    image: ImageRef | None
    target: Target | None
    gates: tuple[AnyGate, ...]
    steps: tuple[Step, ...]
    max_s: float | None  # of the whole canary
    override: bool  # a person takes on what cannot be judged
    registry_conn_id: str
    prometheus_conn_id: str
    allow_downgrade: bool
    stable_may_be_broken: bool
    gitops_ignores_us: bool

    @property
    def judges(self) -> tuple[JudgeGate, ...]:
        """Those of the gates that compare."""
        return judges(self.gates)

    @property
    def sides(self) -> tuple[str, ...]:
        """What is made beside stable."""
        return (CANDIDATE, BASELINE) if any(gate.fresh for gate in self.judges) else (CANDIDATE,)


@dataclass(frozen=True)
class Surroundings:
    """What was found in the cluster; None for a fault. ``hints`` are what is no fault and yet worth knowing."""

    container: str | None
    service: str | None  # stable's
    hints: list[str]
    pods: tuple[str, ...] = ()  # stable's, where a judge asks for them
    probes_per_s: float = 0.0  # that the kubelet sends to all of them


def check_window(window: Any) -> str | None:
    """Read the window, and say how it stands; one that never opens is refused. None: there is none."""
    if window is None:
        return None
    from cd_provider.core.window import ReleaseWindow

    return ReleaseWindow.parse(window).look(datetime.now(UTC)).reason


async def check_image(asked: Asked) -> ImageFacts | None:
    """Look the image up, as verify will."""
    if asked.image is None:
        return None
    from cd_provider.adapters.images import open_image_source

    async with open_image_source("oci", asked.registry_conn_id) as source:
        return await source.facts(asked.image)


async def check_cluster(asked: Asked, faults: Faults) -> Surroundings | None:
    """Look at permissions, workload, container, route, Service, owners; one fault hides as few others as can be."""
    target = asked.target
    if target is None:
        return None
    from cd_provider.adapters.workloads import open_workload
    from cd_provider.hooks.cluster import ClusterHook
    from cd_provider.operators.plan_hints import hints

    async with ClusterHook(target.kubernetes_conn_id).client() as client:
        lacking = await faults.wait_for(_permissions(client, target, faults))
        if lacking is None:
            return None  # nobody answers: each further question would say the same
        await faults.wait_for(_check_marks(client, asked, target))
        state = await faults.wait_for(open_workload(client, target.ref).state())
        if state is None:
            return None
        container = faults.catch(
            lambda: pick_container(state.images, target.container, where=str(target.ref))
        )
        faults.name(refusals(
            asked.release, state, where=str(target.ref), allow_downgrade=asked.allow_downgrade,
            stable_may_be_broken=asked.stable_may_be_broken, gitops_ignores_us=asked.gitops_ignores_us,
        ))  # fmt: skip
        service = await faults.wait_for(_check_route(client, target, state))
        faults.name(await faults.wait_for(_check_names(client, target, service, asked.sides)) or [])
        around = await faults.wait_for(
            hints(client, target, service=service, app=asked.release.app, lacking=lacking)
        )
        pods = (await faults.wait_for(_pods(client, target, state)) if asked.judges else None) or []
        return Surroundings(
            container,
            service,
            [*(around or []), *_room(asked, state, around)],
            tuple(sorted(pod["metadata"]["name"] for pod in pods)),
            probes_per_second(pods),
        )


def _room(asked: Asked, state: WorkloadState, around: Sequence[str] | None) -> list[str]:
    """Say what a fresh baseline takes; nothing where none is asked for."""
    if BASELINE not in asked.sides or not asked.steps:
        return []
    scaled = any(hint.startswith("HorizontalPodAutoscaler") for hint in around or ())
    return list(fresh_baseline(state.wanted, asked.steps, autoscalers=scaled))


async def _pods(client: ClusterClient, target: Target, state: WorkloadState) -> list[Mapping[str, Any]]:
    """Read stable's pods."""
    selector = ",".join(f"{key}={value}" for key, value in sorted(state.selector.items()))
    found = await client.get(f"/api/v1/namespaces/{target.namespace}/pods", labelSelector=selector)
    return list(found["items"])


async def _permissions(client: ClusterClient, target: Target, faults: Faults) -> tuple[Permission, ...]:
    """Keep each needed permission that is lacking as a fault; give those that only hints need."""
    from cd_provider.adapters.access import missing
    from cd_provider.core.access import DELIVERY_PERMISSIONS

    lacking = await missing(client, target.namespace, DELIVERY_PERMISSIONS)
    faults.name(
        f"permission is missing: {one} in namespace {target.namespace} ({one.why})"
        for one in lacking
        if not one.optional
    )
    return tuple(one for one in lacking if one.optional)


async def _check_marks(client: ClusterClient, asked: Asked, target: Target) -> None:
    from cd_provider.adapters.routers import read_marks

    marks = await read_marks(client, target.namespace, target.router)
    if not asked.gitops_ignores_us and (found := owners(marks, where=f"route {target.router['route']}")):
        raise PlanError(app=asked.release.app, faults=found)


async def _check_route(client: ClusterClient, target: Target, state: WorkloadState) -> str:
    """Find stable's Service, and make sure that its traffic can be split."""
    from cd_provider.adapters.routers import open_router
    from cd_provider.triggers.session import find_service

    service = target.service or await find_service(client, target, state)
    router = open_router(
        client, target.namespace, target.router, stable=service, candidate=candidate_name(service)
    )
    await router.weights()
    return service


async def _check_names(
    client: ClusterClient, target: Target, service: str | None, sides: Sequence[str]
) -> list[str]:
    """Say what keeps the candidate's objects (and the baseline's) from having the names that they need."""
    ref = target.ref
    stable = {"Deployment": ref.name, **({"Service": service} if service else {})}
    faults = long_names(stable)  # the candidate's are the longest
    for side in sides:
        paths = (
            (COLLECTIONS[kind].format(ref.namespace), side_name(name, side)) for kind, name in stable.items()
        )
        found = await asyncio.gather(*(_find(client, *path) for path in paths))
        faults += strangers([one for one in found if one is not None], side)
    return faults


async def _find(client: ClusterClient, collection: str, name: str) -> dict[str, Any] | None:
    try:
        return await client.get(f"{collection}/{name}")
    except ClusterNotFoundError:
        return None


async def check_prometheus(asked: Asked, surroundings: Surroundings | None, faults: Faults) -> None:
    """
    Ask each query once, with stable's name for the candidate's, which does not exist yet.

    A query that the server refuses, or that matches nothing even for stable, cannot judge a candidate. While
    stable's Service is not known, its name is a guess: then only a refusal counts.
    """
    bounds = [gate for gate in asked.gates if isinstance(gate, Gate)]
    if not bounds or asked.target is None:
        return
    from cd_provider.adapters.metrics import open_metric_source

    ref, known = asked.target.ref, surroundings.service if surroundings else None
    service = known or asked.target.service or ref.name
    names = QueryNames(service, service, ref.namespace, (f"{ref.name}-.*",))
    async with open_metric_source("prometheus", asked.prometheus_conn_id) as source:
        checks = (_check_gate(source, gate, names, sure=known is not None) for gate in bounds)
        await asyncio.gather(*(faults.wait_for(check) for check in checks))


async def _check_gate(source: MetricSource, gate: Gate, names: QueryNames, *, sure: bool) -> None:
    for query in filter(None, (gate.query, gate.requests_query())):
        text = fill(query, names, window_s=gate.window_s)
        if await source.value(text) is not None or not sure:
            continue
        if not await source.value(
            f"count({text})"
        ):  # else it matches, and gave NaN: nobody asked stable lately
            raise PlanError(
                app=gate.name,
                faults=[
                    f"gate {gate.name!r} can only be silent: its query matches nothing even with stable's name for "
                    f"the candidate's: {text}. Check the metric's name and labels, and that it is scraped; where "
                    "a sum has no series while all is well, write (sum(…) or vector(0))."
                ],
            )
