from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
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
    ClusterUnauthorizedError,
    ClusterUnavailableError,
    ConnectionFaultError,
)
from cd_provider.hooks import cluster
from cd_provider.hooks.cluster import ClusterHook, ClusterLogin, load
from cd_provider.hooks.cluster_answers import asked, verb_of
from cd_provider.hooks.cluster_client import FIELD_MANAGER, ClusterClient
from tests.unit.api_server import Answer, ApiServer, answers, break_off, hang_up, status, stream

MAPS = "/api/v1/namespaces/shop/configmaps"
ROUTE = "/apis/gateway.networking.k8s.io/v1/namespaces/shop/httproutes/shop"


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer() as server:
        yield server


def opened(server: ApiServer, *, token: str = "fresh", timeout_s: float = 10.0) -> ClusterClient:
    login = ClusterLogin(kube_config=server.kubeconfig(token))
    return ClusterClient(lambda: load(login, conn_id="k8s"), timeout_s=timeout_s)


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[ClusterClient]:
    async with opened(server) as client:
        yield client


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


async def test_refused_credentials_are_read_again_once_and_the_call_repeated(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_text(json.dumps(server.kubeconfig("stale")))
    extra = json.dumps({"conn_type": "kubernetes", "extra": {"kube_config_path": str(file)}})
    monkeypatch.setenv("AIRFLOW_CONN_K8S", extra)

    async with ClusterHook("k8s").client() as client:
        file.write_text(json.dumps(server.kubeconfig("fresh")))
        await client.create(MAPS, {"metadata": {"name": "a"}})
        await client.get(f"{MAPS}/a")

    assert [request.headers["Authorization"] for request in server.requests] == [
        "Bearer stale",
        "Bearer fresh",
        "Bearer fresh",
    ]


async def test_credentials_that_stay_refused_are_named_and_not_shown(server: ApiServer) -> None:
    async with opened(server, token="hush-hush") as client:
        with pytest.raises(ClusterUnauthorizedError, match="were read again") as caught:
            await client.get(MAPS)

    assert len(server.requests) == 2
    assert "hush" not in str(caught.value)


async def test_calls_that_are_refused_together_read_the_credentials_once(server: ApiServer) -> None:
    loaded: list[str] = []

    async def loads() -> Any:
        loaded.append("fresh" if loaded else "stale")
        return await load(ClusterLogin(kube_config=server.kubeconfig(loaded[-1])), conn_id="k8s")

    server.objects[f"{MAPS}/a"] = {"metadata": {"name": "a"}}
    async with ClusterClient(loads) as client:
        await asyncio.gather(*(client.get(f"{MAPS}/a") for _ in range(20)))

    assert loaded == ["stale", "fresh"]


@pytest.mark.parametrize(
    "fault", [pytest.param("gone", id="deleted"), pytest.param("hangs", id="Airflow hangs")]
)
async def test_a_connection_that_cannot_be_read_again_serves_as_it_was(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    file = tmp_path / "config"
    file.write_text(json.dumps(server.kubeconfig("stale")))
    readings: list[str] = []

    async def read_connection(conn_id: str) -> tuple[None, dict[str, str]]:
        readings.append(conn_id)
        if len(readings) > 1 and fault == "gone":
            raise ConnectionFaultError("there is none of this name")
        if len(readings) > 1:
            await asyncio.Event().wait()
        return None, {"kube_config_path": str(file)}

    monkeypatch.setattr(cluster, "read_connection", read_connection)
    monkeypatch.setattr(cluster, "CONNECTION_S", 0.05)
    server.objects[MAPS] = {"metadata": {}, "items": []}

    async with ClusterHook("k8s").client() as client:
        file.write_text(json.dumps(server.kubeconfig("fresh")))
        found = await client.get(MAPS)

    assert found["items"] == []
    assert readings == ["k8s", "k8s"]


async def test_credentials_that_cannot_be_read_again_leave_an_error_worth_a_retry(server: ApiServer) -> None:
    loads = iter([load(ClusterLogin(kube_config=server.kubeconfig("stale")), conn_id="k8s")])

    async def once() -> Any:
        for loading in loads:
            return await loading
        raise ConnectionFaultError("kube_config_path '/k' is no file on this machine.")

    async with ClusterClient(once) as client:
        with pytest.raises(ClusterUnauthorizedError, match="'/k' is no file"):
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
    login = ClusterLogin(kube_config=server.kubeconfig())
    await server.__aexit__()

    async with ClusterClient(lambda: load(login, conn_id="k8s")) as client:
        with pytest.raises(
            ClusterUnavailableError, match="list configmaps in namespace shop: the connection"
        ):
            await client.get(MAPS)


async def test_an_answer_that_does_not_come_in_time_is_unavailable(server: ApiServer) -> None:
    async def silence(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    server.next = [silence]
    async with opened(server, timeout_s=0.05) as client:
        with pytest.raises(ClusterUnavailableError, match="no answer from the API server in time"):
            await client.get(MAPS)

    assert len(server.requests) == 1


async def test_a_log_is_plain_text_and_broken_characters_do_not_hurt(
    server: ApiServer, client: ClusterClient
) -> None:
    async def log(_: web.Request) -> web.StreamResponse:
        return web.Response(body=b"one\ntw\xff\n")

    server.next = [log]

    assert await client.text("/api/v1/namespaces/shop/pods/a/log", tailLines=2) == "one\ntw�\n"


def pod(version: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": "a", "resourceVersion": version}, **more}


async def test_a_watch_gives_events_and_bookmarks_of_any_size_until_the_server_ends_it(
    server: ApiServer, client: ClusterClient
) -> None:
    large = pod("2", data="x" * 5_000_000)
    server.next = [
        stream(
            {"type": "ADDED", "object": pod("1")},
            {"type": "MODIFIED", "object": large},
            {"type": "BOOKMARK", "object": pod("9")},
        )
    ]

    events = [event async for event in client.watch(MAPS, resourceVersion="0")]

    assert events == [("ADDED", pod("1")), ("MODIFIED", large), ("BOOKMARK", pod("9"))]
    assert dict(server.requests[0].query) == {
        "watch": "true",
        "allowWatchBookmarks": "true",
        "timeoutSeconds": "30",
        "resourceVersion": "0",
    }


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        pytest.param(410, ClusterGoneError, id="410"),
        pytest.param(504, ClusterUnavailableError, id="504"),
    ],
)
@pytest.mark.parametrize("inside", [pytest.param(True, id="as an event"), pytest.param(False, id="at once")])
async def test_a_position_that_is_too_old_says_so(
    server: ApiServer, client: ClusterClient, code: int, kind: type[CdProviderError], inside: bool
) -> None:
    error = {"type": "ERROR", "object": json.loads(status(code, "too old resource version").text or "")}
    server.next = [stream(error) if inside else answers(code, "too old resource version")]

    with pytest.raises(kind, match=r"watch configmaps in namespace shop: .*too old resource version"):
        await anext(client.watch(MAPS))


async def test_a_watch_whose_connection_breaks_says_so(server: ApiServer, client: ClusterClient) -> None:
    server.next = [stream({"type": "ADDED", "object": pod("1")}, then=hang_up)]

    async with aclosing(client.watch(MAPS)) as events:
        first = await anext(events)
        with pytest.raises(ClusterUnavailableError, match="the connection to the API server failed"):
            await anext(events)

    assert first == ("ADDED", pod("1"))


async def test_a_watch_that_has_gone_deaf_says_so(
    server: ApiServer, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cd_provider.hooks.cluster_client.WATCH_GRACE_S", 0.05)

    async def silence(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    server.next = [stream(then=silence)]

    with pytest.raises(ClusterUnavailableError, match="no answer from the API server in time"):
        await anext(client.watch(MAPS, timeoutSeconds=0))


async def test_a_watch_that_does_not_begin_in_time_says_so(server: ApiServer) -> None:
    async def silence(_: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    server.next = [silence]
    async with opened(server, timeout_s=0.05) as client, asyncio.timeout(20):
        with pytest.raises(ClusterUnavailableError, match="no answer from the API server in time"):
            await anext(client.watch(MAPS))


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


PAGE = "/api/v1/namespaces/shop/pods/a:8080/proxy/metrics"


def shown(text: str) -> Answer:
    """Answer the next request with a page of text."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(text=text)

    return answer


async def test_a_page_comes_with_the_moment_it_began(server: ApiServer, client: ClusterClient) -> None:
    server.next = [shown("up 1\n")]
    before = time.time()
    began, text = await client.page(PAGE, accept="text/plain", max_bytes=5)

    assert text == "up 1\n"
    assert before <= began <= time.time()
    assert server.requests[-1].headers["Accept"] == "text/plain"


async def test_a_page_that_is_too_long_is_left(server: ApiServer, client: ClusterClient) -> None:
    server.next = [shown("up 1\n" * 1000)]

    with pytest.raises(
        ClusterRefusedError, match=r"get pods/a:8080/proxy/metrics in namespace shop: .* 4999 bytes"
    ):
        await client.page(PAGE, accept="text/plain", max_bytes=4999)


async def test_a_page_is_asked_for_once(server: ApiServer, client: ClusterClient) -> None:
    server.next = [
        hang_up,
        hang_up,
        shown("up 1\n"),
    ]  # aiohttp itself repeats once what broke at its beginning

    with pytest.raises(ClusterUnavailableError):
        await client.page(PAGE, accept="text/plain", max_bytes=5)
    assert server.next
