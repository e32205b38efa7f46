from __future__ import annotations

import asyncio

import pytest
from aiohttp import web

from cd_provider.adapters.access import missing
from cd_provider.core.access import DELIVERY_PERMISSIONS, Permission
from cd_provider.exceptions import ClusterUnavailableError
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.api_server import ApiServer, answers


async def test_what_is_refused_comes_back_in_order_and_all_are_asked_at_once(
    server: ApiServer, client: ClusterClient
) -> None:
    everybody_asked = asyncio.Barrier(len(DELIVERY_PERMISSIONS))

    async def review(request: web.Request) -> web.StreamResponse:
        attributes = (await request.json())["spec"]["resourceAttributes"]
        await everybody_asked.wait()
        allowed = attributes["verb"] != "patch" and attributes["subresource"] != "log"
        return web.json_response({"status": {"allowed": allowed}})

    server.next = [review] * len(DELIVERY_PERMISSIONS)

    lacking = await missing(client, "shop", DELIVERY_PERMISSIONS)

    assert [str(one) for one in lacking] == [
        "patch deployments.apps",
        "get pods/log",
        "patch httproutes.gateway.networking.k8s.io",
    ]
    assert {body["spec"]["resourceAttributes"]["namespace"] for body in server.bodies} == {"shop"}


async def test_an_answer_without_a_decision_is_no_permission(
    server: ApiServer, client: ClusterClient
) -> None:
    async def undecided(_: web.Request) -> web.StreamResponse:
        return web.json_response({"status": {}})

    permission = Permission("get", "", "pods", "", "see them")
    server.next = [undecided]

    assert await missing(client, "shop", [permission]) == (permission,)


async def test_no_answer_is_not_taken_for_a_no(server: ApiServer, client: ClusterClient) -> None:
    server.next = [answers(503)]

    with pytest.raises(ClusterUnavailableError):
        await missing(client, "shop", [Permission("get", "", "pods", "", "see them")])
