"""A registry on its bad days: what is waited for, what is retried, and what is never believed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from cd_provider.exceptions import (
    ConnectionFaultError,
    ImageNotFoundError,
    RegistryAnswerError,
    RegistryRefusedError,
    RegistryUnavailableError,
)
from cd_provider.hooks.registry_client import MANIFEST_BYTES, RegistryClient
from cd_provider.hooks.registry_settings import RegistrySettings
from tests.loopback import Answer, Loopback, Request, self_signed
from tests.registries.double import Fault, RegistryDouble, error, first, on
from tests.stack.oci_push import OCI_MANIFEST, image

MADE = image()
NOW = 1_800_000_000.0  # Fri, 15 Jan 2027 08:00:00 GMT


@asynccontextmanager
async def client_of(host: str, *, http: bool = True, **more: Any) -> AsyncIterator[RegistryClient]:
    """Open a client of the connection ``reg`` that has a login."""
    settings = RegistrySettings("reg", host, login="me", password="hunter2", insecure_http=http)
    async with httpx.AsyncClient(timeout=5, verify=False) as client:
        yield RegistryClient(settings, client, now=lambda: NOW, **more)


async def ask(registry: RegistryDouble, reference: str = "v1", **more: Any) -> Any:
    async with client_of(registry.host, **more) as client:
        return await client.manifest(f"{registry.host}/shop", reference)


def holding(*faults: Fault) -> RegistryDouble:
    registry = RegistryDouble(*faults)
    registry.hold("shop", "v1", MADE)
    return registry


async def test_the_digest_is_computed_from_the_bytes() -> None:
    with holding(
        on("manifests/v1", Answer(MADE.body, headers={"Content-Type": f"{OCI_MANIFEST}; x=1"}))
    ) as registry:
        content = await ask(registry)

    assert (content.body, content.digest, content.media_type) == (MADE.body, MADE.digest, OCI_MANIFEST)


async def test_all_four_types_are_asked_for() -> None:
    with holding() as registry:
        await ask(registry)

    accept = registry.requests[0].headers["accept"]
    assert [kind in accept for kind in ("index.v1", "manifest.list.v2", "manifest.v1", "manifest.v2")] == [
        True
    ] * 4
    assert registry.requests[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("other", ["elsewhere.example/shop", "127.0.0.1/shop", "docker.io/library/nginx"])
async def test_nothing_is_sent_for_an_image_of_another_host(other: str) -> None:
    with holding() as registry:
        async with client_of(registry.host) as client:
            for call in (client.manifest(other, "v1"), client.tags(other), client.blob(other, "x", limit=1)):
                with pytest.raises(RegistryRefusedError) as caught:
                    await call

    assert registry.requests == []
    host = other.partition("/")[0]
    assert f"its registry is {host}, but connection 'reg' is for {registry.host}" in str(caught.value)


OTHER = image(labels={"x": "y"})
LIES = [
    pytest.param(
        "v1", Answer(MADE.body, headers={"Docker-Content-Digest": OTHER.digest}), id="a header that lies"
    ),
    pytest.param(
        "v1", Answer(MADE.body, headers={"Docker-Content-Digest": "md5:0"}), id="a header of an unknown kind"
    ),
    pytest.param(MADE.digest, Answer(OTHER.body), id="another manifest under this digest"),
    pytest.param(
        MADE.digest,
        Answer(OTHER.body, headers={"Docker-Content-Digest": OTHER.digest}),
        id="another manifest, and an honest header",
    ),
    pytest.param("v1", Answer(b"x" * (MANIFEST_BYTES + 1)), id="too long"),
    pytest.param("v1", Answer(MADE.body, headers={"Content-Encoding": "gzip"}), id="compressed unasked"),
    pytest.param("v1", Answer(b"", 204), id="a success that is none"),
    pytest.param("v1", Answer(b"", 418), id="a teapot"),
    pytest.param("v1", Answer(b"", 302), id="sent on to nowhere"),
    pytest.param("v1", Answer(b"", 302, {"Location": "/v2/shop/manifests/v1"}), id="sent round and round"),
    pytest.param("v1", Answer(b"", 307, {"Location": "file:///etc/passwd"}), id="sent on to a file"),
    pytest.param(
        "v1", Answer(b"", 307, {"Location": "http://me:pw@127.0.0.1:9/"}), id="sent on with a login"
    ),
    pytest.param("v1", Answer(b"", 307, {"Location": "http://127.0.0.1:70000/"}), id="sent on to no port"),
]


@pytest.mark.parametrize(("reference", "answer"), LIES)
async def test_what_cannot_be_believed_is_refused(reference: str, answer: Answer) -> None:
    with (
        holding(on(f"manifests/{reference}", answer)) as registry,
        pytest.raises(RegistryAnswerError, match=f"127.0.0.1:{registry.port}"),
    ):
        await ask(registry, reference)

    assert len(registry.requests) <= 6


LATE = b'{"errors": [{"code": "LATE"}]}'


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        pytest.param(error(404, "MANIFEST_UNKNOWN"), ImageNotFoundError, "404 MANIFEST_UNKNOWN", id="404"),
        pytest.param(Answer(b"<html>", 404), ImageNotFoundError, "answers 404:", id="404 of no registry"),
        pytest.param(error(403, "DENIED"), RegistryRefusedError, "403 DENIED", id="403"),
        pytest.param(error(401, "UNAUTHORIZED"), RegistryRefusedError, "offers nothing", id="401 of no kind"),
        pytest.param(error(500, "UNKNOWN"), RegistryUnavailableError, "500 UNKNOWN", id="500"),
        pytest.param(Answer(b"[" * 60_000, 502), RegistryUnavailableError, "502", id="502 and nonsense"),
        pytest.param(
            Answer(b" " * 200_000 + LATE, 503), RegistryUnavailableError, "answers 503,", id="a code far off"
        ),
        pytest.param(Answer(b"x" * 200_000, 503), RegistryUnavailableError, "503", id="503 and a long page"),
        pytest.param(
            error(503, "X", Retry_After="90"), RegistryUnavailableError, "08:01:30 UTC", id="503, when"
        ),
        pytest.param(error(429, "TOOMANYREQUESTS"), RegistryUnavailableError, "too many", id="429"),
        pytest.param(
            error(429, "T", Retry_After="6"), RegistryUnavailableError, "in 6 s", id="429, too long"
        ),
        pytest.param(
            error(429, "T", Retry_After="soon"), RegistryUnavailableError, "too many", id="429, soon"
        ),
        pytest.param(
            error(429, "T", Retry_After="Fri, 15 Jan 2027 09:00:00 GMT"),
            RegistryUnavailableError,
            "in 3600 s (at 09:00:00 UTC)",
            id="429 with a date",
        ),
        pytest.param(Answer(MADE.body, cut=True), RegistryUnavailableError, "no answer", id="cut off"),
        pytest.param(error(500, "SECRET hunter2"), RegistryUnavailableError, "500", id="a code that is none"),
    ],
)
async def test_a_refusal_says_what_was_answered(answer: Answer, kind: type[Exception], said: str) -> None:
    with holding(on("manifests", answer)) as registry, pytest.raises(kind) as caught:
        await ask(registry)

    assert said in str(caught.value)
    assert f"127.0.0.1:{registry.port}" in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert len(registry.requests) == 1


@pytest.mark.parametrize(
    "retry_after",
    [pytest.param("5", id="seconds"), pytest.param("Fri, 15 Jan 2027 08:00:05 GMT", id="a date")],
)
async def test_a_short_wait_that_is_asked_for_is_kept(retry_after: str) -> None:
    slept = list[float]()

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    fault = first(1, on("manifests", error(429, "TOOMANYREQUESTS", Retry_After=retry_after)))
    with holding(fault) as registry:
        content = await ask(registry, sleep=sleep)

    assert (content.digest, slept) == (MADE.digest, [5.0])


async def test_only_one_wait_is_kept() -> None:
    async def sleep(seconds: float) -> None:
        pass

    with (
        holding(on("manifests", error(429, "TOOMANYREQUESTS", Retry_After="1"))) as registry,
        pytest.raises(RegistryUnavailableError, match="Try again in 1 s"),
    ):
        await ask(registry, sleep=sleep)

    assert len(registry.requests) == 2


async def test_a_registry_that_says_nothing_is_given_up_at_the_deadline() -> None:
    with (
        holding(on("manifests", Answer(hang=True))) as registry,
        pytest.raises(RegistryUnavailableError, match=r"no whole answer within 0\.1 s"),
    ):
        await ask(registry, deadline_s=0.1)


async def test_a_registry_that_is_down_may_come_back() -> None:
    with RegistryDouble() as registry:
        host = registry.host
    async with client_of(host) as client:
        with pytest.raises(RegistryUnavailableError, match=f"http://{host}: no answer"):
            await client.manifest(f"{host}/shop", "v1")


async def test_plain_http_is_never_fallen_back_to() -> None:
    with (
        holding() as registry,
        pytest.raises(ConnectionFaultError, match=r"not TLS .* set insecure_http in connection 'reg'"),
    ):
        await ask(registry, http=False)

    assert registry.requests == []


async def test_tls_where_plain_http_was_asked_for_is_told() -> None:
    body = b"Client sent an HTTP request to an HTTPS server."
    with (
        holding(on("manifests", Answer(body, 400))) as registry,
        pytest.raises(ConnectionFaultError, match="take insecure_http out of connection 'reg'"),
    ):
        await ask(registry)


BASIC = Answer(b"", 401, {"WWW-Authenticate": 'Basic realm="x"'})


def wants_login(request: Request) -> Answer | None:
    return None if "authorization" in request.headers else BASIC


async def test_a_login_is_not_carried_to_another_host() -> None:
    def elsewhere(request: Request) -> Answer:
        return Answer(MADE.body, headers={"Content-Type": OCI_MANIFEST})

    with Loopback(elsewhere) as storage:
        away = Answer(b"", 307, {"Location": f"http://127.0.0.1:{storage.port}/x"})
        with holding(wants_login, on("manifests", away)) as registry:
            content = await ask(registry)

    assert content.digest == MADE.digest
    assert "authorization" in registry.requests[-1].headers
    assert [request.headers.get("authorization") for request in storage.requests] == [None]


async def test_another_host_that_asks_for_a_login_gets_none() -> None:
    with Loopback(BASIC) as storage:
        away = Answer(b"", 307, {"Location": f"http://127.0.0.1:{storage.port}/x"})
        with (
            holding(wants_login, on("manifests", away)) as registry,
            pytest.raises(RegistryRefusedError, match=f"127.0.0.1:{storage.port} answers 401"),
        ):
            await ask(registry)

    assert [request.headers.get("authorization") for request in storage.requests] == [None]


async def test_another_host_does_not_make_us_send_the_login_to_the_registry() -> None:
    with Loopback(BASIC) as storage:
        away = Answer(b"", 307, {"Location": f"http://127.0.0.1:{storage.port}/x"})
        with holding(on("manifests", away)) as registry, pytest.raises(RegistryRefusedError):
            await ask(registry)

    assert [request.headers.get("authorization") for request in registry.requests] == [None]


async def test_from_tls_nobody_is_sent_on_to_plain_http(tmp_path: Path) -> None:
    certificate = self_signed(tmp_path)
    with Loopback(Answer(MADE.body)) as clear:
        away = Answer(b"", 307, {"Location": f"http://127.0.0.1:{clear.port}/x"})
        with RegistryDouble(on("manifests", away), certificate=certificate) as registry:
            async with httpx.AsyncClient(verify=False) as http:
                client = RegistryClient(RegistrySettings("reg", registry.host), http)
                with pytest.raises(RegistryAnswerError, match="expected https"):
                    await client.manifest(f"{registry.host}/shop", "v1")

    assert clear.requests == []


async def test_pages_of_tags_are_followed() -> None:
    with holding() as registry:
        registry.page = 2
        for tag in ("v2", "v3", "v4", "v5"):
            registry.hold("shop", tag, MADE)
        async with client_of(registry.host) as client:
            tags = await client.tags(f"{registry.host}/shop")

    assert tags == ["v1", "v2", "v3", "v4", "v5"]
    assert len(registry.requests) == 3


def page(*tags: str, link: str = "") -> Answer:
    names = ", ".join(f'"{tag}"' for tag in tags)
    return Answer(f'{{"tags": [{names}]}}'.encode(), headers={"Link": link} if link else {})


@pytest.mark.parametrize(
    ("answer", "most"),
    [
        pytest.param(page("a", link='</v2/shop/tags/list?n=1000>; rel="next"'), 1, id="the same page again"),
        pytest.param(
            page("a", link='<http://evil.example/v2/shop/tags/list?x>; rel="next"'), 1, id="elsewhere"
        ),
        pytest.param(page("a", link='</v2/other/tags/list?x>; rel="next"'), 1, id="another repository"),
        pytest.param(
            page("a", link='<//evil.example/v2/shop/tags/list>; rel="next"'), 1, id="without a scheme"
        ),
        pytest.param(page("a", link='<http://[x>; rel="next"'), 1, id="no address"),
        pytest.param(Answer(b'{"tags": "v1"}'), 1, id="tags that are text"),
        pytest.param(Answer(b'{"tags": [1]}'), 1, id="a tag that is a number"),
        pytest.param(Answer(b'{"name": "shop"}'), 1, id="no tags"),
        pytest.param(Answer(b"<html>"), 1, id="a page"),
        pytest.param(Answer(b"[" * 100_000), 1, id="deep"),
    ],
)
async def test_a_list_of_tags_that_cannot_be_followed_is_refused(answer: Answer, most: int) -> None:
    with holding(on("tags/list", answer)) as registry:
        async with client_of(registry.host) as client:
            with pytest.raises(RegistryAnswerError, match="tags of"):
                await client.tags(f"{registry.host}/shop")

    assert len(registry.requests) == most


async def test_a_list_of_tags_without_an_end_is_given_up() -> None:
    def endless(request: Request) -> Answer:
        return page("a", link=f'</v2/shop/tags/list?last={len(registry.requests)}>; rel="next"')

    with RegistryDouble(endless) as registry:
        async with client_of(registry.host) as client:
            with pytest.raises(RegistryAnswerError, match="does not end after 200 pages"):
                await client.tags(f"{registry.host}/shop")


async def test_no_tags_may_be_said_as_null() -> None:
    with holding(on("tags/list", Answer(b'{"name": "shop", "tags": null}'))) as registry:
        async with client_of(registry.host) as client:
            assert await client.tags(f"{registry.host}/shop") == []


async def test_a_blob_is_bounded_and_held_against_its_digest() -> None:
    with holding() as registry:
        name, blob = next(iter(registry.blobs.items()))
        async with client_of(registry.host) as client:
            got = await client.blob(f"{registry.host}/shop", name, limit=len(blob))
            with pytest.raises(RegistryAnswerError, match="longer than"):
                await client.blob(f"{registry.host}/shop", name, limit=len(blob) - 1)
            registry.blobs[name] = b"other"
            with pytest.raises(RegistryAnswerError, match="mixes up"):
                await client.blob(f"{registry.host}/shop", name, limit=len(blob))

    assert got.body == blob


async def test_a_digest_of_the_longer_kind_is_checked_too() -> None:
    import hashlib

    long = f"sha512:{hashlib.sha512(MADE.body).hexdigest()}"
    with holding() as registry:
        registry.manifests["shop", long] = replace(MADE)
        assert (await ask(registry, long)).digest == long
