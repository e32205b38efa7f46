"""
The candidate, made from stable's own JSON: the same pods under other labels, a Service of their own.

Where a baseline is asked for it is made in the same way; ``side`` says which of the two.
"""

from __future__ import annotations

import copy
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cd_provider.core.deployment import equalities
from cd_provider.core.names import APP, ATTEMPT, CANDIDATE, PREFIX, RELEASE, SIDE, side_name
from cd_provider.exceptions import ArgumentError

_LABEL_MAX = 63
# Marks by which GitOps agents, Helm, kubectl or a DNS controller would take the copy for the original.
_NOT_COPIED = (
    "kubectl.kubernetes.io/", "argocd.argoproj.io/", "meta.helm.sh/", "helm.sh/",
    "kustomize.toolkit.fluxcd.io/", "helm.toolkit.fluxcd.io/", "external-dns.alpha.kubernetes.io/", PREFIX,
)  # fmt: skip


def suffixed(value: str, side: str = CANDIDATE) -> str:
    """Give a label's value the side's suffix; a long one is shortened and told apart by a hash."""
    suffix = f"-{side}"
    if not value:
        return side
    if len(value) + len(suffix) <= _LABEL_MAX:
        return value + suffix
    mark = hashlib.sha256(value.encode()).hexdigest()[:8]
    return value[: _LABEL_MAX - len(suffix) - len(mark) - 1].rstrip("-_.") + f"-{mark}{suffix}"


def label_value(text: str) -> str:
    """Give a text in a form that a label may carry; equal texts give equal values."""
    safe = re.sub(r"[^A-Za-z0-9_.-]", "-", text).strip("-_.")
    if safe == text and len(safe) <= _LABEL_MAX:
        return safe
    return f"{safe[:50]}-{hashlib.sha256(text.encode()).hexdigest()[:8]}".lstrip("-_.")


def candidate_selector(selector: Mapping[str, str], side: str = CANDIDATE) -> dict[str, str]:
    """Give the labels by which the candidate's pods are known, from those by which stable's are."""
    return {**{key: suffixed(value, side) for key, value in selector.items()}, SIDE: side}


def candidate_labels(
    stable: Mapping[str, Any], service: Mapping[str, Any] | None, *, app: str, side: str = CANDIDATE
) -> dict[str, str]:
    """
    Give the labels of the candidate's pods: stable's, with a suffix where stable's pods are chosen by them.

    :param service: stable's Service: what it selects by gets the suffix too, or it would send users to the
        candidate.
    :raises ArgumentError: stable's selector would match these labels all the same, so that stable's
        Deployment, HPA and PDB would count the candidate's pods as their own.
    """
    selector = stable["spec"]["selector"]
    labels = dict(stable["spec"]["template"].get("metadata", {}).get("labels") or {})
    chosen = set(equalities(selector)) | set((service or {}).get("spec", {}).get("selector") or {})
    made = {key: suffixed(value, side) if key in chosen else value for key, value in labels.items()}
    made |= {SIDE: side, APP: label_value(app)}
    if selects(selector, made) or not equalities(selector):
        raise ArgumentError(
            f"deployment/{stable['metadata']['name']}: its spec.selector {dict(selector)!r} cannot be told "
            f"apart from "
            f"the {side}'s labels; expected at least one label in matchLabels."
        )
    return made


def selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    """Say whether a label selector (matchLabels, matchExpressions) matches a pod with these labels."""
    wanted = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in wanted.items()):
        return False
    return all(_expression(one, labels) for one in selector.get("matchExpressions") or [])


def _expression(one: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = one["key"], one.get("values") or []
    return {
        "In": labels.get(key) in values,
        "NotIn": labels.get(key) not in values,
        "Exists": key in labels,
        "DoesNotExist": key not in labels,
    }[one["operator"]]


def candidate_deployment(
    stable: Mapping[str, Any],
    service: Mapping[str, Any] | None,
    *,
    app: str,
    images: Mapping[str, str],
    replicas: int,
    annotations: Mapping[str, str],
    side: str = CANDIDATE,
) -> dict[str, Any]:
    """
    Give the candidate's Deployment: stable's live pod template with other images, labels and size.

    The object's own labels are not stable's: GitOps agents would take it for theirs by them. Its strategy is
    the cluster's default, so that a stable with ``Recreate`` or ``paused`` does not stop the candidate.

    :param images: container → image text.
    :raises ArgumentError: a container that the template does not have, or a selector that cannot be told
        apart.
    """
    name, spec = stable["metadata"]["name"], stable["spec"]
    labels = candidate_labels(stable, service, app=app, side=side)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": side_name(name, side),
            "namespace": stable["metadata"]["namespace"],
            "labels": _marks(app, annotations, side),
            "annotations": dict(annotations),
        },
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": candidate_selector(equalities(spec["selector"]), side)},
            "minReadySeconds": spec.get("minReadySeconds", 0),
            "progressDeadlineSeconds": spec.get("progressDeadlineSeconds", 600),
            "revisionHistoryLimit": 1,
            "template": _pods(spec["template"], labels=labels, images=images, where=f"deployment/{name}"),
        },
    }


def under_judgement(live: Mapping[str, Any], made: dict[str, Any]) -> dict[str, Any]:
    """
    Keep the pods of a candidate that is being judged: stable's template may change meanwhile, they stay.

    Another image, or another attempt, takes the template as it is now. A baseline keeps what it was made from for the
    whole attempt, whatever image stable gets meanwhile.

    :param live: the candidate's Deployment as it is; ``made`` as it would be made anew.
    """
    attempts = [one["metadata"].get("annotations", {}).get(ATTEMPT) for one in (live, made)]
    same = attempts[0] == attempts[1] and attempts[0] is not None
    if not same or (is_side(made, CANDIDATE) and _images(live) != _images(made)):
        return made
    return {**made, "spec": {**made["spec"], "template": live["spec"]["template"]}}


def _images(deployment: Mapping[str, Any]) -> dict[str, str]:
    return {one["name"]: one["image"] for one in deployment["spec"]["template"]["spec"]["containers"]}


def candidate_service(
    service: Mapping[str, Any], *, app: str, selector: Mapping[str, str], side: str = CANDIDATE
) -> dict[str, Any]:
    """
    Give the candidate's Service: stable's ports, the candidate's pods, an address of its own.

    Annotations come along, since gateways read there how to speak to the pods (h2c, TLS).

    :param selector: the candidate's, from :func:`candidate_selector`.
    """
    kept = ("name", "port", "targetPort", "protocol", "appProtocol")
    ports = service["spec"].get("ports") or []
    notes = service["metadata"].get("annotations") or {}
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": side_name(service["metadata"]["name"], side),
            "namespace": service["metadata"]["namespace"],
            "labels": _marks(app, {}, side),
            "annotations": {key: text for key, text in notes.items() if not key.startswith(_NOT_COPIED)},
        },
        "spec": {
            "type": "ClusterIP",
            "selector": dict(selector),
            "ports": [{key: port[key] for key in kept if key in port} for port in ports],
        },
    }


def is_candidate(raw: Mapping[str, Any]) -> bool:
    """Say whether an object carries the mark of what we made for a candidate."""
    return is_side(raw, CANDIDATE)


def is_side(raw: Mapping[str, Any], side: str) -> bool:
    """Say whether an object carries the mark of what we made for a side."""
    return bool((raw["metadata"].get("labels") or {}).get(SIDE) == side)


def _marks(app: str, annotations: Mapping[str, str], side: str) -> dict[str, str]:
    marks = {SIDE: side, APP: label_value(app)}
    return {**marks, RELEASE: label_value(annotations[RELEASE])} if annotations.get(RELEASE) else marks


def _pods(
    template: Mapping[str, Any], *, labels: Mapping[str, str], images: Mapping[str, str], where: str
) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(dict(template))
    meta = made.setdefault("metadata", {})
    meta.pop("creationTimestamp", None)
    meta["labels"] = dict(labels)
    containers: Sequence[dict[str, Any]] = made["spec"]["containers"]
    names = [one["name"] for one in containers]
    if unknown := sorted(set(images) - set(names)):
        raise ArgumentError(f"{where} has no container {unknown[0]!r}, expected some of {', '.join(names)}.")
    for one in containers:
        one["image"] = images.get(one["name"], one.get("image"))
    return made
