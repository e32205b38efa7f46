"""Read an Airflow connection in async code, with errors that a person can act on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from cd_provider.exceptions import ConnectionFaultError

if TYPE_CHECKING:
    from airflow.sdk import Connection

GRACE_S = 5.0  # how long a cancellation waits for an answer that is under way


async def read_connection(conn_id: str) -> tuple[Connection, Mapping[str, Any]]:
    """
    Give a connection and its extras; empty ones are left out, since Airflow's form stores them as "" or null.

    The extras are read by the connection's async method: its property talks to Airflow's supervisor without
    awaiting, which a running event loop refuses. A cancellation waits for the answer: Airflow's channel to the
    supervisor is stuck for good, and the task with it, once a question is given up before its answer came.

    :raises ConnectionFaultError: there is no such connection, or its extras are no JSON object.
    """
    reading = asyncio.ensure_future(_read(conn_id))
    await settled({reading})
    return reading.result()


async def settled(futures: Collection[asyncio.Future[Any]], *, timeout_s: float | None = None) -> None:
    """Wait until all are done or the time is over; none is cancelled, even when the caller is."""
    try:
        await asyncio.wait(futures, timeout=timeout_s)
    except asyncio.CancelledError:
        await asyncio.wait(futures, timeout=GRACE_S)
        raise


async def _read(conn_id: str) -> tuple[Connection, Mapping[str, Any]]:
    try:
        conn = await BaseHook.aget_connection(conn_id)
    except AirflowNotFoundException as err:
        raise ConnectionFaultError(
            f"connection {conn_id!r}: there is none of this name. Add it in Airflow (Admin, Connections)."
        ) from err
    try:
        extras = json.loads(conn.extra or "{}") or {}
    except ValueError:
        extras = None
    if not isinstance(extras, dict):
        raise ConnectionFaultError(f"connection {conn_id!r}: its extra is no JSON object.")
    if mask := getattr(conn, "aextra_dejson", None):  # the API server's own kind of connection has none
        await mask()  # tells Airflow's logs which texts to mask
    return conn, {key: value for key, value in extras.items() if value not in (None, "")}
