"""A Deployment's JSON, read and written: what the API server gives, and what we ask of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cd_provider.core.names import FIELD_MANAGER, PREFIX
from cd_provider.core.workload import WorkloadState
from cd_provider.exceptions import ArgumentError

_DEFAULT_SHARE = "25%"


def workload_state(raw: Mapping[str, Any]) -> WorkloadState:
    """Read a Deployment as the API server gives it; numbers that it leaves out are 0, ``replicas`` is 1."""
    meta, spec, status = raw["metadata"], raw["spec"], raw.get("status") or {}
    template = spec["template"]
    wanted = spec.get("replicas", 1)
    return WorkloadState(
        generation=meta.get("generation", 0),
        observed=status.get("observedGeneration", 0),
        wanted=wanted,
        updated=status.get("updatedReplicas", 0),
        ready=status.get("readyReplicas", 0),
        available=status.get("availableReplicas", 0),
        total=status.get("replicas", 0),
        images={one["name"]: one.get("image", "") for one in template["spec"]["containers"]},
        max_unavailable=max_unavailable(spec.get("strategy") or {}, wanted),
        paused=bool(spec.get("paused", False)),
        progress_deadline_s=float(spec.get("progressDeadlineSeconds", 600)),
        stalled=stalled(status.get("conditions") or []),
        annotations=meta.get("annotations") or {},
        labels=meta.get("labels") or {},
        pod_labels=template.get("metadata", {}).get("labels") or {},
        selector=equalities(spec["selector"]),
        uid=meta.get("uid", ""),
    )


def max_unavailable(strategy: Mapping[str, Any], wanted: int) -> int:
    """
    Resolve how many pods a rollout may take away at once.

    Source: Kubernetes, "Rolling update Deployment": a percentage of maxUnavailable rounds down, of maxSurge
    up; when both come to 0, one pod may be missing, or nothing would ever move. ``Recreate`` takes all.
    """
    if strategy.get("type") == "Recreate":
        return wanted
    rolling = strategy.get("rollingUpdate") or {}
    missing = _count(rolling.get("maxUnavailable", _DEFAULT_SHARE), wanted, math.floor)
    surge = _count(rolling.get("maxSurge", _DEFAULT_SHARE), wanted, math.ceil)
    return min(wanted, missing if missing or surge else 1)


def _count(value: Any, wanted: int, rounded: Any) -> int:
    if isinstance(value, str) and value.endswith("%"):
        return int(rounded(wanted * int(value[:-1]) / 100))
    return int(value)


def stalled(conditions: list[Mapping[str, Any]]) -> str | None:
    """Give the cluster's own words when a rollout ran out of time or its pods cannot be made; else None."""
    for one in conditions:
        late = one.get("type") == "Progressing" and one.get("status") == "False"
        refused = one.get("type") == "ReplicaFailure" and one.get("status") == "True"
        if refused or (late and one.get("reason") == "ProgressDeadlineExceeded"):
            return f"{one.get('reason')}: {one.get('message', '')}".rstrip(": ")
    return None


def equalities(selector: Mapping[str, Any]) -> dict[str, str]:
    """
    Give a label selector as the labels that a pod must have.

    ``In`` with one value is the same as an equality. Other expressions are not in it:
    :func:`cd_provider.core.template.candidate_labels` checks the whole selector.
    """
    found = dict(selector.get("matchLabels") or {})
    for one in selector.get("matchExpressions") or []:
        if one["operator"] == "In" and len(one["values"]) == 1:
            found[one["key"]] = one["values"][0]
    return found


def owned_images(raw: Mapping[str, Any]) -> set[str]:
    """Name the containers whose image our server-side apply set, and nobody has set since."""
    found = set()
    for entry in raw["metadata"].get("managedFields") or []:
        if entry.get("manager") != FIELD_MANAGER or entry.get("operation") != "Apply":
            continue
        fields: Any = entry.get("fieldsV1") or {}
        for part in ("f:spec", "f:template", "f:spec", "f:containers"):
            fields = fields.get(part) or {}
        found |= {key for key, inner in fields.items() if "f:image" in inner}
    return {name for name in _names(raw) if f'k:{{"name":"{name}"}}' in found}


def applied(
    raw: Mapping[str, Any], *, images: Mapping[str, str], annotations: Mapping[str, str | None]
) -> dict[str, Any]:
    """
    Give the whole of what we want to own of a live Deployment, for a server-side apply.

    Such an apply takes away what its manager owned and does not name again. So what we set before is named
    again: images that are still ours, and every annotation under our prefix, but for those that go (None).

    :raises ArgumentError: the pod template has no such container; the apply would add one.
    """
    if unknown := sorted(set(images) - set(_names(raw))):
        raise ArgumentError(
            f"deployment/{raw['metadata']['name']} has no container {unknown[0]!r}, expected some of "
            f"{', '.join(_names(raw))}."
        )
    live = workload_state(raw)
    kept = {name: live.images[name] for name in owned_images(raw)}
    ours = {key: text for key, text in live.annotations.items() if key.startswith(PREFIX)}
    notes = {key: text for key, text in {**ours, **annotations}.items() if text is not None}
    containers = [{"name": name, "image": image} for name, image in sorted({**kept, **images}.items())]
    body: dict[str, Any] = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": raw["metadata"]["name"], "annotations": notes},
    }
    if containers:
        body["spec"] = {"template": {"spec": {"containers": containers}}}
    return body


def _names(raw: Mapping[str, Any]) -> list[str]:
    return [one["name"] for one in raw["spec"]["template"]["spec"]["containers"]]
