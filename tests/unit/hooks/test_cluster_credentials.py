"""Credentials that the API server refuses are read again, once, by whoever was refused."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from cd_provider.exceptions import (
    ClusterUnauthorizedError,
    ConnectionFaultError,
)
from cd_provider.hooks import cluster
from cd_provider.hooks.cluster import ClusterHook, ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.api_server import ApiServer, opened
from tests.unit.hooks.cluster_paths import MAPS


async def test_refused_credentials_are_read_again_once_and_the_call_repeated(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "config"
    file.write_text(json.dumps(server.kubeconfig("stale")))
    extra = json.dumps({"conn_type": "kubernetes", "extra": {"kube_config_path": str(file)}})
    monkeypatch.setenv("AIRFLOW_CONN_K8S", extra)

    async with ClusterHook("k8s").client() as client:
        file.write_text(json.dumps(server.kubeconfig("fresh")))
        await client.create(MAPS, {"metadata": {"name": "a"}})
        await client.get(f"{MAPS}/a")

    assert [request.headers["Authorization"] for request in server.requests] == [
        "Bearer stale",
        "Bearer fresh",
        "Bearer fresh",
    ]


async def test_credentials_that_stay_refused_are_named_and_not_shown(server: ApiServer) -> None:
    async with opened(server, token="hush-hush") as client:
        with pytest.raises(ClusterUnauthorizedError, match="were read again") as caught:
            await client.get(MAPS)

    assert len(server.requests) == 2
    assert "hush" not in str(caught.value)


async def test_calls_that_are_refused_together_read_the_credentials_once(server: ApiServer) -> None:
    loaded: list[str] = []

    async def loads() -> Any:
        loaded.append("fresh" if loaded else "stale")
        return await load(ClusterLogin(kube_config=server.kubeconfig(loaded[-1])), conn_id="k8s")

    server.objects[f"{MAPS}/a"] = {"metadata": {"name": "a"}}
    async with ClusterClient(loads) as client:
        await asyncio.gather(*(client.get(f"{MAPS}/a") for _ in range(20)))

    assert loaded == ["stale", "fresh"]


@pytest.mark.parametrize(
    "fault", [pytest.param("gone", id="deleted"), pytest.param("hangs", id="Airflow hangs")]
)
async def test_a_connection_that_cannot_be_read_again_serves_as_it_was(
    server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    file = tmp_path / "config"
    file.write_text(json.dumps(server.kubeconfig("stale")))
    readings: list[str] = []

    async def read_connection(conn_id: str) -> tuple[None, dict[str, str]]:
        readings.append(conn_id)
        if len(readings) > 1 and fault == "gone":
            raise ConnectionFaultError("there is none of this name")
        if len(readings) > 1:
            await asyncio.Event().wait()
        return None, {"kube_config_path": str(file)}

    monkeypatch.setattr(cluster, "read_connection", read_connection)
    monkeypatch.setattr(cluster, "CONNECTION_S", 0.05)
    server.objects[MAPS] = {"metadata": {}, "items": []}

    async with ClusterHook("k8s").client() as client:
        file.write_text(json.dumps(server.kubeconfig("fresh")))
        found = await client.get(MAPS)

    assert found["items"] == []
    assert readings == ["k8s", "k8s"]


async def test_credentials_that_cannot_be_read_again_leave_an_error_worth_a_retry(server: ApiServer) -> None:
    loads = iter([load(ClusterLogin(kube_config=server.kubeconfig("stale")), conn_id="k8s")])

    async def once() -> Any:
        for loading in loads:
            return await loading
        raise ConnectionFaultError("kube_config_path '/k' is no file on this machine.")

    async with ClusterClient(once) as client:
        with pytest.raises(ClusterUnauthorizedError, match="'/k' is no file"):
            await client.get(MAPS)
