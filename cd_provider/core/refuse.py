"""Why a release may not even begin: checked by plan, and again right before the first write."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cd_provider.core.gate import Gate, judges
from cd_provider.core.names import CANDIDATE, RECORD, SIDE, candidate_name
from cd_provider.core.release import Record, Release
from cd_provider.core.template import is_side
from cd_provider.core.traffic import Step
from cd_provider.core.workload import WorkloadState
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.gate import AnyGate

_ARGO = ("argocd.argoproj.io/instance", "argocd.argoproj.io/tracking-id")
# A Service's name is a DNS label. A Deployment's is a subdomain (253), and its ReplicaSets add "-" and a hash of 10.
DECIDES_S = 120.0  # that a judge has to have once it may pass
LONGEST = {"Service": 63, "Deployment": 242}
_FLUX = ("kustomize.toolkit.fluxcd.io/name", "helm.toolkit.fluxcd.io/name")


def pick_container(images: Mapping[str, str], container: str | None, *, where: str) -> str:
    """
    Say which container is delivered.

    :param images: container → image of the pod template.
    :raises ArgumentError: it does not exist, or there are several and none was named.
    """
    names = ", ".join(sorted(images))
    if container is None:
        if len(images) != 1:
            raise ArgumentError(f"{where} has the containers {names}; say which one with container=.")
        return next(iter(images))
    if container not in images:
        raise ArgumentError(f"{where} has no container {container!r}, expected one of {names}.")
    return container


def strangers(found: Sequence[Mapping[str, Any]], side: str = CANDIDATE) -> list[str]:
    """
    Name what stands in the candidate's place (or the baseline's) and was not made by us.

    :param found: objects of the names that the side needs, as they are.
    """
    return [
        f"{one['kind']} {one['metadata']['name']} in {one['metadata']['namespace']} is not ours: it lacks the label "
        f"{SIDE}={side}. The {side} needs this name; rename or delete that object."
        for one in found
        if not is_side(one, side)
    ]


def long_names(stable: Mapping[str, str]) -> list[str]:
    """
    Name the objects that would have too long a name as a candidate's.

    :param stable: kind → name of stable's own.
    """
    made = {kind: candidate_name(name) for kind, name in stable.items()}
    return [
        f"{kind} {name} would have a name of {len(name)} characters, and at most {LONGEST[kind]} are possible; "
        f"give {stable[kind]} a shorter one."
        for kind, name in made.items()
        if len(name) > LONGEST[kind]
    ]


def late_judges(gates: Sequence[AnyGate], max_s: float) -> list[str]:
    """Name the judges that would have less than two minutes to decide before the canary's time is over."""
    return [
        f"gate {gate.name!r} cannot decide: nothing passes before {least:g} s"
        + (f", {gate.asking_s:g} s are kept for asking a person" if gate.asks else "")
        + f", and the canary's max_s is {max_s:g} s; give it {least + gate.asking_s + DECIDES_S:g} s or more."
        for gate in judges(gates)
        if max_s < (least := gate.settings(max_s=max_s).least_s) + gate.asking_s + DECIDES_S
    ]


def crowded_steps(gates: Sequence[AnyGate], steps: Sequence[Step]) -> list[str]:
    """
    Name the judges that could not compare: a fresh baseline has as much as the candidate, and stable what is left.

    At 50 for both nothing is left, so that a judge beside stable would see nobody; beyond it there is no such split.
    """
    most, comparing = max(step.weight for step in steps), judges(gates)
    if most < 50 or not any(gate.fresh for gate in comparing):
        return []
    idle = [
        f"gate {gate.name!r} compares with stable, which has no users left at {most} % beside the fresh baseline of "
        "another gate. Lower the last step, or give both the same baseline."
        for gate in comparing
        if not gate.fresh
    ]
    return idle + [
        f"gate {gate.name!r} asks for a fresh baseline, which gets as much of the traffic as the candidate; the steps "
        f"go up to {most}, and 50 is the most that both can have. Lower the steps, or compare with stable."
        for gate in comparing
        if gate.fresh and most > 50
    ]


def blind_gates(gates: Sequence[AnyGate], steps: Sequence[Step]) -> list[str]:
    """
    Name the gates that cannot fail within these steps.

    A bound counts as broken once two looks at least ``for_s`` apart saw it so, and looks are ``every_s`` apart.
    """
    found, total, shortest = [], sum(step.for_s for step in steps), min(step.for_s for step in steps)
    for gate in gates:
        needed = math.ceil(gate.for_s / gate.every_s) * gate.every_s if isinstance(gate, Gate) else 0.0
        if isinstance(gate, Gate) and needed >= total:
            found.append(
                f"gate {gate.name!r} cannot fail: to see its bound broken for {gate.for_s:g} s it needs {needed:g} s, "
                f"and all steps together take {total:g} s. Shorten for_s or hold the steps for longer."
            )
        if gate.every_s > shortest:
            found.append(
                f"gate {gate.name!r} looks every {gate.every_s:g} s, but the shortest step takes {shortest:g} s: it "
                "would judge nothing there. Lower every_s or hold the step for longer."
            )
    return found


def refusals(
    release: Release,
    stable: WorkloadState,
    *,
    where: str,
    allow_downgrade: bool,
    stable_may_be_broken: bool,
    gitops_ignores_us: bool = False,
) -> list[str]:
    """Give every reason against touching the workload now; an empty list means that nothing speaks against it."""
    found = [] if gitops_ignores_us else owners({**stable.labels, **stable.annotations}, where=where)
    if stable.ready == 0 and not stable_may_be_broken:
        found.append(
            f"{where} has no ready pod, so that there is nothing to compare with and nothing to go back to; "
            "say stable_may_be_broken=True to deliver all the same."
        )
    if stable.paused:
        found.append(f"{where} is paused (spec.paused), so that promotion would never end; resume it first.")
    if stable.observed < stable.generation or stable.updated < stable.total:
        found.append(
            f"{where} is busy: another rollout of it is under way, {stable.updated} of {stable.total} pods are of its "
            "newest template; wait for its end."
        )
    record = Record.read(stable.annotations.get(RECORD))
    if record and not allow_downgrade and record.release.get("asked_at", 0) > release.asked_at:
        found.append(
            f"{where} runs {record.release.get('image')}, asked for later (by run {record.release.get('run_id')}) "
            "than this release: an older one would come back; say allow_downgrade=True to do that."
        )
    return found


def owners(marks: Mapping[str, str], *, where: str) -> list[str]:
    """
    Name a GitOps agent that owns an object and would undo what a delivery does.

    :param marks: the object's labels and annotations together.
    """
    if mark := next((mark for mark in _ARGO if marks.get(mark)), None):
        return [
            f"{where} is owned by Argo CD ({mark}={marks[mark]}), which would undo the change; add an "
            "ignoreDifferences rule for the container's image with managedFieldsManagers [cd-provider] and "
            "RespectIgnoreDifferences=true, then remove the mark or say gitops_ignores_us=True."
        ]
    if mark := next((mark for mark in _FLUX if marks.get(mark)), None):
        return [
            f"{where} is owned by Flux ({mark}={marks[mark]}), which would undo the change; exclude the container's "
            "image by the annotation kustomize.toolkit.fluxcd.io/ssa: Merge, then say gitops_ignores_us=True."
        ]
    return []
