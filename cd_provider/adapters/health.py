"""Ask a container in a Docker engine whether it is healthy, from wherever that can be asked."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cd_provider.adapters.engine import bounded
from cd_provider.core.smoke import Health
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from docker import APIClient

_PROBE_S = 2  # for one answer
_EXEC_S = 5  # for one program in the container
_NO_PROGRAM = (126, 127)  # exit codes when the program is not in the image


def why_unhealthy(
    engine: APIClient, seen: Mapping[str, Any], health: Health, network: str | None
) -> str | None:
    """
    Ask once; None: it is healthy.

    :param seen: what the engine says of the container.
    :param network: the container's own network, which is also the name of its bridge.
    :raises ArgumentError: there is no way to ask.
    """
    if health.command:
        code = _exec(engine, seen["Id"], health.command)
        return None if code == 0 else f"{' '.join(health.command)} {_ended(code)}"
    asked = f"GET :{health.port}{health.path}"
    if network and _shares_host(network):
        answer = _answer(seen["NetworkSettings"]["Networks"][network]["IPAddress"], health)
        return None if answer == "200" else f"{asked}: {answer}"
    fault = _asked_within(engine, seen["Id"], health)
    return f"{asked}: {fault}" if fault else None


def _shares_host(bridge: str) -> bool:
    """
    Whether this process is where the engine's networks are: it sees the bridge itself.

    The address alone proves nothing: many hosts have a container at 172.17.0.2, and it may well be healthy.
    """
    try:
        return socket.if_nametoindex(bridge) > 0
    except OSError:
        return False


def _answer(address: str, health: Health) -> str:
    if not address:
        return "the container has no address any more"
    connection = http.client.HTTPConnection(address, health.port, timeout=_PROBE_S)
    try:
        connection.request("GET", health.path)
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as err:
        return str(err) or type(err).__name__
    finally:
        connection.close()


def _asked_within(engine: APIClient, container: str, health: Health) -> str | None:
    """Ask from within the container, by what its image has."""
    url = f"http://127.0.0.1:{health.port}{health.path}"
    wget = ("wget", "-q", "-T", "2", "-O", "/dev/null", url)
    curl = ("curl", "-fsS", "-m", "2", "-o", "/dev/null", url)
    for command in (wget, curl):
        code = _exec(engine, container, command)
        if code not in _NO_PROGRAM:
            return None if code == 0 else f"its own {command[0]} {_ended(code)}"
    raise ArgumentError(
        "health: this worker is not on the engine's host, so that it cannot reach the container, and the "
        "image has neither wget nor curl to ask from within. Give health={'command': […]}, which the image "
        "runs itself."
    )


def _ended(code: int) -> str:
    if code in _NO_PROGRAM:
        return f"ended with {code}: the image may not have it"
    return f"ended with {code}" if code >= 0 else f"did not end within {_EXEC_S} s, or the container ended"


def _exec(engine: APIClient, container: str, command: Sequence[str]) -> int:
    """Run a program in the container, give its exit code; -1: the container ended, or the program did not."""
    from docker.errors import APIError

    def run() -> int:
        made = engine.exec_create(container, list(command))["Id"]
        engine.exec_start(made)
        return int(engine.exec_inspect(made)["ExitCode"])

    try:
        return bounded(run, _EXEC_S)
    except TimeoutError:
        return -1
    except APIError as err:
        if not err.is_client_error():
            raise
        return -1
