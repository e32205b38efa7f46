"""From an address and the environment to the client; credentials are never repeated."""

from __future__ import annotations

import base64
from pathlib import Path

import httpx
import pytest

from cd_provider.exceptions import ConnectionFaultError
from cd_provider.hooks.prometheus_url import url_client
from tests.loopback import Answer, Loopback, self_signed

ONE = b'{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}'


@pytest.mark.parametrize(
    ("url", "asked"),
    [
        pytest.param("http://prom:9090", "http://prom:9090/api/v1/query", id="host and port"),
        pytest.param("https://prom/prefix/", "https://prom/prefix/api/v1/query", id="behind a prefix"),
        pytest.param("http://[::1]:9090", "http://[::1]:9090/api/v1/query", id="IPv6"),
    ],
)
async def test_questions_go_below_the_address(url: str, asked: str) -> None:
    async with url_client(url, environ={}) as client:
        assert str(client.build_request("POST", "api/v1/query").url) == asked


@pytest.mark.parametrize(
    ("environ", "sent"),
    [
        pytest.param({}, None, id="none"),
        pytest.param({"CD_PROMETHEUS_TOKEN": "s3cret"}, "Bearer s3cret", id="token"),
        pytest.param(
            {"CD_PROMETHEUS_USER": "ann", "CD_PROMETHEUS_PASSWORD": "s3cret"},
            "Basic " + base64.b64encode(b"ann:s3cret").decode(),
            id="user and password",
        ),
        pytest.param({"CD_PROMETHEUS_TOKEN": "", "CD_PROMETHEUS_USER": ""}, None, id="emptied"),
    ],
)
async def test_credentials_of_the_environment_go_along(environ: dict[str, str], sent: str | None) -> None:
    with Loopback(Answer(ONE)) as server:
        async with url_client(f"http://127.0.0.1:{server.port}", environ=environ) as client:
            await client.post("api/v1/query")

    assert server.requests[0].headers.get("authorization") == sent


async def test_a_redirect_is_not_followed() -> None:
    with Loopback(Answer(ONE)) as other:
        elsewhere = Answer(status=302, headers={"Location": f"http://127.0.0.1:{other.port}/"})
        with Loopback(elsewhere) as server:
            url, environ = f"http://127.0.0.1:{server.port}", {"CD_PROMETHEUS_TOKEN": "s3cret"}
            async with url_client(url, environ=environ) as client:
                assert (await client.post("api/v1/query")).status_code == 302

    assert other.requests == []


@pytest.mark.parametrize("trusted", [True, False])
async def test_only_a_certificate_that_is_trusted_gets_the_query(tmp_path: Path, trusted: bool) -> None:
    certificate = self_signed(tmp_path)
    with Loopback(Answer(ONE), certificate=certificate) as server:
        url, ca_file = f"https://127.0.0.1:{server.port}", str(certificate) if trusted else None
        async with url_client(url, environ={}, ca_file=ca_file) as client:
            try:
                await client.post("api/v1/query")
            except httpx.ConnectError:
                assert not trusted

    assert len(server.requests) == (1 if trusted else 0)


@pytest.mark.parametrize(
    ("url", "environ", "ca_file", "said"),
    [
        pytest.param("http://ann:s3cret@prom", {}, None, "credentials in it", id="a password in the URL"),
        pytest.param("prom:9090", {}, None, "expected one such as", id="no scheme"),
        pytest.param("ftp://prom", {}, None, "expected one such as", id="another scheme"),
        pytest.param("http://", {}, None, "expected one such as", id="no host"),
        pytest.param("http://prom?x=1", {}, None, "without a query", id="a query"),
        pytest.param("http://prom:port", {}, None, "makes no address", id="no port"),
        pytest.param(
            "http://prom",
            {"CD_PROMETHEUS_TOKEN": "s3cret", "CD_PROMETHEUS_USER": "a"},
            None,
            "both",
            id="both",
        ),
        pytest.param(
            "http://prom", {"CD_PROMETHEUS_PASSWORD": "s3cret"}, None, "without", id="a password alone"
        ),
        pytest.param(
            "http://prom", {"CD_PROMETHEUS_TOKEN": "s3cret\r\nX: y"}, None, "one line", id="two lines"
        ),
        pytest.param("https://prom", {}, "/nowhere.pem", "'/nowhere.pem'", id="no CA file"),
    ],
)
async def test_what_cannot_be_used_is_said_without_secrets(
    url: str, environ: dict[str, str], ca_file: str | None, said: str
) -> None:
    with pytest.raises(ConnectionFaultError) as caught:
        async with url_client(url, environ=environ, ca_file=ca_file):
            pass

    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)
