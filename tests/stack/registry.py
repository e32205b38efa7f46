"""Debian's docker-registry: anonymous, plain http, loopback only, deletion allowed."""

from __future__ import annotations

import yaml

from tests.stack import settings
from tests.stack.files import write_if_changed
from tests.stack.processes import Program, ensure, program, system_binary

NAMES = ("registry",)


def up() -> None:
    """Have the registry serving on 127.0.0.1:5000."""
    ensure(registry())


def registry() -> Program:
    folder = settings.state_dir() / "registry"
    (folder / "data").mkdir(parents=True, exist_ok=True)
    config = yaml.safe_dump(
        {
            "version": 0.1,
            "log": {"level": "warn", "accesslog": {"disabled": True}},
            "storage": {
                "filesystem": {"rootdirectory": str(folder / "data")},
                "delete": {"enabled": True},
                "cache": {"blobdescriptor": "inmemory"},
            },
            "http": {"addr": settings.REGISTRY},
        }
    )
    write_if_changed(folder / "config.yml", config)
    argv = (system_binary("docker-registry"), "serve", str(folder / "config.yml"))
    return program("registry", argv, config=config)
