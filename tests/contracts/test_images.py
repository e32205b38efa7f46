"""What every ImageSource must do: the fake, and a real registry with each kind of login."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import pytest

from cd_provider.adapters.images import IMAGE_SOURCES, open_image_source
from cd_provider.core.image import ImageFacts, ImageRef, PlatformFacts
from cd_provider.core.ports import ImageSource
from cd_provider.exceptions import (
    ArgumentError,
    ImageNotFoundError,
    RegistryRefusedError,
    RegistryUnavailableError,
)
from tests.fakes import FakeImages
from tests.registries.debian import LOGIN, PASSWORD, debian_registry, password_file
from tests.registries.token_service import TokenService
from tests.stack.oci_push import Made, attestation, digest, image, index, push

AMD = image("linux/amd64", labels={"org.opencontainers.image.revision": "c0ffee"}, layers=(b"one", b"two"))
ARM = image("linux/arm64/v8", created="2026-02-03T04:05:06.789Z")
KINDS = ["fake", "oci-open", "oci-basic", "oci-token"]


class Shelf(Protocol):
    """A registry that a test fills, and asks through the door."""

    host: str

    def put(self, path: str, tag: str, made: Made) -> None: ...

    def open(self) -> Any: ...


def facts_of(ref: ImageRef, made: Made) -> ImageFacts:
    """Work out by hand what a source has to say about ``made``."""
    single = [one for one in made.children or (made,) if (one.platform or {}).get("os") != "unknown"]
    platforms = tuple(
        PlatformFacts(
            "/".join([config["os"], config["architecture"]]),
            one.digest,
            digest(one.blobs[0]),
            sum(len(blob) for blob in one.blobs),
            config["created"],
        )
        for one in single
        for config in [json.loads(one.blobs[0])]
    )
    labels = json.loads(single[0].blobs[0])["config"]["Labels"]
    return ImageFacts(ref.pinned(made.digest), ref.tag, platforms, labels)


class FakeShelf:
    host = "registry.example"

    def __init__(self) -> None:
        self.fake = FakeImages(self.host)

    def put(self, path: str, tag: str, made: Made) -> None:
        self.fake.held[f"{path}:{tag}"] = facts_of(ImageRef.parse(f"{self.host}/{path}:{tag}"), made)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ImageSource]:
        yield self.fake


@dataclass
class RealShelf:
    """A real registry; ``client`` may push to it."""

    host: str
    client: httpx.Client
    monkeypatch: pytest.MonkeyPatch
    login: dict[str, Any]

    def put(self, path: str, tag: str, made: Made) -> None:
        push(f"http://{self.host}", path, tag, made, client=self.client)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ImageSource]:
        connect(self.monkeypatch, self.host, **self.login)
        async with open_image_source("oci", "images") as source:
            yield source


def connect(
    monkeypatch: pytest.MonkeyPatch, host: str, *, extra: dict[str, Any] | None = None, **fields: Any
) -> None:
    """Set up the connection ``images``."""
    told = {"insecure_http": True, **(extra or {})}
    given = {"conn_type": "oci_registry", "host": host, "extra": json.dumps(told), **fields}
    monkeypatch.setenv("AIRFLOW_CONN_IMAGES", json.dumps(given))


class PushWithTokens(httpx.Auth):
    """Sign what each request needs, without asking anybody."""

    def __init__(self, tokens: TokenService) -> None:
        self.tokens = tokens

    def auth_flow(self, request: httpx.Request) -> Any:
        path = request.url.path.removeprefix("/v2/").partition("/blobs/")[0].partition("/manifests/")[0]
        request.headers["Authorization"] = f"Bearer {self.tokens.token(f'repository:{path}:pull,push')}"
        yield request


@pytest.fixture(params=KINDS)
def shelf(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shelf]:
    login = {"login": LOGIN, "password": PASSWORD}
    if request.param == "fake":
        yield FakeShelf()
    elif request.param == "oci-open":
        with debian_registry(tmp_path) as host, closing(httpx.Client()) as client:
            yield RealShelf(host, client, monkeypatch, {})
    elif request.param == "oci-basic":
        client = httpx.Client(auth=(LOGIN, PASSWORD))
        with debian_registry(tmp_path, auth=password_file(tmp_path)) as host, closing(client):
            yield RealShelf(host, client, monkeypatch, login)
    else:
        with TokenService() as tokens, closing(httpx.Client(auth=PushWithTokens(tokens))) as client:
            trusted: dict[str, Any] = {"extra": {"token_realms": [f"127.0.0.1:{tokens.port}"]}}
            with debian_registry(tmp_path, auth=tokens.auth(tmp_path)) as host:
                yield RealShelf(host, client, monkeypatch, {**login, **trusted})


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(index(AMD, ARM, attestation(AMD)), id="an index with an attestation"),
        pytest.param(index(AMD, ARM, media_type=False), id="an index without a type of its own"),
        pytest.param(AMD, id="one image"),
        pytest.param(image("linux/amd64", docker=True), id="one image in Docker's form"),
        pytest.param(index(image("linux/amd64", docker=True), docker=True), id="Docker's list"),
    ],
)
async def test_a_tag_is_looked_up_with_all_that_it_names(shelf: Shelf, made: Made) -> None:
    shelf.put("team/shop", "v1", made)
    ref = ImageRef.parse(f"{shelf.host}/team/shop:v1")

    async with shelf.open() as source:
        facts = await source.facts(ref)

    assert facts == facts_of(ref, made)


async def test_a_digest_is_found_after_its_tag_has_moved(shelf: Shelf) -> None:
    shelf.put("shop", "v1", AMD)
    shelf.put("shop", "old", AMD)
    shelf.put("shop", "v1", ARM)

    async with shelf.open() as source:
        moved = await source.facts(ImageRef.parse(f"{shelf.host}/shop:v1"))
        pinned = await source.facts(ImageRef.parse(f"{shelf.host}/shop@{AMD.digest}"))
        both = await source.facts(ImageRef.parse(f"{shelf.host}/shop:v1@{AMD.digest}"))

    assert moved.pinned.digest == ARM.digest
    assert (pinned.pinned.digest, pinned.tag) == (AMD.digest, None)
    assert (both.pinned.digest, both.tag) == (AMD.digest, "v1")


async def test_what_is_not_there_is_not_found(shelf: Shelf) -> None:
    shelf.put("shop", "v1", AMD)
    absent = [":v9", "-2:v1", f"@{ARM.digest}"]

    async with shelf.open() as source:
        for name in absent:
            with pytest.raises(ImageNotFoundError):
                await source.facts(ImageRef.parse(f"{shelf.host}/shop{name}"))
        with pytest.raises(ImageNotFoundError):
            await source.tags(f"{shelf.host}/shop-2")


async def test_all_tags_are_listed(shelf: Shelf) -> None:
    for tag in ("v1", "v2", "latest"):
        shelf.put("team/shop", tag, AMD)

    async with shelf.open() as source:
        assert sorted(await source.tags(f"{shelf.host}/team/shop")) == ["latest", "v1", "v2"]


async def test_an_image_of_another_host_is_refused(shelf: Shelf) -> None:
    shelf.put("shop", "v1", AMD)

    async with shelf.open() as source:
        with pytest.raises(RegistryRefusedError):
            await source.facts(ImageRef.parse("elsewhere.example/shop:v1"))
        with pytest.raises(RegistryRefusedError):
            await source.tags("elsewhere.example/shop")


async def test_a_fault_of_the_fake_is_raised_as_a_registrys_would_be() -> None:
    fake = FakeImages()
    fake.fault = RegistryUnavailableError("down")

    with pytest.raises(RegistryUnavailableError):
        await fake.facts(ImageRef.parse("registry.example/shop:v1"))


@pytest.mark.parametrize("kind", [pytest.param("basic", id="basic"), pytest.param("token", id="token")])
@pytest.mark.parametrize(
    ("login", "said"),
    [
        pytest.param({"login": LOGIN, "password": "hunter2"}, "login", id="a wrong password"),
        pytest.param({}, "login", id="no login"),
    ],
)
async def test_a_real_registry_refuses(
    kind: str, login: dict[str, str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with TokenService(public=False) as tokens:
        auth = tokens.auth(tmp_path) if kind == "token" else password_file(tmp_path)
        with debian_registry(tmp_path, auth=auth) as host:
            connect(monkeypatch, host, extra={"token_realms": [f"127.0.0.1:{tokens.port}"]}, **login)
            async with open_image_source("oci", "images") as source:
                with pytest.raises(RegistryRefusedError) as caught:
                    await source.facts(ImageRef.parse(f"{host}/shop:v1"))

    assert said in str(caught.value)
    assert "connection 'images'" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_token_is_asked_for_once_for_each_repository(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = index(AMD, ARM)
    with TokenService() as tokens, debian_registry(tmp_path, auth=tokens.auth(tmp_path)) as host:
        with closing(httpx.Client(auth=PushWithTokens(tokens))) as client:
            push(f"http://{host}", "a", "v1", made, client=client)
            push(f"http://{host}", "b", "v1", made, client=client)
        connect(
            monkeypatch,
            host,
            extra={"token_realms": f"127.0.0.1:{tokens.port}"},
            login=LOGIN,
            password=PASSWORD,
        )
        async with open_image_source("oci", "images") as source:
            for path in ("a", "b", "a"):
                await source.facts(ImageRef.parse(f"{host}/{path}:v1"))
                await source.tags(f"{host}/{path}")

    assert tokens.given == ["repository:a:pull", "repository:b:pull"]


def test_every_source_of_the_table_is_under_this_contract() -> None:
    assert {kind.partition("-")[0] for kind in KINDS} - {"fake"} == set(IMAGE_SOURCES)


def test_an_unknown_source_is_refused() -> None:
    with pytest.raises(ArgumentError, match="saw 'docker', expected one of oci"):
        open_image_source("docker", "images")
