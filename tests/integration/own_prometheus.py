"""A Prometheus of the test's own beside the stack's: killed, paused and emptied, it is taken from nobody."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from tests.stack import packages, probes, prometheus
from tests.stack.errors import NotReadyError
from tests.stack.processes import system_binary, wait_until


class OwnPrometheus:
    """
    Debian's, on a free port. ``close`` at the end.

    :param config: None: it scrapes what the stack's scrapes, as often.
    """

    def __init__(self, home: Path, config: Mapping[str, Any] | None = None) -> None:
        packages.install(["prometheus"])
        self.home = home
        home.mkdir(parents=True)
        wanted = prometheus.scrape_config() if config is None else dict(config)
        (home / "prometheus.yml").write_text(yaml.safe_dump(wanted, sort_keys=False))
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Have it serving."""
        argv = [
            system_binary("prometheus"), f"--config.file={self.home / 'prometheus.yml'}",
            f"--storage.tsdb.path={self.home / 'data'}", f"--web.listen-address=127.0.0.1:{self.port}",
            "--log.level=warn",
        ]  # fmt: skip
        with (self.home / "log").open("ab") as log:
            self._process = subprocess.Popen(argv, stdout=log, stderr=log)
        wait_until(self._ready, timeout_s=60, what=f"the test's own Prometheus (log: {self.home / 'log'})")

    def kill(self) -> None:
        """End it without a farewell."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def restart_empty(self) -> None:
        """Kill it, take all that it knew, and start it again."""
        self.kill()
        shutil.rmtree(self.home / "data")
        self.start()

    def pause(self) -> None:
        """Stop it where it is: its sockets stay open, and nobody answers."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def close(self) -> None:
        """End it, paused or not."""
        if self._process is not None and self._process.poll() is None:
            self.kill()

    def knows(self, query: str) -> bool:
        """Whether a query matches anything now."""
        status, body = probes.get(f"{self.url}/api/v1/query?{query}")
        return status == 200 and b'"result":[{' in body

    def _ready(self) -> None:
        assert self._process is not None
        assert self._process.poll() is None, (self.home / "log").read_text()[-2000:]
        status, body = probes.get(f"{self.url}/-/ready")
        if status != 200:
            raise NotReadyError(f"/-/ready gave {status}: {body[:200]!r}")
