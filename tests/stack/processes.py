"""
The processes of the stack: each in its own session, with a log file and a pid file.

A pid file holds the pid *and* the start time of its process, so that a pid that was given to somebody else
meanwhile is never signalled. Every process carries two environment variables that name the stack and the
part, so that one whose pid file was never written (killed between start and write) is found as well.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.stack import health, settings
from tests.stack.errors import NotReadyError, StackError
from tests.stack.progress import say


@dataclass(frozen=True)
class Program:
    """
    One long-running program.

    :param ready: returns once the program serves, raises ``NotReadyError`` until then.
    :param config: what its configuration files say; when it changes, the program is restarted.
    """

    name: str
    argv: tuple[str, ...]
    ready: Callable[[], None]
    env: Mapping[str, str] = field(default_factory=dict)
    config: str = ""
    timeout_s: float = 60

    @property
    def fingerprint(self) -> str:
        said = json.dumps([self.argv, sorted(self.env.items()), self.config])
        return hashlib.sha256(said.encode()).hexdigest()[:16]


def program(
    name: str, argv: tuple[str, ...], *, config: str = "", env: Mapping[str, str] | None = None
) -> Program:
    """A program of the stack itself, whose check stands in ``health``."""
    return Program(name, argv, lambda: health.check(name), config=config, env=env or {})


def system_binary(name: str) -> str:
    """Path of a program that a Debian package brought."""
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise StackError(f"{name} is not installed in /usr/bin or /usr/sbin, although its package is.")
    return path


@dataclass(frozen=True)
class Running:
    """A started program. ``start`` is in clock ticks since boot, ``since`` in epoch seconds."""

    name: str
    pid: int
    start: int
    fingerprint: str
    since: float

    @property
    def alive(self) -> bool:
        return start_time(self.pid) == self.start


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when there is none or it is a zombie."""
    with suppress(OSError, IndexError, ValueError):
        with suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else int(fields[19])
    return None


def running(name: str) -> Running | None:
    """The live process of a part; None when it was never started or has ended."""
    return running_in(settings.state_dir(), name)


def running_in(state_dir: Path, name: str) -> Running | None:
    """The live process of a part of the stack in ``state_dir``."""
    with suppress(OSError, ValueError, TypeError):
        found = Running(**json.loads((state_dir / "pids" / f"{name}.json").read_text()))
        return found if found.alive else None
    return None


def all_running() -> list[Running]:
    """Every live process of the stack, oldest first."""
    names = [path.stem for path in (settings.state_dir() / "pids").glob("*.json")]
    return sorted(filter(None, map(running, names)), key=lambda process: process.since)


def ensure(*programs: Program) -> None:
    """Have all of ``programs`` serving with their present configuration; start only what is not."""
    began = time.monotonic()
    started = [program.name for program in programs if _start_unless_running(program)]
    for program in programs:
        _wait_or_restart(program, fresh=program.name in started)
    if started:
        say(f"{', '.join(started)} ready in {time.monotonic() - began:.1f} s")


def wait_until(check: Callable[[], None], *, timeout_s: float, what: str) -> None:
    """Call ``check`` until it raises no ``NotReadyError``; when out of time, ``StackError`` with it."""
    deadline = time.monotonic() + timeout_s
    while True:
        try:
            return check()
        except NotReadyError as err:
            if time.monotonic() > deadline:
                raise StackError(f"{what} was not ready within {timeout_s:g} s: {err}") from err
        time.sleep(0.05)


def stop(name: str, *, grace_s: float = 5) -> bool:
    """End a part and wait until it is gone; False when it was not running. Its children are not touched."""
    stopped = False
    process = running(name)
    pids = [process.pid] if process else list(strays(name))
    for pid in pids:
        _end(pid, grace_s)
        stopped = True
    _pid_file(name).unlink(missing_ok=True)
    return stopped


def log_file(name: str) -> Path:
    path = settings.state_dir() / "logs" / f"{name}.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def log_tail(name: str, lines: int = 8) -> str:
    with suppress(OSError):
        return "\n".join(log_file(name).read_text(errors="replace").splitlines()[-lines:])
    return ""


def _start_unless_running(program: Program) -> bool:
    found = running(program.name)
    if found and found.fingerprint == program.fingerprint:
        return False
    if found:
        say(f"{program.name} is restarted: its configuration changed")
    stop(program.name)
    _start(program)
    return True


def _wait_or_restart(program: Program, *, fresh: bool) -> None:
    """Wait for a program; one that runs but does not serve any more is restarted once."""
    timeout_s = program.timeout_s if fresh else min(10, program.timeout_s)
    try:
        _wait(program, timeout_s)
    except StackError as err:
        if fresh:
            raise
        say(f"{program.name} is restarted: {err}")
        stop(program.name)
        _start(program)
        _wait(program, program.timeout_s)


def _wait(program: Program, timeout_s: float) -> None:
    def check() -> None:
        if running(program.name) is None:
            raise StackError(
                f"{program.name} ended right after its start. Its log ({log_file(program.name)}) ends with:\n"
                f"{log_tail(program.name)}"
            )
        program.ready()

    wait_until(check, timeout_s=timeout_s, what=f"{program.name} (log: {log_file(program.name)})")


def _start(program: Program) -> None:
    log = os.open(log_file(program.name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    try:
        pid = os.posix_spawn(
            program.argv[0],
            program.argv,
            dict(os.environ) | dict(program.env) | _marks(program.name),
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, log, 1),
                (os.POSIX_SPAWN_DUP2, log, 2),
            ],
            setsid=True,
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # Python ignores these two
        )
    finally:
        os.close(log)
    _write_pid_file(program, pid)


def _write_pid_file(program: Program, pid: int) -> None:
    began = start_time(pid)
    record = Running(program.name, pid, began or 0, program.fingerprint, time.time())
    path = _pid_file(program.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(asdict(record)))
    unfinished.rename(path)


def _pid_file(name: str) -> Path:
    return settings.state_dir() / "pids" / f"{name}.json"


def _marks(name: str) -> dict[str, str]:
    return {"CD_STACK_PART": name, "CD_STACK_OWNER": str(settings.state_dir())}


def strays(name: str) -> Iterator[int]:
    """Session leaders that carry this part's marks: started by us, but without a pid file."""
    wanted = {f"{key}={value}".encode() for key, value in _marks(name).items()}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        with suppress(OSError):
            marked = wanted <= set((folder / "environ").read_bytes().split(b"\0"))
            # Shims, which containerd leaves running on purpose, inherit its environment.
            if marked and os.getsid(pid) == pid and b"shim" not in (folder / "cmdline").read_bytes():
                yield pid


def _end(pid: int, grace_s: float) -> None:
    began = start_time(pid)
    for number, wait_s in ((signal.SIGTERM, grace_s), (signal.SIGKILL, 5.0)):
        deadline = time.monotonic() + wait_s
        with suppress(ProcessLookupError):
            if began is not None and start_time(pid) == began:
                os.kill(pid, number)
        while began is not None and start_time(pid) == began:
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return
