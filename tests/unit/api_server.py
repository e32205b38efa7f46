"""An API server on a loopback socket: versions, preconditions, tokens and ``Status`` answers as in the real."""

from __future__ import annotations

import itertools
import json
from collections.abc import Awaitable, Callable
from typing import Any, Self

from aiohttp import web

from cd_provider.hooks.cluster import ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]
REASONS = {
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    409: "Conflict",
    410: "Expired",
    422: "Invalid",
    429: "TooManyRequests",
    500: "InternalError",
    503: "ServiceUnavailable",
}


class ApiServer:
    """
    Objects by path, and what was asked.

    :ivar tokens: bearer tokens that are let in.
    :ivar next: answers for the next requests, first come first served, before anything else is looked at.
    """

    def __init__(self) -> None:
        self.tokens = {"fresh"}
        self.next: list[Answer] = []
        self.objects: dict[str, dict[str, Any]] = {}
        self.requests: list[web.Request] = []
        self.bodies: list[Any] = []
        self._versions = itertools.count(1)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._answer)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    def kubeconfig(self, token: str = "fresh") -> dict[str, Any]:
        """Give a kubeconfig for this server, as a dict."""
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "here",
            "contexts": [{"name": "here", "context": {"cluster": "loopback", "user": "tester"}}],
            "clusters": [{"name": "loopback", "cluster": {"server": self.url}}],
            "users": [{"name": "tester", "user": {"token": token}}],
        }

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        text = await request.text()
        self.bodies.append(json.loads(text) if text else None)
        if self.next:
            return await self.next.pop(0)(request)
        if request.headers.get("Authorization", "").removeprefix("Bearer ") not in self.tokens:
            return status(401, "Unauthorized")
        return self._stored(request.method, request.path, self.bodies[-1])

    def _stored(self, method: str, path: str, body: Any) -> web.Response:
        if method == "POST":
            path = f"{path}/{body['metadata']['name']}"
            if path in self.objects:
                return status(409, f"{path} already exists", reason="AlreadyExists")
            uid = f"uid-{next(self._versions)}"
            return self._put(path, {**body, "metadata": {**body["metadata"], "uid": uid}})
        if path not in self.objects:
            return status(404, f"{path} not found")
        if method == "GET":
            return web.json_response(self.objects[path])
        meta = self.objects[path]["metadata"]
        wanted = body["metadata"] if method == "PUT" else (body or {}).get("preconditions") or {}
        if wanted.get("resourceVersion") not in (None, meta["resourceVersion"]):
            return status(409, f"{path}: the object has been modified")
        if method == "DELETE":
            return web.json_response(self.objects.pop(path))
        return self._put(path, body)

    def _put(self, path: str, body: dict[str, Any]) -> web.Response:
        self.objects[path] = body
        body["metadata"]["resourceVersion"] = str(next(self._versions))
        return web.json_response(body)


def status(code: int, message: str, **more: Any) -> web.Response:
    """Give a ``Status`` object as an answer."""
    body = {"kind": "Status", "status": "Failure", "code": code, "message": message}
    return web.json_response({**body, "reason": REASONS.get(code, ""), **more}, status=code)


def answers(code: int, message: str = "said so", **more: Any) -> Answer:
    """Answer the next request with a ``Status``."""

    async def answer(_: web.Request) -> web.StreamResponse:
        return status(code, message, **more)

    return answer


async def hang_up(request: web.Request) -> web.StreamResponse:
    """Break the connection without a word, as a server does that is killed."""
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def break_off(request: web.Request) -> web.StreamResponse:
    """Break the connection in the middle of an answer."""
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"metadata":')
    return await hang_up(request)


def stream(*lines: Any, then: Answer | None = None) -> Answer:
    """Answer the next request with one JSON document a line; ``then`` goes on with the open stream."""

    async def answer(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for line in lines:
            await response.write(json.dumps(line).encode() + b"\n")
        return await then(request) if then else response

    return answer


def opened(server: ApiServer, *, token: str = "fresh", timeout_s: float = 10.0) -> ClusterClient:
    """Give a client of it."""
    login = ClusterLogin(kube_config=server.kubeconfig(token))
    return ClusterClient(lambda: load(login, conn_id="k8s"), timeout_s=timeout_s)
