"""
Run an image in a Docker engine, within limits, and leave nothing behind.

Everything made is labelled with delivery, task and attempt, so that what a killed worker left is found again.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cd_provider.adapters.engine import engine_errors
from cd_provider.adapters.health import why_unhealthy
from cd_provider.core.image import ImageRef
from cd_provider.core.names import ATTEMPT, DELIVERY
from cd_provider.core.smoke import LINES, TASK, SmokeResult, SmokeRun, last_lines
from cd_provider.exceptions import SmokeFailedError

if TYPE_CHECKING:
    from docker import APIClient

_EVERY_S = 0.25  # between two looks at a container's health


@dataclass(frozen=True)
class Labels:
    """Whose container this is."""

    delivery: str
    task: str
    attempt: int

    def as_dict(self) -> dict[str, str]:
        """Give them as the engine takes them."""
        return {DELIVERY: self.delivery, TASK: self.task, ATTEMPT: str(self.attempt)}


def try_out(
    engine: APIClient,
    image: ImageRef,
    run: SmokeRun,
    *,
    labels: Labels,
    stopped: Callable[[], bool] = lambda: False,
) -> SmokeResult:
    """
    Run an image that the engine has, and tell what came of it; container and network are gone afterwards.

    :param stopped: asked now and then; true ends the run.
    :raises SmokeFailedError: the container cannot be made or started, or was stopped.
    :raises EngineUnavailableError: the engine stopped answering.
    """
    network: str | None = None
    container: str | None = None
    try:
        with engine_errors(str(image)):
            if run.health and run.health.port:
                network = _make_network(engine, labels)
            container = _create(engine, image, run, labels=labels, network=network)
            engine.start(container)
            return _watch(engine, container, run, network=network, stopped=stopped)
    finally:
        with engine_errors(str(image)):
            if container:
                _remove_container(engine, container)
            if network:
                _remove_network(engine, network)


def remove_leftovers(engine: APIClient, delivery: str, *, task: str | None = None) -> list[str]:
    """
    Remove every container and network that a delivery (or one task of it) made; nothing there is fine.

    :returns: what was removed, as people may want to read it.
    """
    label = [f"{DELIVERY}={delivery}", *([f"{TASK}={task}"] if task else [])]
    removed = []
    with engine_errors(f"cleaning up after delivery {delivery}"):
        for container in engine.containers(all=True, filters={"label": label}):
            _remove_container(engine, container["Id"])
            attempt = container["Labels"].get(ATTEMPT)
            removed.append(f"container {container['Id'][:12]} of attempt {attempt}")
        for network in engine.networks(filters={"label": label}):
            _remove_network(engine, network["Id"])
            removed.append(f"network {network['Name']}")
    return removed


# --- one container --------------------------------------------------------------------------------------------


def _create(engine: APIClient, image: ImageRef, run: SmokeRun, *, labels: Labels, network: str | None) -> str:
    from docker.types import LogConfig

    limits = engine.create_host_config(
        mem_limit=run.memory,
        memswap_limit=run.memory,  # the same: no swap
        nano_cpus=round(run.cpus * 1e9),
        pids_limit=run.pids,
        read_only=run.read_only,
        tmpfs={path: f"size={size},mode=1777,nosuid,nodev" for path, size in run.tmpfs.items()},
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        network_mode=network or "none",
        log_config=LogConfig(type="json-file", config={"max-size": "1m", "max-file": "2"}),
    )
    made = engine.create_container(
        str(image),
        command=list(run.command) if run.command else None,
        entrypoint=list(run.entrypoint) if run.entrypoint else None,
        environment=dict(run.environment),
        user=run.user,
        labels=labels.as_dict(),
        host_config=limits,
        use_config_proxy=False,  # the worker's proxies are none of the image's business
    )
    return str(made["Id"])


def _watch(
    engine: APIClient, container: str, run: SmokeRun, *, network: str | None, stopped: Callable[[], bool]
) -> SmokeResult:
    began = time.monotonic()
    while True:
        seen, ran_s = engine.inspect_container(container), time.monotonic() - began
        state = seen["State"]
        if stopped():
            raise SmokeFailedError("The task was stopped; its container is removed.")
        if not state["Running"]:
            return _told(engine, container, state["ExitCode"], ran_s, _end_fault(state, run))
        sick = why_unhealthy(engine, seen, run.health, network) if run.health else "it should have ended"
        if sick is None or ran_s >= run.limit_s:
            return _told(engine, container, None, ran_s, sick and _late_fault(run, sick))
        _pause(engine, container, min(_EVERY_S if run.health else 5.0, run.limit_s - ran_s))


def _pause(engine: APIClient, container: str, seconds: float) -> None:
    """Wait until the container ends, at most so long; whether the engine still answers, the next look says."""
    from docker.errors import APIError
    from requests.exceptions import RequestException

    with suppress(APIError, RequestException):
        engine.wait(container, timeout=max(seconds, 0.05))  # type: ignore[arg-type]


def _told(
    engine: APIClient, container: str, exit_code: int | None, ran_s: float, fault: str | None
) -> SmokeResult:
    raw = engine.logs(container, stdout=True, stderr=True, tail=LINES)
    return SmokeResult(exit_code, ran_s, last_lines(raw), fault)


def _end_fault(state: Mapping[str, Any], run: SmokeRun) -> str | None:
    code = state["ExitCode"]
    if state["OOMKilled"]:
        return f"killed for its memory: the limit is {run.memory / 1024**2:.0f}Mi (memory=)"
    if run.health:
        return f"ended with exit code {code} before it was healthy"
    return f"ended with exit code {code}, expected 0" if code != 0 else None


def _late_fault(run: SmokeRun, sick: str) -> str:
    if run.health is None:
        return f"still running after {run.timeout_s:g} s (timeout_s=), expected an end with exit code 0"
    return f"not healthy within {run.health.within_s:g} s (within_s=): {sick}"


# --- network --------------------------------------------------------------------------------------------------


def _make_network(engine: APIClient, labels: Labels) -> str:
    """Make a network without a way out, whose bridge has a name that nothing else can have."""
    name = f"cdp-{secrets.token_hex(5)}"  # an interface's name has at most 15 characters
    options = {"com.docker.network.bridge.name": name}
    engine.create_network(name, driver="bridge", internal=True, options=options, labels=labels.as_dict())
    return name


def _remove_container(engine: APIClient, container: str) -> None:
    from docker.errors import APIError, NotFound

    try:
        engine.remove_container(container, force=True, v=True)
    except NotFound:
        return
    except APIError as err:
        if "already in progress" not in str(err.explanation):
            raise


def _remove_network(engine: APIClient, network: str) -> None:
    from docker.errors import NotFound

    with suppress(NotFound):
        engine.remove_network(network)
