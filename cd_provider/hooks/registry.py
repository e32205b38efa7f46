"""Connection in, client for one OCI registry out."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from airflow.sdk import BaseHook

from cd_provider.exceptions import CdProviderError, ConnectionFaultError
from cd_provider.hooks.connection import read_connection
from cd_provider.hooks.registry_settings import RegistrySettings, read_settings

if TYPE_CHECKING:
    from cd_provider.hooks.registry_client import RegistryClient

CONNECTIONS = 6  # at once: enough for the platforms of one index, few enough for a small registry


class RegistryHook(BaseHook):
    """
    Turn a connection into a client for one OCI registry.

    :param registry_conn_id: its host is the registry as images name it (``registry.example:5000``, or with
        ``https://`` before it); login and password are used for basic authentication or for the registry's
        token service, and without a login the client is anonymous. Extras: ``insecure_http`` (true: plain
        http, which is never used unasked), ``ca_file`` (path of a PEM file, trusted beside the usual
        authorities), ``token_realms`` (hosts besides the registry's own whose token service may be sent the
        login).
    :param timeout_s: seconds to connect, and between two pieces of an answer.
    """

    conn_name_attr = "registry_conn_id"
    default_conn_name = "registry_default"
    conn_type = "oci_registry"
    hook_name = "OCI registry"

    def __init__(self, registry_conn_id: str = default_conn_name, *, timeout_s: float = 10.0) -> None:
        super().__init__()
        self.registry_conn_id = registry_conn_id
        self.timeout_s = timeout_s

    async def settings(self) -> RegistrySettings:
        """
        Read the connection.

        :raises ConnectionFaultError: it is missing, or one of its fields cannot be used.
        """
        conn, extras = await read_connection(self.registry_conn_id)
        return read_settings(conn, extras, conn_id=self.registry_conn_id)

    @asynccontextmanager
    async def client(self) -> AsyncIterator[RegistryClient]:
        """Open a client; errors as :meth:`settings`."""
        import httpx

        from cd_provider.hooks.registry_client import RegistryClient

        settings = await self.settings()
        async with httpx.AsyncClient(
            verify=_verify(settings),
            timeout=httpx.Timeout(self.timeout_s, pool=None),
            limits=httpx.Limits(max_connections=CONNECTIONS),
        ) as http:
            yield RegistryClient(settings, http)

    def test_connection(self) -> tuple[bool, str]:
        """Ask the registry whether it takes the login; Airflow's *Test* button calls this."""
        try:
            asyncio.run(self._probe())
        except CdProviderError as err:
            return False, str(err)
        return True, "The registry answers."

    async def _probe(self) -> None:
        async with self.client() as client:
            await client.ping()


def _verify(settings: RegistrySettings) -> ssl.SSLContext | bool:
    import httpx

    if settings.insecure_http:
        return False  # nothing to verify; spares the reading of the authorities
    context = httpx.create_ssl_context()
    if settings.ca_file is not None:
        try:
            context.load_verify_locations(cafile=settings.ca_file)
        except OSError as err:
            raise ConnectionFaultError(
                f"connection {settings.conn_id!r}: ca_file {settings.ca_file!r} is no readable PEM file: "
                f"{err}."
            ) from err
    return context
