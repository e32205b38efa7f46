"""A shop on the real stack for a benchmark, removed behind it."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from tests.integration.deliveries import Shop, connections
from tests.stack import processes, up
from tests.stack.shop import remove
from tests.stack.stack import down

if TYPE_CHECKING:
    from tests.stack import Stack


@contextmanager
def running_stack() -> Iterator[Stack]:
    """Have the stack up; it is taken down only when it was not up before."""
    was_up = bool(processes.all_running())
    try:
        yield up()
    finally:
        if not was_up:
            down()


@contextmanager
def running_shop(stack: Stack, image: str) -> Iterator[Shop]:
    """Three pods of an image in a namespace of their own, and connections for an account of the documented role."""
    namespace = f"bench-{uuid.uuid4().hex[:8]}"
    try:
        shop = Shop.deploy(stack, namespace, image)
        with environment(as_variables(connections(stack, shop.kubeconfig))):
            yield shop
    finally:
        remove(stack, namespace)


def as_variables(connections: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Give connections as the environment variables that Airflow reads."""
    return {f"AIRFLOW_CONN_{name.upper()}": json.dumps(fields) for name, fields in connections.items()}


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables meanwhile."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
