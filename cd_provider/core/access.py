"""Least privilege: exactly what a delivery may do in its workload's namespace, and why."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Permission:
    """One verb on one kind of object in one namespace. Without an ``optional`` one a delivery still works."""

    verb: str
    group: str  # "" for the core group
    resource: str
    subresource: str
    why: str
    optional: bool = False

    @property
    def target(self) -> str:
        """The resource as RBAC writes it, ``pods/log``."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    def __str__(self) -> str:
        name = f"{self.resource}.{self.group}" if self.group else self.resource
        return f"{self.verb} {name}/{self.subresource}" if self.subresource else f"{self.verb} {name}"


def allow(
    group: str, resource: str, verbs: str, why: str, *, subresource: str = "", optional: bool = False
) -> tuple[Permission, ...]:
    """
    Write down the permissions on one resource.

    :param verbs: separated by spaces.
    """
    return tuple(Permission(verb, group, resource, subresource, why, optional) for verb in verbs.split())


WORKLOAD_PERMISSIONS = (
    *allow("apps", "deployments", "get", "read stable and the candidate"),
    *allow(
        "apps", "deployments", "patch", "give stable the promoted image; size the candidate, note its step"
    ),
    *allow(
        "apps",
        "deployments",
        "create update delete",
        "make, move and remove the candidate (and a fresh baseline)",
    ),
    *allow(
        "", "pods", "get list watch", "see within a second whether pods start, run what was asked, stay up"
    ),
    *allow("", "pods", "get", "show the last lines of a pod that fails", subresource="log"),
)
ROUTE_PERMISSIONS = (
    *allow("gateway.networking.k8s.io", "httproutes", "get", "read the split, and whether it is in force"),
    *allow("gateway.networking.k8s.io", "httproutes", "patch", "shift traffic"),
    *allow("", "services", "get list", "find the Service that the route and stable share"),
    *allow(
        "",
        "services",
        "create update delete",
        "make, move and remove the candidate's Service (and a baseline's)",
    ),
)
LOCK_PERMISSIONS = allow(
    "coordination.k8s.io", "leases", "get create update delete", "hold the lock: one delivery per workload"
)
HINT_PERMISSIONS = (
    *allow(
        "autoscaling", "horizontalpodautoscalers", "list", "plan's hint: who sets replicas", optional=True
    ),
    *allow("policy", "poddisruptionbudgets", "list", "plan's hint: how many may be away", optional=True),
    *allow("networking.k8s.io", "networkpolicies", "list", "plan's hint: what will not match", optional=True),
    *allow(
        "monitoring.coreos.com", "podmonitors", "list", "plan's hint: what will not be scraped", optional=True
    ),
    *allow(
        "monitoring.coreos.com",
        "servicemonitors",
        "list",
        "plan's hint: what will not be scraped",
        optional=True,
    ),
)
DIRECT_PERMISSIONS = allow("", "pods", "get", "read counters from pods' own pages", subresource="proxy")
"""For a judge without a metrics server; in the namespace of the pods, or of the gateway whose pages are read."""
GATEWAY_PERMISSIONS = allow("", "pods", "list", "find the gateway's pods")
"""Besides, where such a judge reads the gateway's pages; in the gateway's namespace."""

DELIVERY_PERMISSIONS: tuple[Permission, ...] = (
    *WORKLOAD_PERMISSIONS,
    *ROUTE_PERMISSIONS,
    *LOCK_PERMISSIONS,
    *HINT_PERMISSIONS,
)
"""What a canary delivery of a Deployment behind an HTTPRoute needs."""


def role(
    namespace: str, permissions: Iterable[Permission] = DELIVERY_PERMISSIONS, *, name: str = "cd-provider"
) -> dict[str, Any]:
    """Give the Role that grants ``permissions``, as its manifest."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": name, "namespace": namespace},
        "rules": [
            {"apiGroups": [group], "resources": [target], "verbs": verbs}
            for (group, target), verbs in _verbs(permissions).items()
        ],
    }


def role_table(permissions: Sequence[Permission] = DELIVERY_PERMISSIONS) -> str:
    """Give the same as a Markdown table, a line per reason."""
    lines = ["| API group | resource | verbs | what for | |", "|---|---|---|---|---|"]
    rows: dict[tuple[str, str, str, bool], list[str]] = {}
    for one in permissions:
        rows.setdefault((one.group, one.target, one.why, one.optional), []).append(one.verb)
    for (group, target, why, optional), verbs in rows.items():
        mark = "optional" if optional else ""
        lines.append(f"| {group or '(core)'} | {target} | {', '.join(verbs)} | {why} | {mark} |")
    return "\n".join(lines) + "\n"


def _verbs(permissions: Iterable[Permission]) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for one in permissions:
        verbs = found.setdefault((one.group, one.target), [])
        if one.verb not in verbs:
            verbs.append(one.verb)
    return found
