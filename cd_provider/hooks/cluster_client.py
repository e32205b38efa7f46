"""A client of one Kubernetes API server: raw JSON in, raw JSON out, our errors."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, Literal

from cd_provider.exceptions import (
    CdProviderError,
    ClusterRefusedError,
    ClusterUnauthorizedError,
    ClusterUnavailableError,
)
from cd_provider.hooks.cluster_answers import answer_error, asked, has_test, verb_of
from cd_provider.hooks.cluster_session import (
    Session,
    broke,
    cut,
    lines,
    open_session,
    parameter,
    parsed,
    transport,
)

if TYPE_CHECKING:
    import aiohttp
    from kubernetes_asyncio.client import Configuration

log = logging.getLogger(__name__)

FIELD_MANAGER = "cd-provider"
CONNECT_S = 3.0
WATCH_S = 30  # the server ends a watch after this long; a caller opens the next where this one ended
WATCH_GRACE_S = 10.0  # silence for this long beyond that is a dead connection
_JSON = "application/json"
_PATCHES = {
    "json": "application/json-patch+json",
    "merge": "application/merge-patch+json",
    "apply": "application/apply-patch+yaml",
}


class ClusterClient:
    """
    Ask one API server.

    ``path`` is such as ``/apis/apps/v1/namespaces/shop/deployments/shop``; further keywords become URL
    parameters (None: left out; a boolean: ``true`` or ``false``). Every call may raise
    :class:`ClusterNotFoundError` (404), :class:`ClusterForbiddenError` (403),
    :class:`ClusterUnauthorizedError` (401, after the credentials were read again once),
    :class:`ClusterConflictError` (409, or a JSON patch whose ``test`` failed), :class:`ClusterRefusedError`
    (the rest of 4xx) and :class:`ClusterUnavailableError` (429, 5xx, no connection, no answer in time).
    A call that only reads is repeated when its connection breaks. One that creates or patches never is, since
    nobody knows whether it was done; one that replaces or deletes may be, so name the version you mean.

    :param load: reads address and credentials as they are now.
    :param timeout_s: seconds that one call may take; a watch has its own guard.
    """

    def __init__(self, load: Callable[[], Awaitable[Configuration]], *, timeout_s: float = 10.0) -> None:
        self._load, self.timeout_s = load, timeout_s
        self._session: Session | None = None
        self._retired: list[Session] = []
        self._renewing = asyncio.Lock()

    async def __aenter__(self) -> ClusterClient:
        self._session = open_session(await self._load())
        return self

    async def __aexit__(self, *_: object) -> None:
        sessions, self._session, self._retired = [*self._retired, self._session], None, []
        for session in sessions:
            if session is not None:
                await session.rest.close()

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        """Read one object, or a collection."""
        return await self._json("GET", path, query)

    async def create(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        """Add an object to the collection ``path``; one of that name is a :class:`ClusterConflictError`."""
        return await self._json("POST", path, {"fieldManager": FIELD_MANAGER, **query}, body)

    async def replace(self, path: str, body: Mapping[str, Any], **query: Any) -> dict[str, Any]:
        """Put a whole object in place of one; its ``metadata.resourceVersion`` says of which version."""
        return await self._json("PUT", path, {"fieldManager": FIELD_MANAGER, **query}, body)

    async def patch(
        self, path: str, body: Any, how: Literal["json", "merge", "apply"] = "json", **query: Any
    ) -> dict[str, Any]:
        """
        Change an object in place.

        :param body: a list of operations for ``json``, else the part of the object to set.
        :param how: ``apply`` is server-side apply as our field manager, forced; it creates what is missing.
        """
        force = {"force": True} if how == "apply" else {}
        return await self._json(
            "PATCH", path, {"fieldManager": FIELD_MANAGER, **force, **query}, body, _PATCHES[how]
        )

    async def delete(self, path: str, body: Mapping[str, Any] | None = None, **query: Any) -> dict[str, Any]:
        """Delete an object; ``body`` are DeleteOptions, such as preconditions."""
        return await self._json("DELETE", path, query, body)

    async def text(self, path: str, **query: Any) -> str:
        """Read plain text, such as a container's log."""
        return await self._text("GET", path, query, accept="*/*")

    async def page(self, path: str, *, accept: str, max_bytes: int) -> tuple[float, str]:
        """
        Read a text that somebody behind the API server shows, such as a pod's metrics through ``pods/proxy``.

        It is asked for once: who watches asks again anyhow.

        :returns: epoch seconds when the answer began, by our clock, and the text.
        :raises ClusterRefusedError: besides what any call may raise: it is longer than ``max_bytes``.
        """
        headers = {"Content-Type": _JSON, "Accept": accept}
        async with self._answered("GET", path, {}, headers=headers) as answer:
            began, text = time.time(), bytearray()
            async for piece in answer.content.iter_any():
                text += piece
                if len(text) > max_bytes:
                    cut(answer)
                    raise ClusterRefusedError(
                        f"{asked('get', path)}: the answer is longer than {max_bytes} bytes."
                    )
            return began, text.decode(errors="replace")

    async def watch(self, path: str, **query: Any) -> AsyncGenerator[tuple[str, dict[str, Any]], None]:
        """
        Follow a collection: pairs of ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK`` and the object.

        Ends when the server ends it, after ``timeoutSeconds`` (30 unless given): watch again from the last
        ``metadata.resourceVersion`` seen, bookmarks included. That it ends so often is what finds a
        connection that died without a word. Leave it early by ``contextlib.aclosing``.

        :raises ClusterGoneError: ``resourceVersion`` is too old; list again.
        :raises ClusterUnavailableError: the connection broke, or was silent 10 s beyond ``timeoutSeconds``.
        """
        query = {"watch": True, "allowWatchBookmarks": True, "timeoutSeconds": WATCH_S, **query}
        what = asked("watch", path)
        async with self._answered(
            "GET", path, query, idle_s=query["timeoutSeconds"] + WATCH_GRACE_S
        ) as answer:
            try:
                async for line in lines(answer):
                    event = parsed(line, what)
                    kind, found = str(event.get("type")), event.get("object") or {}
                    if kind == "ERROR":
                        raise answer_error(what, status=int(found.get("code") or 500), text=json.dumps(found))
                    yield kind, found
            finally:
                cut(answer)

    async def _json(
        self, method: str, path: str, query: Mapping[str, Any], body: Any = None, content_type: str = _JSON
    ) -> dict[str, Any]:
        text = await self._text(method, path, query, body, content_type)
        return parsed(text, asked(verb_of(method, path), path))

    async def _text(self, method: str, path: str, *rest: Any, **options: Any) -> str:
        """Ask and read the whole answer; once more when the connection breaks and the call only reads."""
        try:
            return await self._read(method, path, *rest, **options)
        except ClusterUnavailableError as err:
            if method != "GET" or not broke(err):
                raise
            log.info("asking again: %s", err)
        return await self._read(method, path, *rest, **options)

    async def _read(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Any = None,
        content_type: str = _JSON,
        accept: str = _JSON,
    ) -> str:
        headers = {"Content-Type": content_type, "Accept": accept}
        async with self._answered(method, path, query, body=body, headers=headers) as answer:
            return (await answer.read()).decode(errors="replace")

    @asynccontextmanager
    async def _answered(
        self,
        method: str,
        path: str,
        query: Mapping[str, Any],
        *,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        idle_s: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Give a successful answer; with ``idle_s`` its body may go on until it is silent that long."""
        what = asked("watch" if idle_s else verb_of(method, path), path)
        with transport(what):
            session = self._open_session()
            answer = await self._send(session, method, path, query, body, headers, idle_s)
            if answer.status == 401:
                answer.release()
                session = await self._renewed(session, what)
                answer = await self._send(session, method, path, query, body, headers, idle_s)
            async with answer:
                if not 200 <= answer.status < 300:
                    text = (await answer.read()).decode(errors="replace")
                    raise answer_error(what, status=answer.status, text=text, tested=has_test(body))
                yield answer

    async def _send(
        self,
        session: Session,
        method: str,
        path: str,
        query: Mapping[str, Any],
        body: Any,
        headers: Mapping[str, str] | None,
        idle_s: float | None,
    ) -> aiohttp.ClientResponse:
        import aiohttp

        total = None if idle_s else self.timeout_s
        async with asyncio.timeout(self.timeout_s):
            answer: aiohttp.ClientResponse = await session.rest.request(
                method,
                f"{session.configuration.host}{path}",
                query_params={name: parameter(value) for name, value in query.items() if value is not None},
                headers={**(headers or {"Accept": _JSON}), **await session.headers()},
                body=body,
                _preload_content=False,
                _request_timeout=aiohttp.ClientTimeout(total=total, sock_connect=CONNECT_S, sock_read=idle_s),
            )
        return answer

    async def _renewed(self, refused: Session, what: str) -> Session:
        """Read the credentials again, once for all calls that were refused together."""
        async with self._renewing:
            if self._session is refused:
                log.info("%s: the API server answered 401; reading the credentials again", what)
                try:
                    self._session = open_session(await self._load())
                except Exception as err:
                    why = str(err) if isinstance(err, CdProviderError) else type(err).__name__
                    raise ClusterUnauthorizedError(
                        f"{what}: the API server answered 401, and no new credentials can be had: {why}"
                    ) from err
                self._retired.append(refused)  # calls may still be under way in it
        return self._open_session()

    def _open_session(self) -> Session:
        if self._session is None:
            raise RuntimeError("this client is closed, or was never opened: use it inside its `async with`.")
        return self._session
