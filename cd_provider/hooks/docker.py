"""Connection in, client for one Docker engine out."""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from cd_provider.exceptions import CdProviderError, ConnectionFaultError, EngineUnavailableError
from cd_provider.hooks.connection import read_connection

if TYPE_CHECKING:
    from airflow.sdk import Connection
    from docker import APIClient

EXTRAS = ("ca_file", "cert_file", "key_file", "allow_plain")
PORT, TLS_PORT = 2375, 2376
_ADDRESS = re.compile(
    r"unix://(?P<socket>/[^\s?#]+)|tcp://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\])(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True)
class EngineSettings:
    """
    How to reach one engine.

    :param url: ``unix:///…`` or ``tcp://host:port``.
    :param files: of TLS: certificates that sign the engine's, our own, its key; None: no TLS.
    """

    url: str
    files: tuple[str | None, str | None, str | None] | None = None
    timeout_s: int = 60

    @contextmanager
    def open(self) -> Iterator[APIClient]:
        """
        Open a client.

        :raises EngineUnavailableError: the engine does not answer.
        :raises ConnectionFaultError: the files of TLS cannot be used.
        """
        from docker.errors import DockerException, TLSParameterError

        try:
            engine = _client_class()(
                base_url=self.url, tls=self._tls(), timeout=self.timeout_s, version="auto"
            )
        except TLSParameterError as err:
            raise ConnectionFaultError(f"Docker engine at {self.url}: {err.msg}") from err
        except DockerException as err:
            raise EngineUnavailableError(f"Docker engine at {self.url} does not answer: {err}.") from err
        try:
            yield engine
        finally:
            engine.close()

    def _tls(self) -> Any:
        from docker.tls import TLSConfig

        if self.files is None:
            return False
        ca_file, cert_file, key_file = self.files
        own = (cert_file, key_file) if cert_file and key_file else None
        return TLSConfig(client_cert=own, ca_cert=ca_file, verify=True)


def _client_class() -> type[APIClient]:
    from docker import APIClient

    class EngineClient(APIClient):
        """Leaves the environment alone: its proxies, certificates and .netrc are for the web, not for an engine."""

        @property
        def trust_env(self) -> bool:
            return False

        @trust_env.setter
        def trust_env(self, value: bool) -> None:
            pass

    return EngineClient


class DockerEngineHook(BaseHook):
    """
    Turn a connection into a client for one Docker engine.

    The engine only: a login for pulls comes from the registry's own connection.

    :param docker_conn_id: its host is ``unix:///var/run/docker.sock``, or ``tcp://engine.example`` with the
        port in its field (2376). Extras, paths of PEM files on the worker: ``ca_file`` (what signs the
        engine's certificate), ``cert_file`` and ``key_file`` (our own). Without any, tcp is not encrypted and
        whoever reaches the engine rules its host: refused beyond loopback, unless the extra ``allow_plain``
        is true.
    :param timeout_s: seconds to connect, and between two pieces of an answer.
    """

    conn_name_attr = "docker_conn_id"
    default_conn_name = "docker_engine_default"
    conn_type = "docker_engine"
    hook_name = "Docker engine"

    def __init__(self, docker_conn_id: str = default_conn_name, *, timeout_s: int = 60) -> None:
        super().__init__()
        self.docker_conn_id = docker_conn_id
        self.timeout_s = timeout_s

    async def settings(self) -> EngineSettings:
        """
        Read the connection.

        :raises ConnectionFaultError: it is missing, or one of its fields cannot be used.
        """
        conn, extras = await read_connection(self.docker_conn_id)
        return read_engine(
            conn, extras, where=f"connection {self.docker_conn_id!r}", timeout_s=self.timeout_s
        )

    def test_connection(self) -> tuple[bool, str]:
        """Ask the engine for its version; Airflow's *Test* button calls this."""
        try:
            with asyncio.run(self.settings()).open() as engine:
                return True, f"Docker {engine.version()['Version']} answers."
        except CdProviderError as err:
            return False, str(err)


def read_engine(
    conn: Connection, extras: Mapping[str, Any], *, where: str, timeout_s: int = 60
) -> EngineSettings:
    """
    Check a connection's fields.

    :raises ConnectionFaultError: a field cannot be used, or an extra is not known.
    """
    if unknown := sorted(set(extras) - set(EXTRAS)):
        raise ConnectionFaultError(
            f"{where}: unknown extra {unknown[0]!r}, expected some of {', '.join(EXTRAS)}."
        )
    address = _ADDRESS.fullmatch((conn.host or "").strip())
    if address is None or int(address["port"] or conn.port or 1) > 65535:
        # The host itself is not shown: whoever pastes a URL there may have pasted a password with it.
        raise ConnectionFaultError(
            f"{where}: its host is {'no address of an engine' if conn.host else 'empty'}, expected "
            "unix:///var/run/docker.sock, or tcp://host with the port in its field."
        )
    files = _files(extras, where=where)
    if address["socket"]:
        return EngineSettings(f"unix://{address['socket']}", timeout_s=timeout_s)
    if files is None and not _is_loopback(address["host"]) and not _flag(extras, where=where):
        raise ConnectionFaultError(
            f"{where}: tcp without TLS gives the engine's host to everybody between. Set ca_file, cert_file "
            "and key_file, or allow_plain to true."
        )
    port = address["port"] or conn.port or (TLS_PORT if files else PORT)
    return EngineSettings(f"tcp://{address['host']}:{port}", files, timeout_s)


def _files(extras: Mapping[str, Any], *, where: str) -> tuple[str | None, str | None, str | None] | None:
    ca_file, cert_file, key_file = (extras.get(name) for name in ("ca_file", "cert_file", "key_file"))
    if (cert_file is None) != (key_file is None):
        raise ConnectionFaultError(f"{where}: expected cert_file and key_file together.")
    for path in filter(None, (ca_file, cert_file, key_file)):
        if not isinstance(path, str) or not Path(path).is_file():
            raise ConnectionFaultError(f"{where}: {path!r} is no file on this worker, expected a PEM file.")
    return (ca_file, cert_file, key_file) if ca_file or cert_file else None


def _flag(extras: Mapping[str, Any], *, where: str) -> bool:
    value = extras.get("allow_plain", False)
    seen = {"true": True, "false": False}.get(str(value).lower())
    if seen is None:
        raise ConnectionFaultError(f"{where}: allow_plain is {value!r}, expected true or false.")
    return seen


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"
