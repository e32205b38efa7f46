"""Requests to the API server: what goes out, what its answers mean, and what is repeated."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from aiohttp import web

from cd_provider.exceptions import (
    CdProviderError,
    ClusterConflictError,
    ClusterForbiddenError,
    ClusterGoneError,
    ClusterNotFoundError,
    ClusterRefusedError,
    ClusterUnavailableError,
)
from cd_provider.hooks.cluster_answers import asked, verb_of
from cd_provider.hooks.cluster_client import FIELD_MANAGER, ClusterClient
from tests.unit.api_server import Answer, ApiServer, answers, break_off, hang_up, opened
from tests.unit.hooks.cluster_paths import MAPS, ROUTE


async def test_json_goes_in_and_out_as_it_is(server: ApiServer, client: ClusterClient) -> None:
    await client.create(MAPS, {"metadata": {"name": "a"}, "data": {"x": "1"}})
    found = await client.get(f"{MAPS}/a")
    await client.replace(f"{MAPS}/a", {**found, "data": {"x": "2"}})

    assert (await client.get(f"{MAPS}/a"))["data"] == {"x": "2"}
    assert (await client.delete(f"{MAPS}/a"))["data"] == {"x": "2"}
    assert server.objects == {}


async def test_parameters_reach_the_server_as_it_reads_them(server: ApiServer, client: ClusterClient) -> None:
    server.next = [answers(200)]

    await client.get(MAPS, labelSelector="a=b,c in (x, y),!d", limit=5, watch=False, fieldSelector=None)

    assert dict(server.requests[0].query) == {
        "labelSelector": "a=b,c in (x, y),!d",
        "limit": "5",
        "watch": "false",
    }


@pytest.mark.parametrize(
    ("how", "content_type", "force"),
    [
        pytest.param("json", "application/json-patch+json", None, id="JSON patch"),
        pytest.param("merge", "application/merge-patch+json", None, id="merge patch"),
        pytest.param("apply", "application/apply-patch+yaml", "true", id="server-side apply"),
    ],
)
async def test_a_patch_says_of_which_kind_it_is_and_who_writes(
    server: ApiServer, client: ClusterClient, how: Any, content_type: str, force: str | None
) -> None:
    server.next = [answers(200)]

    await client.patch(f"{MAPS}/a", {"data": {"x": "1"}}, how=how)

    assert server.requests[0].content_type == content_type
    assert server.requests[0].query.get("fieldManager") == FIELD_MANAGER == "cd-provider"
    assert server.requests[0].query.get("force") == force
    assert server.bodies[0] == {"data": {"x": "1"}}


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        pytest.param(400, ClusterRefusedError, id="400"),
        pytest.param(403, ClusterForbiddenError, id="403"),
        pytest.param(404, ClusterNotFoundError, id="404"),
        pytest.param(405, ClusterRefusedError, id="405"),
        pytest.param(409, ClusterConflictError, id="409"),
        pytest.param(410, ClusterGoneError, id="410"),
        pytest.param(422, ClusterRefusedError, id="422"),
        pytest.param(429, ClusterUnavailableError, id="429"),
        pytest.param(500, ClusterUnavailableError, id="500"),
        pytest.param(504, ClusterUnavailableError, id="504"),
    ],
)
async def test_an_error_names_the_request_and_repeats_the_servers_words(
    server: ApiServer, client: ClusterClient, code: int, kind: type[CdProviderError]
) -> None:
    server.next = [answers(code, "because of the moon")]

    with pytest.raises(kind) as caught:
        await client.patch(ROUTE, [{"op": "add", "path": "/x", "value": 1}])

    assert type(caught.value) is kind
    assert str(caught.value).startswith(
        f"patch httproutes.gateway.networking.k8s.io/shop in namespace shop: the API server answered {code}"
    )
    assert "because of the moon" in str(caught.value)
    assert len(server.requests) == 1


@pytest.mark.parametrize(
    ("operations", "causes", "kind"),
    [
        pytest.param(["test", "replace"], None, ClusterConflictError, id="its test failed"),
        pytest.param(
            ["test", "replace"], [{"field": "spec"}], ClusterRefusedError, id="the result is invalid"
        ),
        pytest.param(["replace"], None, ClusterRefusedError, id="it tested nothing"),
    ],
)
async def test_a_patch_whose_test_fails_is_a_conflict(
    server: ApiServer, client: ClusterClient, operations: list[str], causes: Any, kind: type[CdProviderError]
) -> None:
    server.next = [answers(422, "the server rejected our request", details={"causes": causes})]

    with pytest.raises(kind):
        await client.patch(ROUTE, [{"op": one, "path": "/x", "value": 1} for one in operations])


@pytest.mark.parametrize("body", [pytest.param("<html>", id="a page"), pytest.param("[]", id="a list")])
async def test_an_answer_of_something_else_than_the_api_server_is_none(
    server: ApiServer, client: ClusterClient, body: str
) -> None:
    async def page(_: web.Request) -> web.StreamResponse:
        return web.Response(text=body)

    server.next = [page]

    with pytest.raises(ClusterUnavailableError, match="is there a proxy"):
        await client.get(MAPS)


@pytest.mark.parametrize(
    "fault", [pytest.param(hang_up, id="at once"), pytest.param(break_off, id="half-way")]
)
async def test_a_read_whose_connection_breaks_is_repeated(
    server: ApiServer, client: ClusterClient, fault: Answer
) -> None:
    server.objects[MAPS] = {"metadata": {}, "items": []}
    server.next = [fault]

    assert (await client.get(MAPS))["items"] == []


async def test_a_read_that_breaks_twice_is_unavailable(server: ApiServer, client: ClusterClient) -> None:
    server.next = [break_off, break_off]

    with pytest.raises(ClusterUnavailableError, match="list configmaps in namespace shop: the connection"):
        await client.get(MAPS)


async def test_a_write_whose_connection_breaks_is_not_repeated(
    server: ApiServer, client: ClusterClient
) -> None:
    server.next = [hang_up]

    with pytest.raises(ClusterUnavailableError, match="create configmaps in namespace shop: the connection"):
        await client.create(MAPS, {"metadata": {"name": "a"}})

    assert len(server.requests) == 1
    assert server.objects == {}


async def test_a_server_that_is_not_there_is_unavailable(server: ApiServer) -> None:
    of_it = opened(server)
    await server.__aexit__()

    async with of_it as client:
        with pytest.raises(
            ClusterUnavailableError, match="list configmaps in namespace shop: the connection"
        ):
            await client.get(MAPS)


async def test_an_answer_that_does_not_come_in_time_is_unavailable(server: ApiServer) -> None:
    async def silence(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    server.next = [silence]
    async with opened(server, timeout_s=1.0) as client:  # long enough for it to be asked
        with pytest.raises(ClusterUnavailableError, match="no answer from the API server in time"):
            await client.get(MAPS)

    assert len(server.requests) == 1


async def test_a_client_that_is_closed_says_so(server: ApiServer) -> None:
    async with opened(server) as client:
        pass

    with pytest.raises(RuntimeError, match="closed"):
        await client.get(MAPS)


@pytest.mark.parametrize(
    ("method", "path", "words"),
    [
        pytest.param("GET", "/api/v1/namespaces", "list namespaces", id="namespaces"),
        pytest.param("GET", "/api/v1/namespaces/shop", "get namespaces/shop", id="one namespace"),
        pytest.param("GET", "/api/v1/pods", "list pods", id="in all namespaces"),
        pytest.param("GET", MAPS, "list configmaps in namespace shop", id="a collection"),
        pytest.param("GET", f"{MAPS}/a", "get configmaps/a in namespace shop", id="an object"),
        pytest.param(
            "GET",
            "/api/v1/namespaces/shop/pods/a/log",
            "get pods/a/log in namespace shop",
            id="a subresource",
        ),
        pytest.param(
            "PATCH",
            ROUTE,
            "patch httproutes.gateway.networking.k8s.io/shop in namespace shop",
            id="an object of a group",
        ),
        pytest.param("PUT", f"{MAPS}/a", "update configmaps/a in namespace shop", id="a replacement"),
        pytest.param("POST", MAPS, "create configmaps in namespace shop", id="a new one"),
        pytest.param("GET", "/version", "get /version", id="another path"),
    ],
)
def test_a_request_is_worded_as_rbac_would(method: str, path: str, words: str) -> None:
    assert asked(verb_of(method, path), path) == words
