"""What every talk with a Docker engine needs: its errors in our words, calls that end, and pulls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, TypeVar

from cd_provider.core.image import ImageRef
from cd_provider.exceptions import (
    EngineUnavailableError,
    ImageNotFoundError,
    RegistryRefusedError,
    RegistryUnavailableError,
    SmokeFailedError,
)

if TYPE_CHECKING:
    from docker import APIClient

T = TypeVar("T")
_REFUSED = ("unauthorized", "denied", "no basic auth", "forbidden")
_UNKNOWN = ("manifest unknown", "not found", "name unknown")


@contextmanager
def engine_errors(what: str) -> Iterator[None]:
    """
    Turn what Docker's client raises into our own errors.

    :raises SmokeFailedError: the engine understood, and refuses.
    :raises EngineUnavailableError: it is not there, or not well.
    """
    from docker.errors import APIError, DockerException
    from requests.exceptions import RequestException

    try:
        yield
    except APIError as err:
        text = f"{what}: the Docker engine says: {err.explanation or err}"
        raise (SmokeFailedError if err.is_client_error() else EngineUnavailableError)(text) from err
    except (DockerException, RequestException) as err:
        raise EngineUnavailableError(f"{what}: the Docker engine gave no usable answer ({err}).") from err


def bounded(call: Callable[[], T], within_s: float) -> T:
    """
    Run a call that has no time-out of its own.

    :raises TimeoutError: it did not end in time; it is left behind, in a thread that ends with the process.
    """
    ended: SimpleQueue[tuple[bool, T | BaseException]] = SimpleQueue()

    def run() -> None:
        try:
            ended.put((True, call()))
        except Exception as err:
            ended.put((False, err))

    Thread(target=run, daemon=True).start()
    try:
        good, value = ended.get(timeout=within_s)
    except Empty as err:
        raise TimeoutError from err
    if good:
        return value  # type: ignore[return-value]
    raise value  # type: ignore[misc]


def pull(engine: APIClient, image: ImageRef, *, login: Mapping[str, str], within_s: float) -> None:
    """
    Have the engine fetch an image by its digest.

    :param login: ``username`` and ``password``; empty: anonymous. What the worker's own Docker configuration
        may hold is never used.
    :raises ImageNotFoundError: the registry has no such image.
    :raises RegistryRefusedError: the registry refuses the login.
    :raises RegistryUnavailableError: anything else, or no end within ``within_s`` seconds.
    """
    from docker.errors import APIError

    def fetch() -> str | None:
        try:
            for event in engine.pull(str(image), stream=True, decode=True, auth_config=dict(login)):
                if "error" in event:
                    return str(event["error"])
        except APIError as err:
            return str(err.explanation or err)
        return None

    try:
        with engine_errors(str(image)):
            fault = bounded(fetch, within_s)
    except TimeoutError as err:
        raise RegistryUnavailableError(
            f"{image}: the Docker engine's pull took over {within_s:g} s."
        ) from err
    if fault is not None:
        raise _pull_error(fault)(f"{image}: the Docker engine could not pull it: {fault}.")


def _pull_error(fault: str) -> type[ImageNotFoundError | RegistryRefusedError | RegistryUnavailableError]:
    text = fault.lower()
    if any(word in text for word in _REFUSED):
        return RegistryRefusedError
    return ImageNotFoundError if any(word in text for word in _UNKNOWN) else RegistryUnavailableError
