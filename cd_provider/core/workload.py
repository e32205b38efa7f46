"""What runs in a cluster, and whether a rollout of it is done."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from cd_provider.exceptions import ArgumentError

KINDS = ("deployment",)


@dataclass(frozen=True)
class WorkloadRef:
    """Which workload: kind, namespace and name."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def parse(cls, text: Any, *, namespace: Any) -> WorkloadRef:
        """
        Read ``deployment/shop`` in a namespace.

        :raises ArgumentError: another form, an unknown kind, or an empty part.
        """
        kind, slash, name = text.strip().partition("/") if isinstance(text, str) else ("", "", "")
        if not slash or kind not in KINDS or not name or "/" in name:
            raise ArgumentError(
                f"workload: saw {text!r}, expected kind/name with kind one of {', '.join(KINDS)}."
            )
        if not isinstance(namespace, str) or not namespace.strip():
            raise ArgumentError(f"namespace: saw {namespace!r}, expected the namespace of {text}.")
        return cls(kind, namespace.strip(), name)

    def __str__(self) -> str:
        return f"{self.kind}/{self.name} in {self.namespace}"


@dataclass(frozen=True)
class WorkloadState:
    """
    One reading of a workload.

    ``images`` maps each container to the image text of the pod template. ``generation`` grows with each change of
    the spec; ``observed`` is the newest that the cluster's controller has acted on. Replica counts are of pods.
    """

    generation: int
    observed: int
    wanted: int
    updated: int  # pods of the newest template
    ready: int
    available: int
    total: int  # pods of any template, surge included
    images: Mapping[str, str]
    max_unavailable: int = 0
    paused: bool = False
    progress_deadline_s: float = 600.0
    stalled: str | None = None  # the cluster's own word that the rollout ran out of time
    annotations: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)  # of the object itself
    pod_labels: Mapping[str, str] = field(default_factory=dict)  # of the pod template
    selector: Mapping[str, str] = field(default_factory=dict)  # spec.selector.matchLabels
    uid: str = ""


class Rollout(StrEnum):
    """How far a rollout got."""

    ROLLING = "rolling"
    DONE = "done"
    STALLED = "stalled"


def judge_rollout(state: WorkloadState, *, generation: int) -> Rollout:
    """
    Say how far the rollout of ``generation`` got.

    :returns: ``DONE`` once the cluster has acted on it and updated = available = total = wanted; ``STALLED`` when
        the cluster says that it ran out of time; else ``ROLLING``.

    Source: Kubernetes, "Deployment status": a count read before ``observedGeneration`` caught up is of the old spec.
    """
    if state.observed < generation:
        return Rollout.ROLLING
    if state.updated == state.available == state.total == state.wanted:
        return Rollout.DONE
    return Rollout.STALLED if state.stalled else Rollout.ROLLING


def candidate_replicas(stable: int, *, weight: float, least: int) -> int:
    """
    Size the candidate for a share of the traffic.

    :param stable: replicas that stable wants now.
    :param weight: the candidate's share, 0–100.
    :param least: never fewer than this.
    :returns: as many replicas as stable would need for that share, rounded up.
    """
    return max(least, math.ceil(stable * weight / 100 - 1e-9))
