"""What lies between a client and its API server: credentials, connections, and what comes over them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from cd_provider.exceptions import ClusterUnavailableError, ConnectionFaultError

if TYPE_CHECKING:
    import aiohttp
    from kubernetes_asyncio.client import Configuration
    from kubernetes_asyncio.client.rest import RESTClientObject


class Session:
    """One set of credentials and the connections opened with it."""

    def __init__(self, configuration: Configuration) -> None:
        from kubernetes_asyncio.client.rest import RESTClientObject

        self.configuration = configuration
        self.rest: RESTClientObject = RESTClientObject(configuration)

    async def headers(self) -> dict[str, str]:
        """Give the headers that say who we are; a token file inside a pod is read again each minute."""
        settings = await self.configuration.auth_settings()
        return {auth["key"]: auth["value"].strip() for auth in settings.values() if auth["value"]}


def open_session(configuration: Configuration) -> Session:
    """
    Get ready to call; nothing is sent yet.

    :raises ConnectionFaultError: the certificates that the connection names cannot be used.
    """
    try:
        return Session(configuration)
    except (OSError, ValueError) as err:
        raise ConnectionFaultError(
            f"the certificates or key of {configuration.host} cannot be used: {err}."
        ) from err


@contextmanager
def transport(what: str) -> Iterator[None]:
    """Turn what goes wrong on the way into ours."""
    import aiohttp

    try:
        yield
    except TimeoutError as err:
        raise ClusterUnavailableError(f"{what}: no answer from the API server in time. Try again.") from err
    except (aiohttp.ClientError, OSError) as err:
        seen = f"{type(err).__name__}: {err}".rstrip(": ")
        raise ClusterUnavailableError(
            f"{what}: the connection to the API server failed ({seen}). Try again."
        ) from err


def broke(err: ClusterUnavailableError) -> bool:
    """Tell whether the connection broke; no answer in time, or one that says "later", is something else."""
    import aiohttp

    return isinstance(err.__cause__, aiohttp.ClientError)


def cut(answer: aiohttp.ClientResponse) -> None:
    """Drop a connection whose answer is left early: saying good-bye by TLS could outlive its event loop."""
    if answer.connection is not None and answer.connection.transport is not None:
        answer.connection.transport.abort()


async def lines(answer: aiohttp.ClientResponse) -> AsyncIterator[bytes]:
    """Cut a stream into lines of any length: an object may be larger than any reader's buffer."""
    rest = b""
    async for chunk in answer.content.iter_any():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line.strip():
                yield line


def parsed(text: str | bytes, what: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError as err:
        raise ClusterUnavailableError(f"{what}: the answer is no JSON; is there a proxy on the way?") from err
    if not isinstance(found, dict):
        raise ClusterUnavailableError(f"{what}: the answer is no JSON object; is there a proxy on the way?")
    return found


def parameter(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
