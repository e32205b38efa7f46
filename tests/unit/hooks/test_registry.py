"""From a connection to the registry that it describes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cd_provider.exceptions import ConnectionFaultError
from cd_provider.hooks.registry import RegistryHook
from cd_provider.hooks.registry_settings import RegistrySettings
from tests.loopback import self_signed
from tests.registries.double import RegistryDouble, error, on
from tests.stack.oci_push import image

HOST = "registry.example"


def connect(monkeypatch: pytest.MonkeyPatch, *, extra: Any = None, **fields: Any) -> RegistryHook:
    """Give a hook whose connection has these fields."""
    given = {"conn_type": "oci_registry", "host": HOST, **fields, "extra": json.dumps(extra or {})}
    monkeypatch.setenv("AIRFLOW_CONN_REG", json.dumps(given))
    return RegistryHook("reg")


@pytest.mark.parametrize(
    ("fields", "extra", "base_url"),
    [
        pytest.param({}, {}, "https://registry.example", id="a name"),
        pytest.param({"host": "Registry.Example:5000"}, {}, "https://registry.example:5000", id="a port"),
        pytest.param({"host": "https://registry.example/"}, {}, "https://registry.example", id="a URL"),
        pytest.param({"port": 5000}, {}, "https://registry.example:5000", id="the field for the port"),
        pytest.param({"host": f"{HOST}:443"}, {}, "https://registry.example", id="the usual port"),
        pytest.param({"host": "[::1]:5000"}, {}, "https://[::1]:5000", id="IPv6"),
        pytest.param({}, {"insecure_http": True}, "http://registry.example", id="plain http"),
        pytest.param({}, {"insecure_http": "true"}, "http://registry.example", id="plain http as text"),
        pytest.param({"host": f"http://{HOST}"}, {"insecure_http": True}, f"http://{HOST}", id="http twice"),
        pytest.param({"host": "docker.io"}, {}, "https://registry-1.docker.io", id="Docker Hub"),
    ],
)
async def test_the_address_is_put_together(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], extra: dict[str, Any], base_url: str
) -> None:
    assert (await connect(monkeypatch, extra=extra, **fields).settings()).base_url == base_url


@pytest.mark.parametrize(
    ("fields", "extra", "said"),
    [
        pytest.param({"host": ""}, {}, "its host is empty", id="no host"),
        pytest.param({"host": "registry.example/team"}, {}, "belongs to the image", id="a path"),
        pytest.param({"host": "me:hunter2@registry.example"}, {}, "no plain host", id="a login in the host"),
        pytest.param({"host": "registry example"}, {}, "no plain host", id="a space"),
        pytest.param({"host": "http://registry.example"}, {}, "insecure_http is not set", id="http unasked"),
        pytest.param(
            {"host": "https://registry.example"}, {"insecure_http": True}, "insecure_http is set", id="both"
        ),
        pytest.param({"host": "ftp://registry.example"}, {}, "begins with ftp://", id="ftp"),
        pytest.param({"host": f"{HOST}:5000", "port": 5001}, {}, "names another", id="two ports"),
        pytest.param({"host": f"{HOST}:70000"}, {}, "beyond 65535", id="no port"),
        pytest.param({"password": "hunter2"}, {}, "a password without a login", id="half a login"),
        pytest.param({}, {"insecure": True}, "unknown extra 'insecure'", id="an extra that is not known"),
        pytest.param({}, {"insecure_http": "yes"}, "expected true or false", id="neither true nor false"),
        pytest.param({}, {"ca_file": "/no/such/file"}, "no readable PEM file", id="no such file"),
        pytest.param({}, {"ca_file": 5}, "ca_file is 5", id="a file that is a number"),
        pytest.param(
            {}, {"ca_file": "/x", "insecure_http": True}, "set beside insecure_http", id="a CA for plain http"
        ),
        pytest.param({}, {"token_realms": 5}, "token_realms is 5", id="realms that are a number"),
        pytest.param({}, {"token_realms": ["https://a/b"]}, "token_realms has", id="a realm with a path"),
    ],
)
async def test_what_cannot_be_used_is_named_without_the_password(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], extra: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConnectionFaultError) as caught:
        async with connect(monkeypatch, extra=extra, **fields).client():
            pass

    assert said in str(caught.value)
    assert "connection 'reg'" in str(caught.value)
    assert "hunter2" not in str(caught.value)


async def test_a_missing_connection_is_an_error() -> None:
    with pytest.raises(ConnectionFaultError, match="there is none of this name"):
        await RegistryHook("nobody_made_this").settings()


@pytest.mark.parametrize(
    ("mine", "theirs", "served"),
    [
        pytest.param(HOST, HOST, True, id="the same"),
        pytest.param(HOST, "REGISTRY.example:443", True, id="written otherwise"),
        pytest.param(HOST, f"{HOST}:80", False, id="another port"),
        pytest.param(HOST, f"{HOST}.evil.example", False, id="a longer name"),
        pytest.param(HOST, "example", False, id="a shorter name"),
        pytest.param(HOST, "docker.io", False, id="Docker Hub"),
        pytest.param("docker.io", "registry-1.docker.io", True, id="Docker Hub's other name"),
        pytest.param("registry-1.docker.io", "docker.io", True, id="Docker Hub's first name"),
        pytest.param("docker.io", "quay.io", False, id="not Docker Hub"),
    ],
)
def test_an_image_is_one_of_its_registry_or_not(mine: str, theirs: str, served: bool) -> None:
    assert RegistrySettings("reg", mine).serves(theirs) is served


@pytest.mark.parametrize(
    ("registry", "scheme", "host", "may"),
    [
        pytest.param(HOST, "https", HOST, True, id="the registry itself"),
        pytest.param(HOST, "https", "auth.example", True, id="one that is named"),
        pytest.param(HOST, "https", "auth.example:8443", False, id="another port of it"),
        pytest.param(HOST, "http", HOST, False, id="the registry in clear"),
        pytest.param(HOST, "https", "evil.example", False, id="any other"),
        pytest.param("docker.io", "https", "auth.docker.io", True, id="Docker Hub's"),
        pytest.param(HOST, "https", "auth.docker.io", False, id="Docker Hub's for another"),
    ],
)
def test_a_login_goes_to_token_services_that_are_named(
    registry: str, scheme: str, host: str, may: bool
) -> None:
    settings = RegistrySettings("reg", registry, token_realms=("auth.example",))

    assert settings.may_see_login(scheme=scheme, host=host) is may


def test_a_password_does_not_show_when_settings_are_printed() -> None:
    assert "hunter2" not in repr(RegistrySettings("reg", HOST, login="me", password="hunter2"))


async def test_a_certificate_is_trusted_by_the_named_authority_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    certificate = self_signed(tmp_path)
    with RegistryDouble(certificate=certificate) as registry:
        made = image()
        registry.hold("shop", "v1", made)
        trusting = connect(monkeypatch, host=registry.host, extra={"ca_file": str(certificate)})
        async with trusting.client() as client:
            assert (await client.manifest(f"{registry.host}/shop", "v1")).digest == made.digest

        async with connect(monkeypatch, host=registry.host).client() as client:
            with pytest.raises(
                ConnectionFaultError, match=r"certificate is not accepted .* ca_file"
            ) as caught:
                await client.manifest(f"{registry.host}/shop", "v1")

    assert "connection 'reg'" in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "works", "said"),
    [
        pytest.param(None, True, "The registry answers.", id="it is there"),
        pytest.param(error(403, "DENIED"), False, "403 DENIED", id="it refuses"),
        pytest.param(error(503, "DOWN"), False, "503 DOWN", id="it is down"),
    ],
)
async def test_the_test_button_tells(
    monkeypatch: pytest.MonkeyPatch, fault: Any, works: bool, said: str
) -> None:
    with RegistryDouble(*([on("/v2/", fault)] if fault else [])) as registry:
        hook = connect(monkeypatch, host=registry.host, extra={"insecure_http": True})

        told = await asyncio.to_thread(hook.test_connection)

    assert told[0] is works
    assert said in told[1]
