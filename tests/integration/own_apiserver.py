"""A kube-apiserver and an etcd of the test's own: it may be killed without taking the shared cluster from anybody."""

from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.stack import packages
from tests.stack.build import binary
from tests.stack.processes import system_binary

TOKEN = "of-the-test-alone"
READY_S = 90.0


class OwnApiServer:
    """An API server without nodes. ``kill`` and ``start`` as often as a test wants; ``close`` at the end."""

    def __init__(self, home: Path) -> None:
        self.home = home
        packages.install(["etcd-server"])
        self.port, etcd, peer = _free_ports(3)
        self._apiserver: subprocess.Popen[bytes] | None = None
        self._write_keys()
        self._etcd = self._run("etcd", _etcd(home, etcd, peer))
        self._etcd_port = etcd
        self.start()

    def start(self) -> None:
        """Have it serving."""
        self._apiserver = self._run("kube-apiserver", self._arguments())
        deadline = time.monotonic() + READY_S
        while not self._ready():
            log = self.home / "kube-apiserver.log"
            assert self._apiserver.poll() is None, f"the API server ended:\n{log.read_text()[-2000:]}"
            assert time.monotonic() < deadline, f"not ready in {READY_S:g} s:\n{log.read_text()[-2000:]}"
            time.sleep(0.1)

    def kill(self) -> None:
        """End it without a farewell, as a machine that loses its power does."""
        assert self._apiserver is not None
        self._apiserver.kill()
        self._apiserver.wait()

    def close(self) -> None:
        """End both."""
        self.kill()
        self._etcd.send_signal(signal.SIGKILL)
        self._etcd.wait()

    def kubeconfig(self, token: str = TOKEN) -> dict[str, Any]:
        """Give a kubeconfig for its administrator."""
        cluster = {
            "server": f"https://127.0.0.1:{self.port}",
            "certificate-authority": str(self.home / "apiserver.crt"),
        }
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "own",
            "contexts": [{"name": "own", "context": {"cluster": "own", "user": "admin"}}],
            "clusters": [{"name": "own", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": token}}],
        }

    def _write_keys(self) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.TraditionalOpenSSL,
            serialization.NoEncryption(),
        )
        (self.home / "accounts.key").write_bytes(private)
        (self.home / "tokens.csv").write_text(f"{TOKEN},admin,admin,system:masters\n")

    def _arguments(self) -> Sequence[str]:
        key = self.home / "accounts.key"
        return (
            str(binary("kube")),
            "kube-apiserver",
            f"--etcd-servers=http://127.0.0.1:{self._etcd_port}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            "--endpoint-reconciler-type=none",
            f"--secure-port={self.port}",
            f"--cert-dir={self.home}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.97.0.0/24",
            f"--token-auth-file={self.home / 'tokens.csv'}",
            "--service-account-issuer=https://own.example",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
        )

    def _run(self, name: str, arguments: Sequence[str]) -> subprocess.Popen[bytes]:
        with (self.home / f"{name}.log").open("ab") as log:
            return subprocess.Popen(arguments, stdout=log, stderr=log, start_new_session=True)

    def _ready(self) -> bool:
        request = urllib.request.Request(
            f"https://127.0.0.1:{self.port}/readyz", headers={"Authorization": f"Bearer {TOKEN}"}
        )
        try:
            trust = ssl.create_default_context(cafile=str(self.home / "apiserver.crt"))
            with urllib.request.urlopen(request, timeout=2, context=trust) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False


def _etcd(home: Path, port: int, peer: int) -> Sequence[str]:
    return (
        system_binary("etcd"),
        f"--data-dir={home / 'etcd'}",
        f"--listen-client-urls=http://127.0.0.1:{port}",
        f"--advertise-client-urls=http://127.0.0.1:{port}",
        f"--listen-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-advertise-peer-urls=http://127.0.0.1:{peer}",
        f"--initial-cluster=default=http://127.0.0.1:{peer}",
        "--unsafe-no-fsync",
    )


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports
