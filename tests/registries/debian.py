"""Debian's docker-registry on a free port: open, with a password file, or with a token service."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.stack import packages

LOGIN, PASSWORD = "robot", "a:pass word"
# bcrypt of PASSWORD, since the registry takes no other kind.
_PASSWORD_FILE = f"{LOGIN}:$2b$05$hiLwwq0JJSgoL2i7Qf6XRO4kIRG2G6SnRoDzzNgLaE0Ldhjkr5vw.\n"


@contextmanager
def debian_registry(folder: Path, *, auth: Mapping[str, Any] | None = None) -> Iterator[str]:
    """
    Run one, and give its ``host:port``.

    :param auth: the ``auth`` part of its configuration.
    """
    packages.install(["docker-registry"])
    with socket.create_server(("127.0.0.1", 0)) as free:
        host = f"127.0.0.1:{free.getsockname()[1]}"
    config: dict[str, Any] = {
        "version": "0.1",
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host},
        **({"auth": auth} if auth else {}),
    }
    (folder / "config.yml").write_text(json.dumps(config))  # JSON is YAML
    log = (folder / "log").open("wb")
    with (
        log,
        subprocess.Popen(
            ["docker-registry", "serve", str(folder / "config.yml")], stdout=log, stderr=log
        ) as process,
    ):
        try:
            _wait_until_it_answers(host, process, folder / "log")
            yield host
        finally:
            process.terminate()


def password_file(folder: Path) -> Mapping[str, Any]:
    """Have the registry ask for LOGIN and PASSWORD by basic authentication."""
    path = folder / "htpasswd"
    path.write_text(_PASSWORD_FILE)
    return {"htpasswd": {"realm": "Registry", "path": str(path)}}


def _wait_until_it_answers(host: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline, pause = time.monotonic() + 30, threading.Event()
    while process.poll() is None and time.monotonic() < deadline:
        try:
            httpx.get(f"http://{host}/v2/")
        except httpx.TransportError:
            pause.wait(0.05)
        else:
            return
    raise AssertionError(f"docker-registry did not start: {log.read_text()}")
