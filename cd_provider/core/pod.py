"""Pods, as the judge sees them: which image they really run, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cd_provider.core.names import SIDE

_START_FAULTS = {
    "CrashLoopBackOff", "ImagePullBackOff", "ErrImagePull", "ErrImageNeverPull", "InvalidImageName",
    "CreateContainerConfigError", "CreateContainerError", "RunContainerError", "ImageInspectError",
}  # fmt: skip
_PULL_FAULTS = {"ImagePullBackOff", "ErrImagePull"}


@dataclass(frozen=True)
class PodFault:
    """Why a pod cannot serve, in the cluster's own words."""

    pod: str
    reason: str  # such as CrashLoopBackOff, OOMKilled, Unschedulable
    message: str
    container: str | None = None

    def __str__(self) -> str:
        where = f"pod {self.pod}" + (f", container {self.container}" if self.container else "")
        return f"{where}: {self.reason}" + (f" ({self.message})" if self.message else "")


@dataclass(frozen=True)
class PodState:
    """One pod at one moment."""

    name: str
    side: str | None  # "candidate", "baseline", or None for stable's
    ready: bool
    deleting: bool
    restarts: int
    digests: frozenset[str]  # every sha256:… that the node reports for the container asked about
    labels: Mapping[str, str]
    fault: PodFault | None = None
    uid: str = ""

    @property
    def serves(self) -> bool:
        """Whether it is ready and will stay so as far as anybody knows."""
        return self.ready and not self.deleting


def pod_state(raw: Mapping[str, Any], *, container: str) -> PodState:
    """
    Read a pod as the API server gives it.

    :param raw: the pod's JSON.
    :param container: the container whose image is delivered.
    """
    meta, status = raw.get("metadata", {}), raw.get("status", {})
    statuses = status.get("containerStatuses") or []
    conditions = {one["type"]: one for one in status.get("conditions") or []}
    mine = [one for one in statuses if one.get("name") == container]
    labels = meta.get("labels") or {}
    return PodState(
        name=meta.get("name", ""),
        side=labels.get(SIDE),
        ready=conditions.get("Ready", {}).get("status") == "True",
        deleting="deletionTimestamp" in meta,
        restarts=sum(one.get("restartCount", 0) for one in statuses),
        digests=frozenset(digest for one in mine for digest in _digests(one.get("imageID", ""))),
        labels=labels,
        fault=_fault(meta.get("name", ""), status, conditions),
        uid=meta.get("uid", ""),
    )


def _digests(image_id: str) -> set[str]:
    found = image_id[image_id.find("sha256:") :] if "sha256:" in image_id else ""
    return {found} if len(found) == len("sha256:") + 64 else set()


def _fault(name: str, status: Mapping[str, Any], conditions: Mapping[str, Any]) -> PodFault | None:
    every = (status.get("initContainerStatuses") or []) + (status.get("containerStatuses") or [])
    for one in every:
        if found := _container_fault(name, one):
            return found
    scheduled = conditions.get("PodScheduled", {})
    if scheduled.get("status") == "False" and scheduled.get("reason") == "Unschedulable":
        return PodFault(name, "Unschedulable", scheduled.get("message", ""))
    if status.get("phase") == "Failed":
        return PodFault(name, status.get("reason") or "Failed", status.get("message", ""))
    return None


def _container_fault(pod: str, status: Mapping[str, Any]) -> PodFault | None:
    container = status.get("name")
    waiting = (status.get("state") or {}).get("waiting") or {}
    ended = (
        (status.get("state") or {}).get("terminated")
        or (status.get("lastState") or {}).get("terminated")
        or {}
    )
    if ended.get("reason") == "OOMKilled":
        return PodFault(pod, "OOMKilled", "the container used more memory than its limit", container)
    if waiting.get("reason") in _START_FAULTS:
        hint = (
            " Check the cluster's own pull secret: it is not Airflow's."
            if waiting["reason"] in _PULL_FAULTS
            else ""
        )
        return PodFault(pod, waiting["reason"], waiting.get("message", "") + hint, container)
    if ended and ended.get("exitCode", 0) != 0:
        return PodFault(pod, "Crashed", f"exit code {ended['exitCode']}", container)
    return None
