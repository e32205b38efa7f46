"""The part of a cluster that a canary's adapters touch, in memory: each write is kept, and acted on at once."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from cd_provider.core.names import SIDE
from cd_provider.core.pod import PodState
from cd_provider.exceptions import ClusterConflictError, ClusterNotFoundError
from tests.fakes import FakePods

DEPLOYMENTS = "/apis/apps/v1/namespaces/shop/deployments"
SERVICES = "/api/v1/namespaces/shop/services"
ROUTE = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/shop"
V1, V2 = (f"registry.example/shop@sha256:{digit * 64}" for digit in "12")
Json = dict[str, Any]


class SmallCluster:
    """
    A shop of four pods with its Service and route, behind the methods of a ``ClusterClient``.

    :ivar objects: by path; a test may change them behind our back.
    :ivar writes: method, path and body of each write, in their order.
    :ivar unready: Deployments whose pods do not become ready.
    """

    def __init__(self) -> None:
        self.objects: dict[str, Json] = {}
        self.writes: list[tuple[str, str, Any]] = []
        self.unready: set[str] = set()
        self._made = 0
        labels = {"app": "shop"}
        pods = {"metadata": {"labels": labels}, "spec": {"containers": [{"name": "shop", "image": V1}]}}
        self._put(f"{DEPLOYMENTS}/shop", {
            "kind": "Deployment", "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"replicas": 4, "selector": {"matchLabels": labels}, "template": pods},
        })  # fmt: skip
        self._put(f"{SERVICES}/shop", {
            "kind": "Service", "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"selector": labels, "ports": [{"port": 80}]},
        })  # fmt: skip
        self._put(ROUTE, {
            "kind": "HTTPRoute", "metadata": {"name": "shop", "namespace": "shop"},
            "spec": {"parentRefs": [{"name": "edge"}], "rules": [{"backendRefs": [{"name": "shop", "port": 80}]}]},
        })  # fmt: skip

    # --- what adapters call -----------------------------------------------------------------------------------

    async def get(self, path: str, **_: Any) -> Json:
        if path not in self.objects:
            raise ClusterNotFoundError(f"{path}: there is none.")
        return copy.deepcopy(self.objects[path])

    async def create(self, path: str, body: Mapping[str, Any], **_: Any) -> Json:
        whole = f"{path}/{body['metadata']['name']}"
        if whole in self.objects:
            raise ClusterConflictError(f"{whole} is there already.")
        return self._write("create", whole, body, body)

    async def replace(self, path: str, body: Mapping[str, Any], **_: Any) -> Json:
        await self.get(path)
        return self._write("replace", path, body, body)

    async def patch(self, path: str, body: Any, *, how: str = "json", **_: Any) -> Json:
        before = await self.get(path)
        after = _json_patched(before, body) if how == "json" else _merged(before, body)
        return self._write(how, path, body, after)

    async def delete(self, path: str, body: Mapping[str, Any] | None = None, **_: Any) -> Json:
        self.writes.append(("delete", path, copy.deepcopy(body)))
        return self.objects.pop(path)

    def _write(self, how: str, path: str, said: Any, body: Mapping[str, Any]) -> Json:
        self.writes.append((how, path, copy.deepcopy(said)))
        return self._put(path, body)

    def _put(self, path: str, body: Mapping[str, Any]) -> Json:
        """Store it as an API server and its controllers would: counted, and acted on."""
        before, after = self.objects.get(path), copy.deepcopy(dict(body))
        self._made += 1
        meta = after["metadata"]
        meta["uid"] = before["metadata"]["uid"] if before else f"uid-{self._made}"
        old = before["metadata"]["generation"] if before else 0
        meta["generation"] = old if before and before["spec"] == after["spec"] else old + 1
        self.objects[path] = after
        after["status"] = self._status(after)
        return copy.deepcopy(after)

    def _status(self, found: Json) -> Json:
        generation = found["metadata"]["generation"]
        if found["kind"] == "HTTPRoute":
            taken = [
                {"type": kind, "status": "True", "observedGeneration": generation}
                for kind in ("Accepted", "ResolvedRefs")
            ]
            return {
                "parents": [{"parentRef": {"name": "edge"}, "controllerName": "small", "conditions": taken}]
            }
        ready = 0 if found["metadata"]["name"] in self.unready else found["spec"].get("replicas", 1)
        counts = ("replicas", "updatedReplicas", "readyReplicas", "availableReplicas")
        return {"observedGeneration": generation, **dict.fromkeys(counts, ready)}

    # --- what tests ask ---------------------------------------------------------------------------------------

    def forget(self, name: str) -> None:
        """Delete a Deployment behind our back."""
        del self.objects[f"{DEPLOYMENTS}/{name}"]

    def split(self) -> dict[str, int | None]:
        """Give the route's backends: Service → weight as it is written."""
        refs = self.objects[ROUTE]["spec"]["rules"][0]["backendRefs"]
        return {ref["name"]: ref.get("weight") for ref in refs}

    def names(self, kind: str) -> set[str]:
        """Name the objects of a kind."""
        return {one["metadata"]["name"] for one in self.objects.values() if one["kind"] == kind}

    def shifts(self) -> list[dict[str, int]]:
        """Give every split that was written, in order."""
        found = []
        for how, path, body in self.writes:
            if path == ROUTE and how == "json":
                found += [
                    {ref["name"]: ref.get("weight") for ref in one["value"]}
                    for one in body
                    if one["op"] == "replace" and one["path"].endswith("backendRefs")
                ]
        return found

    def pods(self) -> list[PodState]:
        """Give the pods of every Deployment."""
        return [
            pod for one in self.objects.values() if one["kind"] == "Deployment" for pod in self._pods(one)
        ]

    def _pods(self, deployment: Json) -> list[PodState]:
        name, spec = deployment["metadata"]["name"], deployment["spec"]
        labels = spec["template"]["metadata"]["labels"]
        image = spec["template"]["spec"]["containers"][0]["image"]
        return [
            PodState(
                f"{name}-{number}", labels.get(SIDE), name not in self.unready, False, 0,
                frozenset({image.partition("@")[2]}), labels, uid=f"{deployment['metadata']['uid']}-{number}",
            )
            for number in range(spec.get("replicas", 1))
        ]  # fmt: skip


class ClusterPods(FakePods):
    """The pods of a small cluster; ``instead``: name → how a pod is, other than its Deployment says."""

    def __init__(self, cluster: SmallCluster) -> None:
        super().__init__()
        self.cluster, self.instead = cluster, dict[str, PodState | None]()

    def latest(self) -> Sequence[PodState]:
        said = (self.instead.get(pod.name, pod) for pod in self.cluster.pods())
        self.pods = [pod for pod in said if pod is not None]
        return super().latest()


def _json_patched(before: Json, operations: Sequence[Mapping[str, Any]]) -> Json:
    """Apply the few forms of a JSON patch that we write."""
    for one in operations:
        *parents, last = [part.replace("~1", "/") for part in one["path"].split("/")[1:]]
        target: Any = before
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        if one["op"] == "test" and target.get(last) != one["value"]:
            raise ClusterConflictError(f"{one['path']}: saw {target.get(last)!r}.")
        if one["op"] == "remove":
            del target[last]
        elif one["op"] != "test":
            target[last] = one["value"]
    return before


def _merged(before: Json, body: Mapping[str, Any]) -> Json:
    """Apply images and annotations, as our server-side apply sets them."""
    notes = {**before["metadata"].get("annotations", {}), **body["metadata"].get("annotations", {})}
    before["metadata"]["annotations"] = {key: text for key, text in notes.items() if text is not None}
    wanted = body.get("spec", {}).get("template", {}).get("spec", {}).get("containers", [])
    images = {one["name"]: one["image"] for one in wanted}
    for one in before["spec"]["template"]["spec"]["containers"]:
        one["image"] = images.get(one["name"], one["image"])
    return before
