"""Connection in, HTTP client for one Prometheus (or what speaks its query API) out."""

from __future__ import annotations

import asyncio
import ipaddress
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from cd_provider.exceptions import ConnectionFaultError
from cd_provider.hooks.connection import read_connection

if TYPE_CHECKING:
    import httpx
    from airflow.sdk import Connection

DEFAULT_PORT = 9090
EXTRAS = ("token", "ca_file", "headers", "verify", "path_prefix")


class PrometheusHook(BaseHook):
    """
    Turn a connection into an HTTP client for one Prometheus server.

    :param prometheus_conn_id: its host, port (9090) and schema (``http``, the default, or ``https``); login
        and password for basic authentication, or the extra ``token`` for a bearer token. Further extras:
        ``ca_file`` (path of a PEM file that signs the server's certificate), ``verify`` (false: take any
        certificate), ``headers`` (an object, such as ``{"X-Scope-OrgID": "team"}``), ``path_prefix`` (where a
        proxy has put the server, such as ``/prometheus``).
    :param timeout_s: seconds to connect, and between two pieces of an answer.
    """

    conn_name_attr = "prometheus_conn_id"
    default_conn_name = "prometheus_default"
    conn_type = "prometheus"
    hook_name = "Prometheus"

    def __init__(self, prometheus_conn_id: str = default_conn_name, *, timeout_s: float = 5.0) -> None:
        super().__init__()
        self.prometheus_conn_id = prometheus_conn_id
        self.timeout_s = timeout_s

    @asynccontextmanager
    async def client(self) -> AsyncIterator[httpx.AsyncClient]:
        """
        Open a client whose URLs are relative to the server.

        It follows no redirects: they would take the credentials along.

        :raises ConnectionFaultError: the connection is missing, or one of its fields cannot be used.
        """
        import httpx

        conn, extras = await read_connection(self.prometheus_conn_id)
        where = f"connection {self.prometheus_conn_id!r}"
        if unknown := sorted(set(extras) - set(EXTRAS)):
            raise ConnectionFaultError(
                f"{where}: unknown extra {unknown[0]!r}, expected some of {', '.join(EXTRAS)}."
            )
        try:
            base_url = httpx.URL(_base_url(conn, extras, where=where))
        except httpx.InvalidURL as err:
            raise ConnectionFaultError(f"{where}: host and port make no address: {err}.") from err
        async with httpx.AsyncClient(
            base_url=base_url,
            auth=httpx.BasicAuth(conn.login, conn.password or "") if conn.login else None,
            headers=_headers(conn, extras, where=where),
            verify=_verify(extras, where=where),
            timeout=self.timeout_s,
        ) as client:
            yield client

    def test_connection(self) -> tuple[bool, str]:
        """Ask the server for the number 1; Airflow's *Test* button calls this."""
        try:
            return asyncio.run(self._probe())
        except ConnectionFaultError as err:
            return False, str(err)

    async def _probe(self) -> tuple[bool, str]:
        import httpx

        async with self.client() as client:
            try:
                answer = await client.post("api/v1/query", data={"query": "1"})
            except httpx.HTTPError as err:
                return False, f"No answer from {client.base_url}: {err or type(err).__name__}."
            if answer.is_success and '"success"' in answer.text:
                return True, f"{client.base_url} answers queries."
            return (
                False,
                f"{client.base_url} answers with status {answer.status_code}, expected a query's result.",
            )


def _base_url(conn: Connection, extras: Mapping[str, Any], *, where: str) -> str:
    schema, host = (conn.schema or "http").lower(), (conn.host or "").strip()
    if schema not in ("http", "https"):
        raise ConnectionFaultError(f"{where}: its schema is {conn.schema!r}, expected http or https.")
    if not host or any(sign in host for sign in "/@?# ") or (":" in host and not _is_ipv6(host)):
        # The host itself is not shown: whoever pastes a URL there may have pasted a password with it.
        raise ConnectionFaultError(
            f"{where}: its host is {'no plain host' if host else 'empty'}, expected a name or address such "
            "as prometheus.monitoring; scheme, port, login and path prefix have fields of their own."
        )
    prefix = extras.get("path_prefix", "")
    if not isinstance(prefix, str) or any(sign in prefix for sign in "?# "):
        raise ConnectionFaultError(
            f"{where}: path_prefix is {prefix!r}, expected a path such as /prometheus."
        )
    netloc = f"[{host}]" if _is_ipv6(host) else host
    return f"{schema}://{netloc}:{conn.port or DEFAULT_PORT}/{prefix.strip('/')}"


def _is_ipv6(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).version == 6
    except ValueError:
        return False


def _headers(conn: Connection, extras: Mapping[str, Any], *, where: str) -> dict[str, str]:
    given, token = extras.get("headers", {}), extras.get("token")
    if not isinstance(given, dict) or not all(
        _plain(name) and _plain(value) for name, value in given.items()
    ):
        raise ConnectionFaultError(
            f"{where}: headers is no object of names and texts (in ASCII, of one line)."
        )
    if token is not None and not _plain(token):
        raise ConnectionFaultError(f"{where}: token is no text of one line in ASCII.")
    if token is not None and conn.login:
        raise ConnectionFaultError(f"{where}: it has both a login and a token, expected one of them.")
    if conn.password and not conn.login:
        raise ConnectionFaultError(
            f"{where}: it has a password without a login; a bearer token goes into token."
        )
    return {**given, **({"Authorization": f"Bearer {token.strip()}"} if token is not None else {})}


def _plain(text: Any) -> bool:
    return isinstance(text, str) and text.isascii() and text.strip().isprintable()


def _verify(extras: Mapping[str, Any], *, where: str) -> ssl.SSLContext | bool:
    verify, ca_file = extras.get("verify", True), extras.get("ca_file")
    if not isinstance(verify, bool):
        raise ConnectionFaultError(f"{where}: verify is {verify!r}, expected true or false.")
    if ca_file is None or not verify:
        return verify
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, TypeError) as err:
        raise ConnectionFaultError(f"{where}: ca_file {ca_file!r} is no readable PEM file: {err}.") from err
