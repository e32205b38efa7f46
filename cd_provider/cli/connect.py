"""From the arguments to a client of the server."""

from __future__ import annotations

import argparse
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cd_provider.core.units import seconds
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    import httpx


@asynccontextmanager
async def open_server(given: argparse.Namespace) -> AsyncIterator[tuple[httpx.AsyncClient, str]]:
    """
    Open the client; give it with what messages call the server.

    :raises ConnectionFaultError: the address, the credentials or the connection cannot be used.
    """
    timeout_s = seconds(given.timeout_s, name="--timeout-s", least=1.0)
    if given.conn_id is None:
        from cd_provider.hooks.prometheus_url import url_client

        async with url_client(
            given.prometheus_url, environ=os.environ, ca_file=given.ca_file, timeout_s=timeout_s
        ) as client:
            yield client, f"Prometheus at {client.base_url.host}"
        return
    if given.ca_file:
        raise ArgumentError("--ca-file goes with --prometheus-url; a connection has the extra ca_file.")
    # Outside of a task Airflow looks into its own database only where it is told that this is no worker.
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    from cd_provider.hooks.prometheus import PrometheusHook

    async with PrometheusHook(given.conn_id, timeout_s=timeout_s).client() as client:
        yield client, f"Prometheus of connection {given.conn_id!r}"
