"""What is not one answer of JSON: logs, watches, and pages of pods."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from typing import Any

import pytest
from aiohttp import web

from cd_provider.exceptions import (
    CdProviderError,
    ClusterGoneError,
    ClusterRefusedError,
    ClusterUnavailableError,
)
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.api_server import Answer, ApiServer, answers, hang_up, opened, status, stream
from tests.unit.hooks.cluster_paths import MAPS


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
