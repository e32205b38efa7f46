"""From an Airflow connection of type ``kubernetes`` to a client of that cluster."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook

from cd_provider.exceptions import CdProviderError, ClusterUnauthorizedError, ConnectionFaultError
from cd_provider.hooks.cluster_client import ClusterClient
from cd_provider.hooks.connection import read_connection, settled

if TYPE_CHECKING:
    from kubernetes_asyncio.client import Configuration

__all__ = ["ClusterClient", "ClusterHook", "ClusterLogin", "load"]

CONNECTION_S = 5.0  # how long a known connection may take to be read again before the known one serves
_LEGACY = "extra__kubernetes__"


@dataclass(frozen=True)
class ClusterLogin:
    """How to reach one cluster: exactly one of the first three is set."""

    in_cluster: bool = False
    kube_config_path: str | None = None
    kube_config: Mapping[str, Any] | str | None = field(default=None, repr=False)
    cluster_context: str | None = None
    disable_verify_ssl: bool = False

    @classmethod
    def from_extras(cls, extras: Mapping[str, Any], *, conn_id: str) -> ClusterLogin:
        """
        Read a connection's extras as the Kubernetes provider names them, old prefixed names included.

        :raises ConnectionFaultError: no way to a cluster is given, or several, or a switch is no truth value.
        """

        def extra(name: str) -> Any:
            found = (extras.get(name), extras.get(_LEGACY + name))
            return next((value for value in found if value and str(value).strip()), None)

        in_cluster = _switch(extra("in_cluster"), f"connection {conn_id!r}: in_cluster")
        path, content = extra("kube_config_path"), extra("kube_config")
        ways = {"in_cluster": in_cluster, "kube_config_path": path, "kube_config": content}
        given = [name for name, value in ways.items() if value]
        if len(given) != 1:
            raise ConnectionFaultError(
                f"connection {conn_id!r}: saw {' and '.join(given) or 'no way to a cluster'}, expected "
                f"exactly one of {', '.join(ways)} in its extras. No default kubeconfig is ever used."
            )
        return cls(
            in_cluster=in_cluster,
            kube_config_path=str(path).strip() if path else None,
            kube_config=content,
            cluster_context=extra("cluster_context"),
            disable_verify_ssl=_switch(
                extra("disable_verify_ssl"), f"connection {conn_id!r}: disable_verify_ssl"
            ),
        )


class ClusterHook(BaseHook):
    """
    Turn a connection of the Kubernetes provider's type into a client of that cluster.

    :param timeout_s: seconds that one call may take.
    """

    conn_name_attr = "kubernetes_conn_id"
    default_conn_name = "kubernetes_default"
    conn_type = "kubernetes"
    hook_name = "Kubernetes Cluster Connection"

    def __init__(self, kubernetes_conn_id: str = default_conn_name, *, timeout_s: float = 10.0) -> None:
        super().__init__()
        self.kubernetes_conn_id, self.timeout_s = kubernetes_conn_id, timeout_s
        self._login: ClusterLogin | None = None

    @asynccontextmanager
    async def client(self) -> AsyncIterator[ClusterClient]:
        """
        Open a client; its session lives until the context ends.

        :raises ConnectionFaultError: the connection is missing, or cannot be used.
        :raises ClusterUnauthorizedError: it names credentials that cannot be had now (a plug-in that fails).
        """
        async with ClusterClient(self.configuration, timeout_s=self.timeout_s) as client:
            yield client

    async def configuration(self) -> Configuration:
        """
        Read the connection, and the credentials that it names, as they are now; errors as :meth:`client`.

        A connection read before stands in when Airflow does not answer: its kubeconfig file or plug-in may
        well have fresh credentials, and an abort must not wait for Airflow.
        """
        reading = asyncio.ensure_future(self._read())
        if self._login is not None:
            await settled({reading}, timeout_s=CONNECTION_S)
        if self._login is None or (reading.done() and reading.exception() is None):
            self._login = await reading
        else:
            reading.add_done_callback(_forget)
            self.log.warning(
                "connection %r cannot be read again; using it as it was", self.kubernetes_conn_id
            )
        return await load(self._login, conn_id=self.kubernetes_conn_id)

    async def _read(self) -> ClusterLogin:
        _, extras = await read_connection(self.kubernetes_conn_id)
        return ClusterLogin.from_extras(extras, conn_id=self.kubernetes_conn_id)


async def load(login: ClusterLogin, *, conn_id: str) -> Configuration:
    """
    Read address and credentials by the rules of Kubernetes' own clients: files, data, tokens, plug-ins.

    :raises ConnectionFaultError: the kubeconfig is missing, unreadable, or lacks something.
    :raises ClusterUnauthorizedError: a plug-in or an identity provider that gives credentials fails.
    """
    # The library takes most of a second to import, which the triggerer's loop must not stand still for.
    await asyncio.to_thread(import_module, "kubernetes_asyncio.config")
    from kubernetes_asyncio.client import Configuration

    configuration = Configuration()
    try:
        await _load(login, configuration)
    except CdProviderError as err:
        raise type(err)(f"connection {conn_id!r}: {err}") from None
    except Exception as err:
        # Not chained: the library puts whole user entries, tokens and all, into some of its messages.
        raise _explained(err, f"connection {conn_id!r}") from None
    if login.disable_verify_ssl:
        configuration.verify_ssl = False
    return configuration


async def _load(login: ClusterLogin, configuration: Configuration) -> None:
    from kubernetes_asyncio import config

    if login.in_cluster:
        config.load_incluster_config(client_configuration=configuration)
        return
    into: dict[str, Any] = {"context": login.cluster_context, "client_configuration": configuration}
    if path := login.kube_config_path:
        if not _is_file(path):
            raise ConnectionFaultError(f"kube_config_path {path!r} is no file on this machine.")
        # Not persisted: a kubeconfig is read here, never written.
        await config.load_kube_config(config_file=path, persist_config=False, **into)
        return
    await config.load_kube_config_from_dict(_parsed(login.kube_config), **into)


def _is_file(path: str) -> bool:
    """Tell whether one of these exists: as with $KUBECONFIG, several files may be named, and are merged."""
    return any(Path(one).expanduser().is_file() for one in path.split(os.pathsep) if one)


def _parsed(kube_config: Any) -> Mapping[str, Any]:
    import yaml

    if isinstance(kube_config, str):
        try:
            kube_config = yaml.safe_load(kube_config)  # JSON is YAML
        except yaml.YAMLError:
            kube_config = None  # its error repeats the text, which holds credentials
    if not isinstance(kube_config, dict):
        raise ConnectionFaultError(
            "kube_config is no JSON object; paste the output of kubectl config view -o json."
        )
    return kube_config


def _explained(err: Exception, where: str) -> CdProviderError:
    import aiohttp
    from kubernetes_asyncio.config import ConfigException

    text = str(err)
    if text.startswith("Invalid kube-config file"):
        text = text.partition(" in ")[0]  # what follows may be a whole user entry
    if isinstance(err, OSError | TimeoutError | aiohttp.ClientError) or text.startswith(
        ("exec: process", "oidc")
    ):
        return ClusterUnauthorizedError(f"{where}: its credentials cannot be had now: {text[:400]}.")
    said = f": {text}" if isinstance(err, ConfigException) else f" ({type(err).__name__})"
    return ConnectionFaultError(f"{where}: its kubeconfig cannot be used{said}.")


def _switch(value: Any, where: str) -> bool:
    if isinstance(value, bool) or value is None:
        return bool(value)
    text = str(value).strip().lower()
    if text not in ("true", "false"):
        raise ConnectionFaultError(f"{where}: saw {value!r}, expected true or false.")
    return text == "true"


def _forget(reading: asyncio.Future[ClusterLogin]) -> None:
    """Take the outcome of a reading that came too late, so that asyncio does not complain about it."""
    if not reading.cancelled():
        reading.exception()
