"""A client for one OCI registry: manifests, blobs, tags. It believes no answer that it can check."""

from __future__ import annotations

import asyncio
import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import quote

import httpx

from cd_provider.exceptions import (
    CdProviderError,
    ConnectionFaultError,
    ImageNotFoundError,
    RegistryAnswerError,
    RegistryRefusedError,
    RegistryUnavailableError,
)
from cd_provider.hooks.registry_auth import Authorizer
from cd_provider.hooks.registry_http import Reply, origin, read_address, retry_after_s, send, unavailable
from cd_provider.hooks.registry_settings import RegistrySettings, plain_host
from cd_provider.hooks.registry_tags import next_page, page_tags

MANIFEST_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
MANIFEST_BYTES = 4 * 1024 * 1024
TAGS_BYTES = 8 * 1024 * 1024
TAG_PAGES = 200
DEADLINE_S = 30.0  # for one question with its redirects, its token and its short wait
SHORT_WAIT_S = 5.0
_HOPS = 5
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")


@dataclass(frozen=True)
class Content:
    """Checked bytes: ``digest`` was computed from them; ``media_type`` is what the registry says."""

    body: bytes
    digest: str
    media_type: str


class RegistryClient:
    """
    Ask one registry.

    Every method takes ``repository`` as ``host/path`` and raises

    - ``RegistryRefusedError``: the host is not this connection's (nothing was sent), or the login is refused;
    - ``ImageNotFoundError``: the registry answers, and has no such thing;
    - ``RegistryUnavailableError``: no usable answer: connection, time-out, 429, 5xx;
    - ``RegistryAnswerError``: an answer that is too long, or not what its digest says;
    - ``ConnectionFaultError``: TLS cannot be agreed on.

    A 429 that asks for at most 5 s is waited for, once.
    """

    def __init__(
        self,
        settings: RegistrySettings,
        http: httpx.AsyncClient,
        *,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        deadline_s: float = DEADLINE_S,
    ) -> None:
        self.settings = settings
        self._http, self._now, self._sleep, self._deadline_s = http, now, sleep, deadline_s
        self._base = httpx.URL(settings.base_url)
        self._auth = Authorizer(settings, http, clock=clock, now=now)

    async def manifest(self, repository: str, reference: str) -> Content:
        """Fetch a manifest or an index by tag or digest, at most 4 MiB."""
        path = self._path(repository)
        joint = "@" if _DIGEST.fullmatch(reference) else ":"
        what = f"{repository}{joint}{reference}"
        rest = f"manifests/{quote(reference, safe=':')}"
        reply = await self._ask(path, rest, ", ".join(MANIFEST_TYPES), MANIFEST_BYTES, what)
        return _checked(reply, reference if joint == "@" else None, what=what)

    async def blob(self, repository: str, digest: str, *, limit: int) -> Content:
        """Fetch a blob of at most ``limit`` bytes."""
        path, what = self._path(repository), f"{repository}@{digest}"
        reply = await self._ask(path, f"blobs/{quote(digest, safe=':')}", "*/*", limit, what)
        return _checked(reply, digest, what=what)

    async def tags(self, repository: str) -> list[str]:
        """Give every tag, in the registry's order; pages are followed, at most 200 of them."""
        path, what = self._path(repository), f"tags of {repository}"
        tags: list[str] = []
        seen: set[str] = set()
        rest: str | None = "tags/list?n=1000"
        while rest is not None:
            if rest in seen or len(seen) >= TAG_PAGES:
                raise RegistryAnswerError(f"{what}: the list does not end after {len(seen)} pages.")
            seen.add(rest)
            reply = await self._ask(path, rest, "application/json", TAGS_BYTES, what)
            tags += page_tags(reply, what=what)
            rest = next_page(reply, what=what)
        return tags

    async def ping(self) -> None:
        """Ask whether there is a registry that takes the login."""
        await self._ask("", "", "application/json", MANIFEST_BYTES, f"registry {self.settings.registry}")

    def _path(self, repository: str) -> str:
        host, _, path = repository.partition("/")
        if not self.settings.serves(host):
            raise RegistryRefusedError(
                f"{repository}: its registry is {plain_host(host, self.settings.scheme)}, but connection "
                f"{self.settings.conn_id!r} is for {self.settings.registry}. Nothing was sent. Correct the "
                "image, or name the connection of its registry."
            )
        return path

    async def _ask(self, path: str, rest: str, accept: str, limit: int, what: str) -> Reply:
        url = self._base.join(f"/v2/{quote(path)}/{rest}" if path else "/v2/")
        try:
            async with asyncio.timeout(self._deadline_s):
                reply = await self._patiently(url, path, accept, limit, what)
        except TimeoutError as err:
            raise RegistryUnavailableError(
                f"{what}: {self.settings.registry} gave no whole answer within {self._deadline_s:g} s. "
                "Trying again may help."
            ) from err
        if reply.status != httpx.codes.OK:
            raise self._fault(reply, what=what)
        return reply

    async def _patiently(self, url: httpx.URL, path: str, accept: str, limit: int, what: str) -> Reply:
        """Identify ourselves once when asked to, wait once when asked to."""
        authorized = waited = False
        while True:
            reply = await self._follow(url, path, accept, limit, what)
            wait_s = retry_after_s(reply, now=self._now())
            if reply.status == 401 and not authorized and origin(reply.url) == origin(self._base):
                await self._auth.answer(reply, path, what=what)
                authorized = True
            elif reply.status == 429 and not waited and wait_s is not None and wait_s <= SHORT_WAIT_S:
                await self._sleep(wait_s)
                waited = True
            else:
                return reply

    async def _follow(self, url: httpx.URL, path: str, accept: str, limit: int, what: str) -> Reply:
        for _ in range(_HOPS + 1):
            headers = {"Accept": accept}
            if origin(url) == origin(self._base):  # and to no other host, wherever we are sent
                headers |= self._auth.header(path)
            reply = await send(self._http, url, headers, limit=limit, settings=self.settings)
            if reply.status not in _REDIRECTS:
                return reply
            url = self._next_hop(reply, what=what)
        raise RegistryAnswerError(
            f"{what}: sent on more than {_HOPS} times, the last time to {origin(url)[1]}."
        )

    def _next_hop(self, reply: Reply, *, what: str) -> httpx.URL:
        url = read_address(reply.headers.get("Location", ""), base=reply.url)
        if url is None or url.scheme not in {"https", self.settings.scheme}:
            seen = "no address" if url is None else f"{url.scheme}://{origin(url)[1]}"
            raise RegistryAnswerError(
                f"{what}: {reply.host} sends us on to {seen}, where nothing was asked: expected "
                f"{self.settings.scheme}, without a login in the address."
            )
        return url

    def _fault(self, reply: Reply, *, what: str) -> CdProviderError:
        conn, who = f"connection {self.settings.conn_id!r}", reply.host
        if reply.status == 404:
            return ImageNotFoundError(f"{what}: {who} answers {reply.code}: it has no such thing.")
        if reply.status in (401, 403):
            whose = "the login" if self.settings.login else "a client without a login, such as that"
            return RegistryRefusedError(
                f"{what}: {who} answers {reply.code}: it does not let {whose} of {conn} read this."
            )
        if reply.status == 429 or reply.status >= 500:
            return unavailable(reply, what=what, now=self._now())
        if self.settings.insecure_http and b"HTTPS server" in reply.body:
            return ConnectionFaultError(f"{what}: {who} speaks TLS; take insecure_http out of {conn}.")
        return RegistryAnswerError(f"{what}: {who} answers {reply.code}, expected 200. Is it a registry?")


def _checked(reply: Reply, asked: str | None, *, what: str) -> Content:
    said = reply.headers.get("Docker-Content-Digest", "").strip() or None
    for expected, whose in ((asked, "asked for"), (said, "named by the registry")):
        if expected is not None and (seen := digest_of(reply.body, expected)) != expected:
            raise RegistryAnswerError(
                f"{what}: the bytes have the digest {seen or 'of an unknown kind'}, {whose} was "
                f"{expected[:140]}. None of them was used: the registry, or something before it, mixes up "
                "what it serves."
            )
    media_type = reply.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return Content(reply.body, asked or digest_of(reply.body, "sha256:"), media_type)


def digest_of(body: bytes, like: str) -> str:
    """Compute a digest of the kind that ``like`` begins with; "" for a kind that is not known."""
    kind = like.partition(":")[0]
    return f"{kind}:{hashlib.new(kind, body).hexdigest()}" if kind in ("sha256", "sha512") else ""
