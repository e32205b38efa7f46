"""From a connection to the client that it describes."""

from __future__ import annotations

import base64
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import httpx
import pytest

from cd_provider.exceptions import ConnectionFaultError
from cd_provider.hooks.prometheus import PrometheusHook
from tests.loopback import Answer, Loopback, self_signed

ONE = b'{"status":"success","data":{"resultType":"scalar","result":[0,"1"]}}'


def connect(monkeypatch: pytest.MonkeyPatch, *, extra: Any = None, **fields: Any) -> PrometheusHook:
    """Give a hook whose connection has these fields."""
    given = {"conn_type": "prometheus", "host": "127.0.0.1", **fields}
    text = extra if isinstance(extra, str) else json.dumps(extra or {})
    monkeypatch.setenv("AIRFLOW_CONN_PROM", json.dumps({**given, "extra": text}))
    return PrometheusHook("prom")


async def test_host_and_port_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    hook = connect(monkeypatch, host="prometheus.monitoring")

    async with hook.client() as client:
        request = client.build_request("POST", "api/v1/query")

    assert str(request.url) == "http://prometheus.monitoring:9090/api/v1/query"
    assert "authorization" not in request.headers


@pytest.mark.parametrize(
    ("fields", "extra", "url"),
    [
        pytest.param({"schema": "https"}, {}, "https://127.0.0.1:9090/q", id="https"),
        pytest.param({"schema": "HTTPS", "port": 443}, {}, "https://127.0.0.1/q", id="its own port"),
        pytest.param({}, {"path_prefix": "/prom/"}, "http://127.0.0.1:9090/prom/q", id="behind a prefix"),
        pytest.param(
            {}, {"path_prefix": "a/b"}, "http://127.0.0.1:9090/a/b/q", id="a prefix without slashes"
        ),
        pytest.param({"host": "::1"}, {}, "http://[::1]:9090/q", id="IPv6"),
    ],
)
async def test_the_address_is_put_together(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], extra: dict[str, Any], url: str
) -> None:
    async with connect(monkeypatch, extra=extra, **fields).client() as client:
        assert str(client.build_request("POST", "q").url) == url


@pytest.mark.parametrize(
    ("fields", "extra", "sent"),
    [
        pytest.param({}, {"token": "s3cret-token"}, "Bearer s3cret-token", id="bearer token"),
        pytest.param(
            {"login": "ann", "password": "s3cret"},
            {},
            "Basic " + base64.b64encode(b"ann:s3cret").decode(),
            id="login and password",
        ),
        pytest.param({"login": "", "password": ""}, {"token": ""}, None, id="an emptied form sends none"),
    ],
)
async def test_credentials_go_along(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], extra: dict[str, Any], sent: str | None
) -> None:
    with Loopback(Answer(ONE)) as server:
        async with connect(monkeypatch, port=server.port, extra=extra, **fields).client() as client:
            await client.post("api/v1/query", data={"query": "1"})

    assert server.requests[0].headers.get("authorization") == sent


async def test_headers_of_the_connection_go_along(monkeypatch: pytest.MonkeyPatch) -> None:
    extra = {"headers": {"X-Scope-OrgID": "team"}}
    with Loopback(Answer(ONE)) as server:
        async with connect(monkeypatch, port=server.port, extra=extra).client() as client:
            await client.post("api/v1/query")

    assert server.requests[0].headers["x-scope-orgid"] == "team"


async def test_a_redirect_is_not_followed(monkeypatch: pytest.MonkeyPatch) -> None:
    with Loopback(Answer(ONE)) as other:
        elsewhere = Answer(status=302, headers={"Location": f"http://127.0.0.1:{other.port}/"})
        with Loopback(elsewhere) as server:
            async with connect(monkeypatch, port=server.port, extra={"token": "s3cret"}).client() as client:
                answer = await client.post("api/v1/query")

    assert answer.status_code == 302
    assert other.requests == []


@pytest.mark.parametrize(
    ("extra", "trusted"),
    [
        pytest.param({"ca_file": "…"}, True, id="signed by the CA file"),
        pytest.param({"verify": False}, True, id="not verified"),
        pytest.param({}, False, id="signed by nobody known"),
        pytest.param({"verify": True}, False, id="verified against nobody known"),
    ],
)
async def test_only_a_certificate_that_is_trusted_gets_the_query(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, extra: dict[str, Any], trusted: bool
) -> None:
    certificate = self_signed(tmp_path)
    extra = {key: str(certificate) if key == "ca_file" else value for key, value in extra.items()}
    with Loopback(Answer(ONE), certificate=certificate) as server:
        hook = connect(monkeypatch, schema="https", port=server.port, extra=extra)
        async with hook.client() as client:
            with nullcontext() if trusted else pytest.raises(httpx.ConnectError):
                await client.post("api/v1/query")

    assert len(server.requests) == (1 if trusted else 0)


@pytest.mark.parametrize(
    ("fields", "extra", "said"),
    [
        pytest.param({"host": ""}, {}, "host is empty", id="no host"),
        pytest.param({"host": "http://prom:9090"}, {}, "no plain host", id="a URL as host"),
        pytest.param({"host": "ann:s3cret-pass@prom"}, {}, "no plain host", id="a password in the host"),
        pytest.param({"host": "prom:9090"}, {}, "no plain host", id="a port in the host"),
        pytest.param({"schema": "ftp"}, {}, "'ftp', expected http or https", id="another scheme"),
        pytest.param({}, {"verify": "no"}, "verify is 'no'", id="verify as text"),
        pytest.param({}, {"ca_file": "/nowhere.pem"}, "ca_file '/nowhere.pem'", id="no CA file"),
        pytest.param({}, {"headers": ["a"]}, "headers is no object", id="headers as a list"),
        pytest.param(
            {}, {"headers": {"X": "s3cret-pass\r\nY: z"}}, "headers is no object", id="a smuggled header"
        ),
        pytest.param({}, {"token": "s3cret-päss"}, "token is no text", id="a token that HTTP cannot carry"),
        pytest.param({}, {"path_prefix": "/a?b"}, "path_prefix is '/a?b'", id="a query in the prefix"),
        pytest.param({"password": "s3cret-pass"}, {}, "password without a login", id="password alone"),
        pytest.param(
            {"login": "ann", "password": "s3cret-pass"},
            {"token": "s3cret-pass"},
            "both",
            id="login and token",
        ),
        pytest.param({}, {"tokn": "s3cret-pass"}, "unknown extra 'tokn'", id="a typo among the extras"),
        pytest.param({}, "[1", "no JSON object", id="broken extra"),
        pytest.param({}, "[1]", "no JSON object", id="a list as extra"),
    ],
)
async def test_what_cannot_be_used_is_said_without_secrets(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, Any], extra: Any, said: str
) -> None:
    with pytest.raises(ConnectionFaultError, match="'prom'") as caught:
        async with connect(monkeypatch, extra=extra, **fields).client():
            pass

    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_a_missing_connection_is_an_error_not_a_default() -> None:
    with pytest.raises(ConnectionFaultError, match="'nobody_made_this': there is none of this name"):
        async with PrometheusHook("nobody_made_this").client():
            pass


@pytest.mark.parametrize(
    ("answer", "works"),
    [
        pytest.param(Answer(ONE), True, id="a query's result"),
        pytest.param(Answer(b"<html>", status=404), False, id="some other server"),
        pytest.param(Answer(status=401), False, id="refused"),
        pytest.param(Answer(ONE, cut=True), False, id="cut off"),
    ],
)
def test_the_test_button_tells_whether_queries_work(
    monkeypatch: pytest.MonkeyPatch, answer: Answer, works: bool
) -> None:
    with Loopback(answer) as server:
        worked, said = connect(monkeypatch, port=server.port).test_connection()

    assert worked is works
    assert str(server.port) in said


def test_the_test_button_shows_what_is_wrong_with_the_form(monkeypatch: pytest.MonkeyPatch) -> None:
    worked, said = connect(monkeypatch, host="").test_connection()

    assert not worked
    assert "host is empty" in said
