"""Debian's PostgreSQL on a private folder and port."""

from __future__ import annotations

import hashlib
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
from pathlib import Path
from typing import Self

import psycopg2

from tests.stack import packages
from tests.stack.airflow_settings import free_port, remembered
from tests.stack.errors import StackError
from tests.stack.session_process import SessionProcess, wait_until

UNPRIVILEGED = "postgres"
PACKAGE = "postgresql"


class Postgres:
    """
    Start and stop one server that only this machine's loopback reaches; nothing in it survives a power cut.

    :param folder: its data and log. Root may not run it, the user ``postgres`` does; where that user cannot
        reach the folder, the data lie in the folder for temporary files.
    :param port: on 127.0.0.1; 0 picks a free one, once for each folder.
    """

    def __init__(self, *, folder: Path, port: int = 0) -> None:
        self.folder = folder.resolve()
        self.port = port or int(remembered(self.folder / "port.json", {"port": str(free_port())})["port"])
        self.user = UNPRIVILEGED if os.getuid() == 0 else None
        self.data = (
            self.folder / "data" if self.user is None or reachable(self.folder) else elsewhere(self.folder)
        )
        arguments = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",  # paths may be longer than a socket's name may be
            "fsync": "off",  # but each commit is written: kill -9 may lose none
            "full_page_writes": "off",
            "max_connections": "200",
            "shared_buffers": "64MB",
        }
        options = [f"--{name.replace('_', '-')}={value}" for name, value in arguments.items()]
        self.process = SessionProcess(
            name="postgres",
            folder=self.folder,
            argv=[binary("postgres"), "-D", str(self.data), *options],
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"},
            cwd=Path("/"),
            user=self.user,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self, *, timeout_s: float = 30.0) -> None:
        """Make the data folder if there is none, run the server, come back when it answers."""
        if not (self.data / "PG_VERSION").exists():
            self._make_data()
        if not self.process.alive:
            (self.data / "postmaster.pid").unlink(missing_ok=True)  # left by one that was killed
        self.process.start()
        answers = wait_until(self.answers, timeout_s=timeout_s)
        if not answers:
            raise StackError(f"PostgreSQL does not answer after {timeout_s:g} s:\n{self.process.tail()}")

    def stop(self) -> None:
        """End it; sessions of others are cut."""
        if pid := self.process.pid:
            os.kill(pid, signal.SIGINT)  # its fast shutdown; SIGTERM would wait for all sessions
            wait_until(lambda: not self.process.alive, timeout_s=10)
        self.process.stop(grace_s=2)

    def remove(self) -> None:
        """End it and delete its data."""
        self.stop()
        for folder in (self.data, self.folder):
            shutil.rmtree(folder, ignore_errors=True)

    def answers(self) -> bool:
        """Whether it lives and takes a connection now."""
        if not self.process.alive:
            return False
        try:
            psycopg2.connect(self._dsn("postgres"), connect_timeout=2).close()
        except psycopg2.OperationalError:
            return False
        return True

    def database(self, name: str) -> str:
        """Give the SQLAlchemy address of a database; it is made when it is missing and the server runs."""
        if self.process.alive:
            self._create(name)
        return f"postgresql+psycopg2://{UNPRIVILEGED}@127.0.0.1:{self.port}/{name}"

    def _create(self, name: str) -> None:
        connection = psycopg2.connect(self._dsn("postgres"), connect_timeout=5)
        try:
            connection.autocommit = True  # CREATE DATABASE runs in no transaction
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,))
                if cursor.fetchone() is None:
                    cursor.execute(f'CREATE DATABASE "{name}"')
        finally:
            connection.close()

    def _dsn(self, name: str) -> str:
        return f"host=127.0.0.1 port={self.port} user={UNPRIVILEGED} dbname={name}"

    def _make_data(self) -> None:
        self.data.mkdir(parents=True, exist_ok=True)
        as_user: list[str] = []
        if self.user:
            entry = pwd.getpwnam(self.user)
            os.chown(self.data, entry.pw_uid, entry.pw_gid)
            as_user = ["setpriv", f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
        command = [
            binary("initdb"),
            "-D",
            str(self.data),
            "-U",
            UNPRIVILEGED,
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
        ]
        env = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [*as_user, *command], check=False, env=env, cwd="/", capture_output=True, text=True, timeout=120
        )
        if done.returncode:
            shutil.rmtree(self.data)
            raise StackError(f"initdb gave {done.returncode}: {done.stderr[-2000:]}")


def reachable(folder: Path) -> bool:
    """Whether any user may walk to ``folder``."""
    existing = [parent for parent in (folder, *folder.parents) if parent.exists()]
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in existing)


def elsewhere(folder: Path) -> Path:
    """A folder for temporary files that belongs to ``folder``, the same each time."""
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"cd-provider-postgres-{name}"


def binary(name: str) -> str:
    """Find a program of PostgreSQL, whose package is installed when it is missing."""
    if not _binaries(name):
        packages.install([PACKAGE])
    if not (found := _binaries(name)):
        raise StackError(
            f"PostgreSQL's {name} is not in /usr/lib/postgresql/*/bin, although {PACKAGE} is installed."
        )
    return str(found[-1])


def _binaries(name: str) -> list[Path]:
    """Debian keeps them beside the path, a folder for each version; the newest last."""
    return sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3]))
