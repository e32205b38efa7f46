"""A shop for all plans of a file that find what was asked for to be wrong."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator

import pytest

from tests.integration.deliveries import Shop, connections
from tests.stack import Stack
from tests.stack.shop import remove


@pytest.fixture(scope="module")
def standing(stack: Stack, v1: str) -> Iterator[Shop]:
    """A shop for all plans that find what was asked for to be wrong: they leave it as it is."""
    name = f"t-{uuid.uuid4().hex[:10]}"
    try:
        yield Shop.deploy(stack, name, v1)
    finally:
        remove(stack, name)


@pytest.fixture
def kept(standing: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """That shop, and its connections."""
    for name, fields in connections(standing.stack, standing.kubeconfig).items():
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", json.dumps(fields))
    return standing
