from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from cd_provider.exceptions import ConnectionFaultError, EngineUnavailableError
from cd_provider.hooks.docker import DockerEngineHook, EngineSettings


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Any:
    def add(host: str, port: int | None = None, **extra: Any) -> None:
        told = {"conn_type": "docker_engine", "host": host, "port": port, "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_ENGINE", json.dumps(told))

    return add


async def settings() -> EngineSettings:
    return await DockerEngineHook("engine").settings()


ADDRESSES = [
    pytest.param("unix:///var/run/docker.sock", None, "unix:///var/run/docker.sock", id="socket"),
    pytest.param("tcp://127.0.0.1", None, "tcp://127.0.0.1:2375", id="loopback"),
    pytest.param("tcp://localhost:1234", None, "tcp://localhost:1234", id="port-in-the-host"),
    pytest.param("tcp://[::1]", 1234, "tcp://[::1]:1234", id="port-in-its-field"),
]


@pytest.mark.parametrize(("host", "port", "url"), ADDRESSES)
async def test_an_address_is_read(connect: Any, host: str, port: int | None, url: str) -> None:
    connect(host, port)

    assert await settings() == EngineSettings(url)


async def test_files_of_tls_are_read(connect: Any, tmp_path: Path) -> None:
    files = {name: tmp_path / name for name in ("ca_file", "cert_file", "key_file")}
    for path in files.values():
        path.write_text("pem")
    connect("tcp://engine.example", **{name: str(path) for name, path in files.items()})

    found = await settings()

    assert found.url == "tcp://engine.example:2376"
    assert found.files == tuple(str(path) for path in files.values())


REFUSED = [
    pytest.param("", {}, "its host is empty", id="empty"),
    pytest.param("/var/run/docker.sock", {}, "its host is no address of an engine", id="path"),
    pytest.param("ssh://me@engine", {}, "expected unix:///var/run/docker.sock, or tcp://host", id="ssh"),
    pytest.param("tcp://me:s3cret@engine", {}, "its host is no address", id="password-in-the-host"),
    pytest.param("tcp://127.0.0.1:99999", {}, "its host is no address", id="port"),
    pytest.param("tcp://engine.example", {}, "tcp without TLS", id="plain"),
    pytest.param("tcp://engine.example", {"allow_plain": "maybe"}, "allow_plain is 'maybe'", id="maybe"),
    pytest.param("tcp://engine.example", {"cert_file": "/x"}, "cert_file and key_file together", id="no-key"),
    pytest.param("tcp://engine.example", {"ca_file": "/nowhere"}, "'/nowhere' is no file", id="no-file"),
    pytest.param("unix:///run/docker.sock", {"tls": True}, "unknown extra 'tls'", id="extra"),
]


@pytest.mark.parametrize(("host", "extra", "message"), REFUSED)
async def test_it_refuses(connect: Any, host: str, extra: dict[str, Any], message: str) -> None:
    connect(host, **extra)

    with pytest.raises(ConnectionFaultError, match=message) as raised:
        await settings()

    assert "s3cret" not in str(raised.value)


async def test_plain_tcp_has_to_be_asked_for(connect: Any) -> None:
    connect("tcp://engine.example", allow_plain=True)

    assert (await settings()).url == "tcp://engine.example:2375"


async def test_a_missing_connection_is_named() -> None:
    with pytest.raises(ConnectionFaultError, match="'nobody-made-this'"):
        await DockerEngineHook("nobody-made-this").settings()


def test_an_engine_that_is_not_there_is_said_so(connect: Any) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    connect("tcp://127.0.0.1", port)

    good, said = DockerEngineHook("engine").test_connection()

    assert not good
    assert f"Docker engine at tcp://127.0.0.1:{port} does not answer" in said
    with (
        pytest.raises(EngineUnavailableError, match="does not answer"),
        EngineSettings(f"tcp://127.0.0.1:{port}").open(),
    ):
        pass
