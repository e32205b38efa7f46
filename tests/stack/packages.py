"""Debian packages that the stack runs; installed only where missing, without starting a service."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.stack import settings
from tests.stack.errors import StackError
from tests.stack.lock import one_at_a_time
from tests.stack.progress import timed

NEEDED = (
    "etcd-server",
    "containerd",
    "containernetworking-plugins",
    "iproute2",
    "iptables",
    "conntrack",
    "docker.io",
    "docker-registry",
    "prometheus",
)
_POLICY = Path("/usr/sbin/policy-rc.d")


def missing(needed: Sequence[str] = NEEDED) -> list[str]:
    """Names of the packages that are not installed."""
    query = ["dpkg-query", "-W", "-f", "${Package} ${db:Status-Status}\n", *needed]
    found = subprocess.run(query, capture_output=True, text=True, check=False).stdout
    installed = {
        name
        for name, _, status in (line.partition(" ") for line in found.splitlines())
        if status == "installed"
    }
    return [name for name in needed if name not in installed]


def install(needed: Sequence[str] = NEEDED) -> None:
    """
    Install what is missing of ``needed``. None of their services is started; they stay after ``down``.

    Several processes may ask at once: one installs, the others wait for it.
    """
    if not missing(needed):
        return
    with one_at_a_time("packages"):
        if not (wanted := missing(needed)):
            return
        with timed("packages", f"installing {' '.join(wanted)}"), _no_service_starts():
            _apt("update", "-q")
            _apt("install", "-q", "-y", "--no-install-recommends", *wanted)


@contextmanager
def _no_service_starts() -> Iterator[None]:
    kept = _POLICY.with_suffix(".cd-provider-kept")
    if _POLICY.exists() and not kept.exists():
        shutil.move(_POLICY, kept)
    _POLICY.write_text("#!/bin/sh\nexit 101\n")
    _POLICY.chmod(0o755)
    try:
        yield
    finally:
        _POLICY.unlink(missing_ok=True)
        if kept.exists():
            shutil.move(kept, _POLICY)


def _apt(*args: str) -> None:
    log = settings.cache_dir() / "packages.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    env = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    with log.open("a") as output:
        done = subprocess.run(["apt-get", *args], env=env, stdout=output, stderr=output, check=False)
    if done.returncode:
        raise StackError(f"`apt-get {' '.join(args)}` failed: {log.read_text()[-1500:]}")
