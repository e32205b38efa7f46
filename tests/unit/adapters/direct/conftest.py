"""A cluster whose four pods show a page of counters."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.unit.adapters.direct.proxied import PODS, Proxied, shop


@pytest.fixture
async def server() -> AsyncIterator[Proxied]:
    async with Proxied() as server:
        server.pages = {pod: shop(10, 1) for pod in PODS}
        yield server
