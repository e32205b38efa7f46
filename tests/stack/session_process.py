"""One program of the stack: in a session of its own, found again after this process is gone."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from tests.stack.errors import StackError

BOOT_ID = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


@dataclass(frozen=True, kw_only=True)
class ProcStat:
    """The part of ``/proc/<pid>/stat`` that is needed here; ``started`` counts clock ticks since boot."""

    pid: int
    state: str
    parent: int
    session: int
    started: int


def read_stat(pid: int) -> ProcStat | None:
    """Read one process; None when it does not exist (any more)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()  # the name in parentheses may hold blanks
    return ProcStat(
        pid=pid, state=fields[0], parent=int(fields[1]), session=int(fields[3]), started=int(fields[19])
    )


def lives(seen: ProcStat) -> bool:
    """Whether a process that was seen once lives still; its number may be somebody else's by now."""
    stat = read_stat(seen.pid)
    return stat is not None and stat.state != "Z" and stat.started == seen.started


def all_stats() -> list[ProcStat]:
    """Read every process that lives now; zombies are left out, they only wait for their parent."""
    stats = (read_stat(int(name)) for name in os.listdir("/proc") if name.isdigit())
    return [stat for stat in stats if stat is not None and stat.state != "Z"]


def command_line(pid: int) -> str:
    """Give the title or arguments of a process, blanks between; "" when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait_until(true: Callable[[], bool], *, timeout_s: float, every_s: float = 0.05) -> bool:
    """Ask until the answer is yes; False when it was still no after ``timeout_s``."""
    deadline = time.monotonic() + timeout_s
    while not true():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True


class SessionProcess:
    """
    Start, stop, kill and pause one program together with everything that it started.

    :param name: its name in messages, and of its files ``<folder>/<name>.json`` and ``<folder>/<name>.log``.
    :param folder: where these files lie; a later process that gives the same name and folder finds it again.
    :param argv: program and arguments. :param env: its whole environment. :param cwd: its working folder.
    :param user: run as this user (name known to ``setpriv``); None keeps ours.
    """

    def __init__(
        self,
        *,
        name: str,
        folder: Path,
        argv: Sequence[str],
        env: Mapping[str, str],
        cwd: Path,
        user: str | None = None,
    ) -> None:
        self.name, self.folder, self.cwd = name, folder, cwd
        as_user = ["setpriv", f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        self.argv, self.env = [*as_user, *argv], dict(env)
        self.log, self.record = folder / f"{name}.log", folder / f"{name}.json"

    def start(self) -> None:
        """Have it run with exactly these arguments: one that does so already is kept, another is replaced."""
        if self.alive:
            if self._recorded().get("digest") == self._digest():
                return
            self.stop()
        self.kill(signal.SIGKILL)  # children of one that died
        self.folder.mkdir(parents=True, exist_ok=True)
        pid = self._spawn()
        stat = read_stat(pid)
        content = {
            "pid": pid,
            "started": stat.started if stat else 0,
            "boot": BOOT_ID,
            "digest": self._digest(),
        }
        self.record.write_text(json.dumps(content))

    def _spawn(self) -> int:
        """Not by ``subprocess``, whose objects want to outlive their process; this one may outlive us."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        return os.posix_spawnp(
            "env",
            ["env", "-C", str(self.cwd), *self.argv],
            self.env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_OPEN, 1, str(self.log), flags, 0o644),
                (os.POSIX_SPAWN_DUP2, 1, 2),
            ],
            setsid=True,
        )

    @property
    def pid(self) -> int | None:
        """The process that was started, while it lives."""
        pid, started = self._identity()
        stat = read_stat(pid) if pid else None
        return pid if stat and stat.started == started and stat.state != "Z" else None

    @property
    def alive(self) -> bool:
        """Whether the process that was started lives; a paused one does."""
        self._reap()
        return self.pid is not None

    def pids(self) -> list[int]:
        """All of it that lives: its session, and children of the session in sessions of their own."""
        return [stat.pid for stat in self._members()]

    def _members(self) -> list[ProcStat]:
        root, started = self._identity()
        if not root:
            return []
        leader = read_stat(root)
        if leader and leader.started != started:
            return []  # the number belongs to somebody else now
        stats = all_stats()
        found = {s.pid for s in stats if s.session == root and s.started >= started}
        while more := {s.pid for s in stats if s.parent in found and s.pid not in found}:
            found |= more
        return [stat for stat in stats if stat.pid in found]

    def kill(self, sig: int = signal.SIGKILL, *, timeout_s: float = 10.0) -> None:
        """Send ``sig`` to all of it; after SIGKILL, come back only when none of it lives."""
        members = self._members()
        send((stat.pid for stat in members), sig)
        if sig == signal.SIGKILL:
            self._finish(members, timeout_s)

    def stop(self, *, grace_s: float = 10.0) -> None:
        """Ask it to end (SIGTERM to the first process alone), and kill what is left after ``grace_s``."""
        members = self._members()  # now, since one that loses its parent is found no more by its session
        self.terminate()
        wait_until(lambda: not self.alive, timeout_s=grace_s)
        self._finish(members, 10.0)
        self.record.unlink(missing_ok=True)

    def _finish(self, members: list[ProcStat], timeout_s: float) -> None:
        """Kill these and all others of it, until none lives."""
        deadline = time.monotonic() + timeout_s
        while left := {stat.pid for stat in members if lives(stat)} | set(self.pids()):
            send(left, signal.SIGKILL)
            self._reap()
            if time.monotonic() > deadline:
                raise StackError(f"{self.name}: processes {sorted(left)} outlive SIGKILL by {timeout_s:g} s")
            time.sleep(0.02)

    def terminate(self) -> None:
        """Send SIGTERM to the first process and return at once; a paused one is woken to receive it."""
        if pid := self.pid:
            send([pid], signal.SIGTERM)
            self.kill(signal.SIGCONT)

    def pause(self) -> None:
        """Freeze all of it (SIGSTOP): sockets stay open and nothing answers."""
        self.kill(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a paused one go on."""
        self.kill(signal.SIGCONT)

    def tail(self, lines: int = 30) -> str:
        """The end of what it wrote."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join(text.splitlines()[-lines:])

    def _recorded(self) -> dict[str, str]:
        try:
            content: dict[str, str] = json.loads(self.record.read_text())
        except (FileNotFoundError, ValueError):
            return {}
        return content if content.get("boot") == BOOT_ID else {}

    def _identity(self) -> tuple[int, int]:
        recorded = self._recorded()
        return int(recorded.get("pid", 0)), int(recorded.get("started", 0))

    def _digest(self) -> str:
        content = [self.argv, sorted(self.env.items()), str(self.cwd)]
        return hashlib.sha256(json.dumps(content).encode()).hexdigest()

    def _reap(self) -> None:
        pid, _ = self._identity()
        if pid:
            with suppress(ChildProcessError):  # started by a process before us
                os.waitpid(pid, os.WNOHANG)


def send(pids: Iterable[int], sig: int) -> None:
    """Send a signal to each process that still exists."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, sig)
