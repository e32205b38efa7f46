"""An address in, HTTP client for one Prometheus out: for whoever has no Airflow beside it."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cd_provider.exceptions import ConnectionFaultError

if TYPE_CHECKING:
    import httpx

TOKEN, USER, PASSWORD = "CD_PROMETHEUS_TOKEN", "CD_PROMETHEUS_USER", "CD_PROMETHEUS_PASSWORD"


@asynccontextmanager
async def url_client(
    url: str, *, environ: Mapping[str, str], ca_file: str | None = None, timeout_s: float = 5.0
) -> AsyncIterator[httpx.AsyncClient]:
    """
    Open a client whose URLs are relative to the server; it follows no redirects.

    :param url: such as ``https://prometheus.example/prefix``; no credentials in it, they would be seen by everybody who
        lists processes.
    :param environ: where they are instead: ``CD_PROMETHEUS_TOKEN``, or ``CD_PROMETHEUS_USER`` and ``…_PASSWORD``.
    :param ca_file: path of a PEM file that signs the server's certificate.
    :param timeout_s: seconds to connect, and between two pieces of an answer.
    :raises ConnectionFaultError: the address or the credentials cannot be used; neither is repeated.
    """
    import httpx

    headers, auth = _credentials(environ)
    async with httpx.AsyncClient(
        base_url=_checked(url),
        auth=httpx.BasicAuth(*auth) if auth else None,
        headers=headers,
        verify=_trusted(ca_file),
        timeout=timeout_s,
    ) as client:
        yield client


def _checked(url: str) -> str:
    import httpx

    try:
        parsed = httpx.URL(url)
    except (httpx.InvalidURL, TypeError) as err:
        raise ConnectionFaultError(f"Prometheus' URL makes no address: {err}.") from err
    if parsed.userinfo:
        raise ConnectionFaultError(
            f"Prometheus' URL has credentials in it, which other users of the machine can see; put them into {USER} "
            f"and {PASSWORD}."
        )
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise ConnectionFaultError(
            f"Prometheus' URL: saw {url!r}, expected one such as http://prometheus.monitoring:9090, without a query."
        )
    return url.rstrip("/") + "/"


def _credentials(environ: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, str] | None]:
    token, user, password = (environ.get(name, "") for name in (TOKEN, USER, PASSWORD))
    if token and user:
        raise ConnectionFaultError(f"both {TOKEN} and {USER} are set, expected one of them; unset the other.")
    if password and not user:
        raise ConnectionFaultError(f"{PASSWORD} is set without {USER}; set both, or neither.")
    if not (token.isascii() and token.strip().isprintable()):
        raise ConnectionFaultError(f"{TOKEN} is no text of one line in ASCII.")
    headers = {"Authorization": f"Bearer {token.strip()}"} if token else {}
    return headers, (user, password) if user else None


def _trusted(ca_file: str | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as err:
        raise ConnectionFaultError(f"--ca-file {ca_file!r} is no readable PEM file: {err}.") from err
