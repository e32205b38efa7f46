from __future__ import annotations

from threading import Event
from typing import Any, cast

import pytest
from docker.errors import APIError, DockerException, NotFound
from requests import Response
from requests.exceptions import ConnectionError as LostConnectionError

from cd_provider.adapters.engine import bounded, engine_errors, pull
from cd_provider.core.image import ImageRef
from cd_provider.exceptions import (
    EngineUnavailableError,
    ImageNotFoundError,
    RegistryRefusedError,
    RegistryUnavailableError,
    SmokeFailedError,
)

IMAGE = ImageRef.parse(f"registry.example/shop@sha256:{'0' * 64}")


def api_error(status: int, explanation: str = "why") -> APIError:
    response = Response()
    response.status_code = status
    return APIError("error", response=response, explanation=explanation)


ERRORS = [
    pytest.param(api_error(400), SmokeFailedError, id="refused"),
    pytest.param(api_error(500), EngineUnavailableError, id="not-well"),
    pytest.param(DockerException("gone"), EngineUnavailableError, id="client"),
    pytest.param(LostConnectionError("gone"), EngineUnavailableError, id="connection"),
]


@pytest.mark.parametrize(("error", "ours"), ERRORS)
def test_errors_of_the_engine_become_ours(error: Exception, ours: type[Exception]) -> None:
    with pytest.raises(ours, match="shop: the Docker engine"), engine_errors("shop"):
        raise error


class Engine:
    """Answers a pull with events, or an error."""

    def __init__(self, *events: dict[str, Any] | Exception) -> None:
        self.events = events
        self.asked: list[dict[str, Any]] = []

    def pull(self, image: str, **more: Any) -> Any:
        self.asked.append({"image": image, **more})
        for event in self.events:
            if isinstance(event, Exception):
                raise event
            yield event


def fetch(*events: dict[str, Any] | Exception, login: dict[str, str] | None = None) -> Engine:
    engine = Engine(*events)
    pull(cast("Any", engine), IMAGE, login=login or {}, within_s=30)
    return engine


def test_without_a_login_the_workers_own_docker_configuration_is_not_used() -> None:
    (asked,) = fetch({"status": "Downloaded"}).asked

    assert asked["image"] == str(IMAGE)
    assert asked["auth_config"] == {}  # None would look it up


def test_a_login_is_handed_on() -> None:
    (asked,) = fetch(login={"username": "robot", "password": "x"}).asked

    assert asked["auth_config"] == {"username": "robot", "password": "x"}


FAULTS = [
    pytest.param({"error": "unauthorized: authentication required"}, RegistryRefusedError, id="401-event"),
    pytest.param(api_error(500, "Head https://r: no basic auth credentials"), RegistryRefusedError, id="401"),
    pytest.param(NotFound("e", explanation="manifest unknown"), ImageNotFoundError, id="404"),
    pytest.param({"error": "toomanyrequests: slow down"}, RegistryUnavailableError, id="429"),
    pytest.param(api_error(500, "connection refused"), RegistryUnavailableError, id="down"),
    pytest.param(LostConnectionError("gone"), EngineUnavailableError, id="engine"),
]


@pytest.mark.parametrize(("fault", "ours"), FAULTS)
def test_a_failed_pull_says_whose_fault_it_is(fault: Any, ours: type[Exception]) -> None:
    with pytest.raises(ours, match="shop@sha256"):
        fetch({"status": "Pulling"}, fault)


def test_a_call_that_hangs_is_left_behind() -> None:
    with pytest.raises(TimeoutError):
        bounded(Event().wait, 0.01)


def test_what_a_bounded_call_raises_comes_through() -> None:
    with pytest.raises(ZeroDivisionError):
        bounded(lambda: 1 // 0, 30)
    assert bounded(lambda: 7, 30) == 7
