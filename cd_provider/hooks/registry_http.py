"""One bounded request to a registry or to its token service, and what its failures mean."""

from __future__ import annotations

import json
import re
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx

from cd_provider.exceptions import (
    CdProviderError,
    ConnectionFaultError,
    RegistryAnswerError,
    RegistryUnavailableError,
)

if TYPE_CHECKING:
    from cd_provider.hooks.registry_settings import RegistrySettings

_ERROR_BYTES = 64 * 1024
_CODE = re.compile(r"[A-Z][A-Z_]{2,39}", re.ASCII)


@dataclass(frozen=True)
class Reply:
    """One answer: the bytes as they came, never decoded."""

    url: httpx.URL
    status: int
    headers: httpx.Headers
    body: bytes

    @property
    def host(self) -> str:
        """Who answered: host, and port where it is not the scheme's own."""
        return self.url.netloc.decode("ascii")

    @property
    def code(self) -> str:
        """
        The registry's own word for an error, such as ``MANIFEST_UNKNOWN``, behind the status.

        Its sentence is left out: it may repeat what was sent.
        """
        try:
            seen = str(json.loads(self.body)["errors"][0]["code"])
        except (ValueError, LookupError, TypeError, RecursionError):
            seen = ""
        return f"{self.status} {seen}" if _CODE.fullmatch(seen) else str(self.status)


def origin(url: httpx.URL) -> tuple[str, str]:
    """Give scheme and host with port (left out where it is the scheme's own)."""
    return url.scheme, url.netloc.decode("ascii")


def read_address(text: str, *, base: str | httpx.URL = "") -> httpx.URL | None:
    """Read an address that somebody else names; None when it is none, or has a login in it."""
    try:
        url = httpx.URL(base).join(text)
    except httpx.InvalidURL:
        return None
    usable = url.host and not url.userinfo and (url.port is None or 0 < url.port < 65536)
    return url if usable else None


async def send(
    http: httpx.AsyncClient,
    url: httpx.URL,
    headers: dict[str, str],
    *,
    limit: int,
    settings: RegistrySettings,
) -> Reply:
    """
    Ask once; no redirect is followed.

    :param limit: most bytes of a good answer; of any other, as much as may hold an error code is read.
    :raises RegistryUnavailableError: no connection, or it broke.
    :raises ConnectionFaultError: TLS cannot be agreed on.
    :raises RegistryAnswerError: more than ``limit``, or compressed although that was not asked for.
    """
    try:
        async with http.stream("GET", url, headers={"Accept-Encoding": "identity", **headers}) as response:
            body = await _body(response, limit)
            return Reply(url, response.status_code, response.headers, body)
    except httpx.HTTPError as err:
        raise transport_fault(err, url, settings) from err


async def _body(response: httpx.Response, limit: int) -> bytes:
    good = response.status_code == httpx.codes.OK
    where = f"{response.url.scheme}://{response.url.netloc.decode()}{response.url.path}"
    if good and response.headers.get("Content-Encoding", "identity") != "identity":
        raise RegistryAnswerError(f"{where}: the answer is compressed, although it was asked not to be.")
    parts, size = [], 0
    async for part in response.aiter_raw():
        parts.append(part)
        size += len(part)
        if size > limit and good:
            raise RegistryAnswerError(f"{where}: the answer is longer than {limit} bytes, the most we read.")
        if size > _ERROR_BYTES and not good:
            break
    return b"".join(parts)


def transport_fault(err: Exception, url: httpx.URL, settings: RegistrySettings) -> CdProviderError:
    """Tell a fault of the settings (TLS) from an outage."""
    where, conn = f"{url.scheme}://{url.netloc.decode()}", f"connection {settings.conn_id!r}"
    tls = _tls_error(err)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return ConnectionFaultError(
            f"{where}: its certificate is not accepted ({tls.verify_message}). When an authority of your own "
            f"signed it, name that authority's PEM file as ca_file in {conn}. Nothing was sent."
        )
    if tls is not None:
        return ConnectionFaultError(
            f"{where}: it is not TLS that is spoken there ({tls.reason or tls}). When this registry serves "
            f"plain http on purpose, set insecure_http in {conn}. Nothing was sent."
        )
    return RegistryUnavailableError(
        f"{where}: no answer ({err or type(err).__name__}). Trying again may help."
    )


def _tls_error(err: BaseException | None) -> ssl.SSLError | None:
    while err is not None:
        if isinstance(err, ssl.SSLError):
            # An end in mid-handshake is what a restarting server looks like.
            return None if isinstance(err, ssl.SSLEOFError | ssl.SSLZeroReturnError) else err
        err = err.__cause__ or err.__context__
    return None


def unavailable(reply: Reply, *, what: str, now: float) -> RegistryUnavailableError:
    """Tell of a 429 or 5xx, and when it is worth another try."""
    wait = retry_after_s(reply, now=now)
    when = "Trying again may help."
    if wait is not None:
        at = datetime.fromtimestamp(now, UTC) + timedelta(seconds=wait)
        when = f"Try again in {wait:.0f} s (at {at:%H:%M:%S} UTC)."
    why = "too many requests" if reply.status == httpx.codes.TOO_MANY_REQUESTS else "the server's own fault"
    return RegistryUnavailableError(f"{what}: {reply.host} answers {reply.code}, {why}. {when}")


def retry_after_s(reply: Reply, *, now: float) -> float | None:
    """Give the seconds that ``Retry-After`` asks for, at most a day; None when it says nothing of use."""
    text = reply.headers.get("Retry-After", "").strip()
    if text.isascii() and text.isdigit():
        return float(min(int(text[:9]), 86400))
    try:
        return min(max(0.0, parsedate_to_datetime(text).timestamp() - now), 86400.0)
    except (ValueError, OverflowError):
        return None
