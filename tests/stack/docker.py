"""A Docker engine of the stack's own: its images, its containers and its socket are nobody else's."""

from __future__ import annotations

import json

from tests.stack import settings
from tests.stack.files import write_if_changed
from tests.stack.processes import Program, ensure, program, running, stop, system_binary

NAMES = ("docker",)


def up() -> None:
    """Have dockerd serving on its unix socket."""
    if running("docker") is None:
        stop("docker")  # the containerd that a killed dockerd may have left
        _forget_pids()
    ensure(docker())


def _forget_pids() -> None:
    """Dockerd believes its pid files, also when the process is a zombie that nobody has reaped yet."""
    folder = settings.state_dir() / "docker"
    for path in (folder / "dockerd.pid", folder / "run" / "containerd" / "containerd.pid"):
        path.unlink(missing_ok=True)


def docker() -> Program:
    folder = settings.state_dir() / "docker"
    folder.mkdir(parents=True, exist_ok=True)
    config = json.dumps(
        {"log-level": "warn", "shutdown-timeout": 2}
    )  # a file of ours, not the machine's daemon.json
    write_if_changed(folder / "daemon.json", config)
    argv = (
        system_binary("dockerd"),
        f"--config-file={folder / 'daemon.json'}",
        f"--host={settings.docker_host()}",
        f"--data-root={folder / 'data'}",
        f"--exec-root={folder / 'run'}",
        f"--pidfile={folder / 'dockerd.pid'}",
    )
    return program("docker", argv, config=config)
