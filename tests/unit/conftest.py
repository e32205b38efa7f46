"""An API server, and a client of it or of the one that a test file has instead."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.api_server import ApiServer, opened


@pytest.fixture
async def server() -> AsyncIterator[ApiServer]:
    async with ApiServer() as server:
        yield server


@pytest.fixture
async def client(server: ApiServer) -> AsyncIterator[ClusterClient]:
    async with opened(server) as client:
        yield client
