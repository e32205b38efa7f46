"""Pods behind an API server, the pages that they show, and sources that read them."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import web

from cd_provider.adapters.metrics.counters_direct import DirectCounters
from cd_provider.core.judge.presets import ENVOY, Preset
from cd_provider.core.judge.sides import Page, Sides
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.api_server import Answer, ApiServer, answers, status

PODS = ("c1", "c2", "s1", "s2")
SIDES = Sides(
    "web", "shop-candidate", "shop", ("c1", "c2"), ("s1", "s2"), {pod: Page("web", pod, 8080) for pod in PODS}
)
REFUSED_CONNECTION = answers(
    503, "error trying to reach service: dial tcp 10.0.0.1:8080: connect: connection refused"
)


class Proxied(ApiServer):
    """An API server before pods that show these pages; a pod without one is not there."""

    def __init__(self) -> None:
        super().__init__()
        self.pages: dict[str, str | Answer] = {}
        self.listed: Answer | None = None  # of pods, where it is not simply those that have a page

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        if request.path.endswith("/pods"):
            return await self.listed(request) if self.listed else pod_list(*self.pages)
        pod = request.path.split("/")[6].partition(":")[0]
        if (page := self.pages.get(pod)) is None:
            return status(404, f'pods "{pod}" not found')
        return web.Response(text=page) if isinstance(page, str) else await page(request)


def at_the_gateway(client: ClusterClient) -> DirectCounters:
    return DirectCounters(client, ENVOY, gateways="edge/app=envoy", timeout_s=30.0)


def lists(server: Proxied) -> int:
    """How often pods were listed."""
    return sum(request.path.endswith("/pods") for request in server.requests)


def pod_list(*names: str, phase: str = "Running", ends: bool = False) -> web.Response:
    ending = {"deletionTimestamp": "2026-01-01T00:00:00Z"} if ends else {}
    items = [{"metadata": {"name": name, **ending}, "status": {"phase": phase}} for name in names]
    return web.json_response({"kind": "PodList", "items": items})


def shop(good: int, bad: int) -> str:
    bucket = "shop_request_duration_seconds_bucket"
    return (
        "# TYPE shop_requests_total counter\n"
        f'shop_requests_total{{version="v1",code="200"}} {good}\nshop_requests_total{{code="500"}} {bad}\n'
        f'{bucket}{{le="0.1"}} {good}\n{bucket}{{le="+Inf"}} {good + bad}\n'
    )


def gateway(counts: Mapping[str, int]) -> str:
    lines = [
        f'envoy_cluster_upstream_rq{{envoy_response_code="200",envoy_cluster_name="{name}"}} {count}'
        for name, count in counts.items()
    ]
    return "# TYPE envoy_cluster_upstream_rq counter\n" + "\n".join(lines) + "\n"


def patient(client: ClusterClient, one: Preset) -> DirectCounters:
    """A source that waits longer than a busy machine takes."""
    return DirectCounters(client, one, timeout_s=30.0)
