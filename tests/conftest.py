"""Before Airflow is first imported: a home of its own, so that no test reads or writes the user's."""

from __future__ import annotations

import os
import uuid
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.turns import Turns

if TYPE_CHECKING:
    from tests.stack import Stack

ROOT = Path(__file__).parents[1]
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "one")

os.environ.update(
    AIRFLOW_HOME=str(ROOT / "build" / "airflow-tests" / WORKER),
    AIRFLOW__CORE__LOAD_EXAMPLES="False",
    AIRFLOW__CORE__UNIT_TEST_MODE="False",
)


# A busy machine is no fault of the code: examples have no time limit of their own.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

TURNS = pytest.StashKey[Turns]()


def pytest_configure(config: pytest.Config) -> None:
    """Open the lock that the workers of one run share."""
    config.stash[TURNS] = turns = Turns(ROOT / "build" / "turns")
    config.add_cleanup(turns.close)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None, bool, bool]:
    """Let a test use the real stack beside others, or alone when it is marked so; a row of those keeps its turn."""
    turns = item.config.stash[TURNS]
    if takes_turn := is_alone(item) or uses_stack(item):
        turns.take(alone=is_alone(item))
    try:
        return (yield)
    finally:
        if takes_turn and not (is_alone(item) and is_alone(nextitem)):
            turns.give_back()


def uses_stack(item: pytest.Item) -> bool:
    return "stack" in getattr(item, "fixturenames", ())


def is_alone(item: pytest.Item | None) -> bool:
    return item is not None and item.get_closest_marker("alone") is not None


@pytest.fixture(scope="session")
def stack() -> Stack:
    """The real cluster with all that belongs to it; brought up when it is not."""
    from tests.stack import up

    return up()


@pytest.fixture
def namespace(stack: Stack) -> Iterator[str]:
    """A namespace of the test's own, removed behind it."""
    from tests.stack.shop import remove

    name = f"t-{uuid.uuid4().hex[:10]}"
    stack.kubectl("create", "namespace", name)
    try:
        yield name
    finally:
        remove(stack, name)


@pytest.fixture(scope="session")
def v1(stack: Stack) -> str:
    return _pushed(stack, "v1")


@pytest.fixture(scope="session")
def v2(stack: Stack) -> str:
    return _pushed(stack, "v2")


@pytest.fixture(scope="session")
def bad(stack: Stack) -> str:
    """A version that fails one request in three."""
    return _pushed(stack, "bad", error_share=0.3)


@pytest.fixture(scope="session")
def lost(stack: Stack) -> str:
    """A version that does not know one address in three."""
    return _pushed(stack, "lost", error_share=0.3, error_status=404)


def _pushed(stack: Stack, version: str, *, error_share: float = 0.0, error_status: int = 500) -> str:
    from tests.stack.images import push_shop

    return push_shop(stack, version, error_share=error_share, error_status=error_status)
