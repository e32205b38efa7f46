"""Who gets the login, and who never does."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest

from cd_provider.exceptions import RegistryRefusedError, RegistryUnavailableError
from cd_provider.hooks.registry_auth import read_challenges
from cd_provider.hooks.registry_client import RegistryClient
from cd_provider.hooks.registry_settings import RegistrySettings
from tests.loopback import Answer, Loopback, Request
from tests.registries.double import RegistryDouble, error
from tests.stack.oci_push import image

MADE = image()
LOGIN = f"Basic {base64.b64encode(b'me:hunter2').decode()}"


class Clock:
    """Seconds that pass when a test says so."""

    seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds


@asynccontextmanager
async def client_of(
    registry: RegistryDouble, *realms: str, login: str | None = "me", clock: Clock | None = None
) -> AsyncIterator[RegistryClient]:
    password = "hunter2" if login else ""
    settings = RegistrySettings(
        "reg", registry.host, login, password, insecure_http=True, token_realms=realms
    )
    async with httpx.AsyncClient(timeout=5, verify=False) as http:
        yield RegistryClient(settings, http, clock=clock or Clock())


def holding(*faults: Any) -> RegistryDouble:
    registry = RegistryDouble(*faults)
    for path in ("a", "b"):
        registry.hold(path, "v1", MADE)
    return registry


def unauthorized(challenge: str) -> Answer:
    return Answer(b'{"errors": [{"code": "UNAUTHORIZED"}]}', 401, {"WWW-Authenticate": challenge})


def bearer(realm: str, service: str = "reg") -> Any:
    """Have a registry want a token of ``realm`` for each repository: ``token-of-a``, and so on."""

    def want(request: Request) -> Answer | None:
        path = request.path.split("/")[2]
        if request.headers.get("authorization") == f"Bearer token-of-{path}":
            return None
        scope = f"repository:{path}:pull"
        return unauthorized(f'Bearer realm="{realm}",service="{service}",scope="{scope}"')

    return want


def tokens(request: Request) -> Answer:
    """A token service that gives ``token-of-<path>``, for a minute."""
    path = httpx.URL(request.path).params["scope"].split(":")[1]
    return Answer(json.dumps({"token": f"token-of-{path}", "expires_in": 60}).encode())


def realm_of(server: Loopback) -> str:
    return f"http://127.0.0.1:{server.port}/token?from=registry"


async def test_basic_is_answered_once_it_is_asked_for_and_then_kept() -> None:
    def want(request: Request) -> Answer | None:
        return None if request.headers.get("authorization") == LOGIN else unauthorized('Basic realm="r"')

    with holding(want) as registry:
        async with client_of(registry) as client:
            await client.manifest(f"{registry.host}/a", "v1")
            await client.manifest(f"{registry.host}/b", "v1")

    assert [request.headers.get("authorization") for request in registry.requests] == [None, LOGIN, LOGIN]


async def test_each_repository_has_a_token_of_its_own_and_the_registry_never_sees_the_login() -> None:
    with Loopback(tokens) as service, holding(bearer(realm_of(service))) as registry:
        async with client_of(registry, f"127.0.0.1:{service.port}") as client:
            for path in ("a", "b", "a"):
                await client.manifest(f"{registry.host}/{path}", "v1")

    asked = [httpx.URL(request.path).params for request in service.requests]
    assert [params["scope"] for params in asked] == ["repository:a:pull", "repository:b:pull"]
    assert {(params["from"], params["service"]) for params in asked} == {("registry", "reg")}
    assert {request.headers["authorization"] for request in service.requests} == {LOGIN}
    assert LOGIN not in {request.headers.get("authorization") for request in registry.requests}


async def test_a_token_is_renewed_before_it_runs_out() -> None:
    clock = Clock()
    with Loopback(tokens) as service, holding(bearer(realm_of(service))) as registry:
        async with client_of(registry, f"127.0.0.1:{service.port}", clock=clock) as client:
            await client.manifest(f"{registry.host}/a", "v1")
            clock.seconds += 54
            await client.manifest(f"{registry.host}/a", "v1")
            before = len(service.requests)
            clock.seconds += 2
            await client.manifest(f"{registry.host}/a", "v1")

    assert (before, len(service.requests)) == (1, 2)


async def test_a_token_that_is_taken_back_early_is_asked_for_again() -> None:
    taken_back = list[bool]()

    def want(request: Request) -> Answer | None:
        if taken_back and taken_back.pop():
            return unauthorized(f'Bearer realm="{realm_of(service)}",scope="repository:a:pull"')
        return bearer(realm_of(service))(request)  # type: ignore[no-any-return]

    with Loopback(tokens) as service, holding(want) as registry:
        async with client_of(registry, f"127.0.0.1:{service.port}") as client:
            await client.manifest(f"{registry.host}/a", "v1")
            taken_back.append(True)
            content = await client.manifest(f"{registry.host}/a", "v1")

    assert content.digest == MADE.digest
    assert len(service.requests) == 2


async def test_without_a_login_the_token_service_is_asked_anonymously() -> None:
    with Loopback(tokens) as service, holding(bearer(realm_of(service))) as registry:
        async with client_of(registry, f"127.0.0.1:{service.port}", login=None) as client:
            await client.manifest(f"{registry.host}/a", "v1")

    assert [request.headers.get("authorization") for request in service.requests] == [None]


@pytest.mark.parametrize("login", [pytest.param("me", id="login"), pytest.param(None, id="anonymous")])
async def test_a_token_service_that_is_not_named_is_sent_nothing(login: str | None) -> None:
    with Loopback(tokens) as service, holding(bearer(realm_of(service))) as registry:
        async with client_of(registry, "elsewhere.example", login=login) as client:
            with pytest.raises(RegistryRefusedError) as caught:
                await client.manifest(f"{registry.host}/a", "v1")

    assert service.requests == []
    said = str(caught.value)
    assert f"sends us to http://127.0.0.1:{service.port} for a token" in said
    assert f"connection 'reg' is for {registry.host}" in said
    assert "token_realms" in said


async def test_the_registrys_own_host_needs_no_naming() -> None:
    def want(request: Request) -> Answer | None:
        if request.path.startswith("/token"):
            return tokens(request)
        return bearer(f"http://{registry.host}/token")(request)  # type: ignore[no-any-return]

    with holding(want) as registry:
        async with client_of(registry) as client:
            assert (await client.manifest(f"{registry.host}/a", "v1")).digest == MADE.digest


@pytest.mark.parametrize(
    "realm",
    [
        pytest.param("", id="empty"),
        pytest.param("/token", id="no host"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("http://127.0.0.1:x/token", id="no address"),
        pytest.param("http://127.0.0.1:70000/token", id="no port"),
        pytest.param("http://me:pw@@HOST@/token", id="a login in it"),
        pytest.param("ftp://@HOST@/token", id="ftp"),
    ],
)
async def test_a_realm_that_is_no_address_is_refused(realm: str) -> None:
    def want(request: Request) -> Answer | None:
        return bearer(realm.replace("@HOST@", registry.host))(request)  # type: ignore[no-any-return]

    with holding(want) as registry:
        async with client_of(registry) as client:
            with pytest.raises(RegistryRefusedError, match="for a token"):
                await client.manifest(f"{registry.host}/a", "v1")

    assert len(registry.requests) == 1


def told(**values: Any) -> Answer:
    return Answer(json.dumps(values).encode())


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        pytest.param(
            error(401, "UNAUTHORIZED"), RegistryRefusedError, "401 UNAUTHORIZED to the login", id="401"
        ),
        pytest.param(error(403, "DENIED"), RegistryRefusedError, "403 DENIED", id="403"),
        pytest.param(Answer(b"no", 404), RegistryRefusedError, "404 without a token", id="404"),
        pytest.param(
            Answer(b"", 302, {"Location": "/"}), RegistryRefusedError, "302 without", id="a redirect"
        ),
        pytest.param(Answer(b"<html>"), RegistryRefusedError, "without a token", id="a page"),
        pytest.param(Answer(b"[" * 100_000), RegistryRefusedError, "without a token", id="deep"),
        pytest.param(told(), RegistryRefusedError, "without a token", id="none"),
        pytest.param(told(token=5), RegistryRefusedError, "without a token", id="a number"),
        pytest.param(
            told(token="a\r\nHost: x"), RegistryRefusedError, "without a token", id="a second header"
        ),
        pytest.param(told(token="x", expires_in="soon"), RegistryRefusedError, "without", id="no life"),
        pytest.param(error(429, "T", Retry_After="60"), RegistryUnavailableError, "in 60 s", id="429"),
        pytest.param(error(503, "DOWN"), RegistryUnavailableError, "503 DOWN", id="503"),
    ],
)
async def test_a_token_service_on_a_bad_day(answer: Answer, kind: type[Exception], said: str) -> None:
    with Loopback(answer) as service, holding(bearer(realm_of(service))) as registry:
        async with client_of(registry, f"127.0.0.1:{service.port}") as client:
            with pytest.raises(kind) as caught:
                await client.manifest(f"{registry.host}/a", "v1")

    assert said in str(caught.value)
    assert f"127.0.0.1:{service.port}" in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("challenge", "login", "said"),
    [
        pytest.param(
            'Basic realm="r"', "me", "not let the login of connection 'reg' read", id="it refuses the login"
        ),
        pytest.param('Basic realm="r"', None, "connection 'reg' has none", id="it wants one"),
        pytest.param("Negotiate", "me", "offers negotiate", id="it wants what is not spoken here"),
    ],
)
async def test_a_registry_that_goes_on_refusing_is_asked_twice_at_most(
    challenge: str, login: str | None, said: str
) -> None:
    with holding(lambda _: unauthorized(challenge)) as registry:
        async with client_of(registry, login=login) as client:
            with pytest.raises(RegistryRefusedError) as caught:
                await client.manifest(f"{registry.host}/a", "v1")

    assert said in str(caught.value)
    assert len(registry.requests) <= 2


async def test_a_login_that_is_taken_back_is_not_tried_again() -> None:
    taken_back = list[bool]()

    def want(request: Request) -> Answer | None:
        if taken_back or request.headers.get("authorization") != LOGIN:
            return unauthorized('Basic realm="r"')
        return None

    with holding(want) as registry:
        async with client_of(registry) as client:
            await client.manifest(f"{registry.host}/a", "v1")
            taken_back.append(True)
            with pytest.raises(RegistryRefusedError, match="to the login of connection 'reg'"):
                await client.manifest(f"{registry.host}/a", "v1")

    assert len(registry.requests) == 3


async def test_a_token_that_is_not_taken_is_asked_for_once() -> None:
    with Loopback(told(token="useless")) as service, holding(bearer(realm_of(service))) as registry:
        async with client_of(registry, f"127.0.0.1:{service.port}") as client:
            with pytest.raises(RegistryRefusedError, match="401 UNAUTHORIZED"):
                await client.manifest(f"{registry.host}/a", "v1")

    assert (len(service.requests), len(registry.requests)) == (1, 2)


async def test_a_token_may_be_called_access_token() -> None:
    with Loopback(told(access_token="token-of-a")) as service, holding(bearer(realm_of(service))) as registry:
        async with client_of(registry, f"127.0.0.1:{service.port}") as client:
            assert (await client.manifest(f"{registry.host}/a", "v1")).digest == MADE.digest


@pytest.mark.parametrize(
    ("headers", "read"),
    [
        pytest.param(['Basic realm="x"'], [("basic", {"realm": "x"})], id="basic"),
        pytest.param(
            ['bearer Realm="https://a/t",service="s",scope="repository:a/b:pull,push"'],
            [("bearer", {"realm": "https://a/t", "service": "s", "scope": "repository:a/b:pull,push"})],
            id="a comma within quotes, and names in any case",
        ),
        pytest.param(
            ['Basic realm="x", Bearer realm="y" , service=s'],
            [("basic", {"realm": "x"}), ("bearer", {"realm": "y", "service": "s"})],
            id="two in one header",
        ),
        pytest.param(
            ["Negotiate", "Basic realm=x"], [("negotiate", {}), ("basic", {"realm": "x"})], id="two"
        ),
        pytest.param([r'Basic realm="a \"b\" \\c"'], [("basic", {"realm": r'a "b" \c'})], id="escapes"),
        pytest.param([""], [], id="nothing"),
    ],
)
def test_challenges_are_read(headers: list[str], read: list[tuple[str, dict[str, str]]]) -> None:
    assert [(one.scheme, one.values) for one in read_challenges(headers)] == read
