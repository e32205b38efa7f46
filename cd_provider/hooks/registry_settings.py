"""What a connection of type ``oci_registry`` says: which registry, who asks, who else may see the login."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cd_provider.exceptions import ConnectionFaultError

if TYPE_CHECKING:
    from airflow.sdk import Connection

EXTRAS = ("insecure_http", "ca_file", "token_realms")
DOCKER_HUB = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_HUB_ADDRESS, _HUB_REALM = "registry-1.docker.io", "auth.docker.io"
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?", re.ASCII)
_PORTS = {"https": ":443", "http": ":80"}


@dataclass(frozen=True)
class RegistrySettings:
    """
    One registry, as a connection describes it.

    :param registry: host, and port where it is not the scheme's own, in lower case, as images name it.
    :param token_realms: further hosts (with port where needed) that may be sent the login.
    """

    conn_id: str
    registry: str
    login: str | None = None
    password: str = field(default="", repr=False)
    insecure_http: bool = False
    ca_file: str | None = None
    token_realms: tuple[str, ...] = ()

    @property
    def scheme(self) -> str:
        """``https``, unless plain http was asked for."""
        return "http" if self.insecure_http else "https"

    @property
    def base_url(self) -> str:
        """Where the registry's interface is served; Docker Hub's is not on the host that its images name."""
        return f"{self.scheme}://{_HUB_ADDRESS if self.registry in DOCKER_HUB else self.registry}"

    def serves(self, registry: str) -> bool:
        """Whether an image of this registry host is one of this connection's."""
        host = plain_host(registry, self.scheme)
        return host == self.registry or {host, self.registry} <= DOCKER_HUB

    def may_see_login(self, *, scheme: str, host: str) -> bool:
        """Whether a token service at ``scheme://host`` may be asked, with the login or without."""
        allowed = {self.registry, *self.token_realms}
        if self.registry in DOCKER_HUB:
            allowed |= DOCKER_HUB | {_HUB_REALM}
        return scheme in {"https", self.scheme} and plain_host(host, scheme) in allowed


def read_settings(conn: Connection, extras: Mapping[str, Any], *, conn_id: str) -> RegistrySettings:
    """
    Check a connection's fields.

    :raises ConnectionFaultError: a field cannot be used, an extra is not known, or plain http is named in the
        host without being asked for by ``insecure_http``.
    """
    where = f"connection {conn_id!r}"
    if unknown := sorted(set(extras) - set(EXTRAS)):
        raise ConnectionFaultError(
            f"{where}: unknown extra {unknown[0]!r}, expected some of {', '.join(EXTRAS)}."
        )
    if conn.password and not conn.login:
        raise ConnectionFaultError(f"{where}: it has a password without a login.")
    insecure_http = _flag(extras.get("insecure_http", False), where=where)
    scheme = "http" if insecure_http else "https"
    ca_file = extras.get("ca_file")
    if ca_file is not None and (insecure_http or not isinstance(ca_file, str)):
        saw = "set beside insecure_http" if insecure_http else repr(ca_file)
        raise ConnectionFaultError(
            f"{where}: ca_file is {saw}, expected the path of a PEM file, for https alone."
        )
    return RegistrySettings(
        conn_id=conn_id,
        registry=plain_host(_host(conn, scheme, where=where), scheme),
        login=conn.login or None,
        password=conn.password or "",
        insecure_http=insecure_http,
        ca_file=ca_file,
        token_realms=_realms(extras.get("token_realms", ()), where=where),
    )


def plain_host(host: str, scheme: str) -> str:
    """Write a host in lower case, and without the port that ``scheme`` implies."""
    return host.lower().removesuffix(_PORTS.get(scheme, ":443"))


def _host(conn: Connection, scheme: str, *, where: str) -> str:
    given = (conn.host or "").strip().rstrip("/")
    named, _, host = given.rpartition("://")
    if not _HOST.fullmatch(host.lower()):
        # The host itself is not shown: whoever pastes a URL there may have pasted a password with it.
        raise ConnectionFaultError(
            f"{where}: its host is {'no plain host' if given else 'empty'}, expected the registry as images "
            "name it, such as registry.example:5000; a path (a project, a repository) belongs to the image."
        )
    if named and named != scheme:
        wish = "insecure_http is set" if scheme == "http" else "insecure_http is not set"
        raise ConnectionFaultError(
            f"{where}: its host begins with {named}://, but {wish}: make the two agree."
        )
    has_port = re.search(r":(\d+)$", host)
    if int(has_port[1] if has_port else conn.port or 1) not in range(1, 65536):
        raise ConnectionFaultError(f"{where}: its port is beyond 65535.")
    if conn.port and has_port and not host.endswith(f":{conn.port}"):
        raise ConnectionFaultError(f"{where}: its port is {conn.port}, and its host {host!r} names another.")
    return f"{host}:{conn.port}" if conn.port and not has_port else host


def _flag(value: Any, *, where: str) -> bool:
    seen = {"true": True, "false": False}.get(str(value).lower())
    if seen is None:
        raise ConnectionFaultError(f"{where}: insecure_http is {value!r}, expected true or false.")
    return seen


def _realms(value: Any, *, where: str) -> tuple[str, ...]:
    given = value.split(",") if isinstance(value, str) else value
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise ConnectionFaultError(f"{where}: token_realms is {value!r}, expected a list of host names.")
    hosts = [one.strip().lower() for one in given if one.strip()]
    for host in hosts:
        if not _HOST.fullmatch(host):
            raise ConnectionFaultError(
                f"{where}: token_realms has {host!r}, expected hosts such as auth.example:8443."
            )
    return tuple(host.removesuffix(":443") for host in hosts)
