"""A smoke run: how an image is tried out before anybody uses it, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from cd_provider.core.names import PREFIX
from cd_provider.core.release import check_keys
from cd_provider.core.units import from_json, number, seconds, size_bytes, whole
from cd_provider.exceptions import ArgumentError

TASK = PREFIX + "task"  # label: which task of the delivery made it
LEAST_MEMORY = 6 * 1024**2  # what the engine takes
LINES, LINE_LENGTH = 20, 300
WHERE = ("docker_conn_id", "registry_conn_id", "pull_timeout_s")


def smoke(
    *,
    docker_conn_id: str | None = None,
    registry_conn_id: str | None = None,
    command: str | Sequence[str] | None = None,
    entrypoint: str | Sequence[str] | None = None,
    environment: Mapping[str, str] | None = None,
    health: Mapping[str, Any] | None = None,
    timeout_s: float | str | None = None,
    pull_timeout_s: float | str | None = None,
    memory: str | int | None = None,
    cpus: float | str | None = None,
    pids: int | str | None = None,
    read_only: bool | None = None,
    tmpfs: Mapping[str, str] | None = None,
    user: str | None = None,
) -> dict[str, Any]:
    """Try the image out in a Docker engine first; the arguments are those of ``ImageSmokeOperator``."""
    return {name: value for name, value in locals().items() if value is not None}


def smoke_arguments(value: Any) -> dict[str, Any]:
    """
    Check what :func:`smoke` gives, or the same as JSON, and give it as the operator's arguments.

    :raises ArgumentError: an unknown key.
    """
    return dict(check_keys(value, name="smoke", needed=(), known=(*WHERE, *SmokeRun.__dataclass_fields__)))


@dataclass(frozen=True)
class Health:
    """Answers HTTP 200 on ``port``, or ends ``command`` (in the container) with 0, within ``within_s`` seconds."""

    within_s: float = 30.0
    port: int | None = None
    path: str = "/"
    command: tuple[str, ...] | None = None

    @classmethod
    def parse(cls, value: Any) -> Health:
        """
        Read ``{"port": 8080, "path": "/healthz", "within_s": 30}`` or ``{"command": ["/app", "ping"]}``.

        :raises ArgumentError: an unknown key, both ways or none, or a value out of range.
        """
        given = check_keys(value, name="health", needed=(), known=tuple(cls.__dataclass_fields__))
        if ("port" in given) == ("command" in given):
            raise ArgumentError(f"health: saw {dict(given)!r}, expected a port (and path), or a command.")
        path = given.get("path", "/")
        if not isinstance(path, str) or not path.startswith("/") or not path.isprintable() or " " in path:
            raise ArgumentError(f"health, path: saw {path!r}, expected such as '/healthz'.")
        return cls(
            within_s=seconds(given.get("within_s", 30), name="health, within_s", least=1),
            port=whole(given["port"], name="health, port", least=1, most=65535) if "port" in given else None,
            path=path,
            command=words(given["command"], name="health, command") if "command" in given else None,
        )


@dataclass(frozen=True)
class SmokeRun:
    """What is run, and within which limits."""

    command: tuple[str, ...] | None = None
    entrypoint: tuple[str, ...] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    health: Health | None = None
    timeout_s: float = 60.0
    memory: int = 256 * 1024**2  # bytes
    cpus: float = 0.5
    pids: int = 128
    read_only: bool = True
    tmpfs: Mapping[str, int] = field(default_factory=lambda: {"/tmp": 64 * 1024**2})  # path → bytes
    user: str | None = None

    @classmethod
    def parse(cls, value: Mapping[str, Any]) -> SmokeRun:
        """
        Read the operator's arguments, rendered; None means the default.

        :raises ArgumentError: an unknown key, or a value of wrong shape or range.
        """
        known = tuple(cls.__dataclass_fields__)
        given = check_keys(value, name="smoke", needed=(), known=known)
        return cls(**{name: _READERS[name](one) for name, one in given.items() if one is not None})

    @property
    def limit_s(self) -> float:
        """For how long the container may run."""
        return self.health.within_s if self.health else self.timeout_s


@dataclass(frozen=True)
class SmokeResult:
    """What came of it; ``fault`` is None when it did what was asked."""

    exit_code: int | None  # None: it was still running
    ran_s: float
    last_lines: tuple[str, ...] = ()
    fault: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON."""
        return {**asdict(self), "last_lines": list(self.last_lines), "ran_s": round(self.ran_s, 2)}


def words(value: Any, *, name: str) -> tuple[str, ...]:
    """
    Read a command: a list of words, or a text that is split at white space (quotes mean nothing).

    :raises ArgumentError: no words.
    """
    if isinstance(value, str):
        value = from_json(value, name=name) if value.lstrip().startswith("[") else value.split()
    if not isinstance(value, Sequence) or not value or not all(isinstance(one, str) for one in value):
        raise ArgumentError(f"{name}: saw {value!r}, expected words such as ['/app', '--check'].")
    return tuple(value)


def last_lines(raw: bytes) -> tuple[str, ...]:
    """Give the last lines of a log, bounded, without what a terminal would obey."""
    lines = raw.decode(errors="replace").splitlines()[-LINES:]
    shown = ("".join(sign if sign.isprintable() else " " for sign in line).rstrip() for line in lines)
    return tuple(line if len(line) <= LINE_LENGTH else line[:LINE_LENGTH] + "…" for line in shown)


def _environment(value: Any) -> dict[str, str]:
    given = from_json(value, name="environment")
    if not isinstance(given, Mapping) or not all(
        isinstance(name, str) and name and "=" not in name and isinstance(text, str)
        for name, text in given.items()
    ):
        # The values are not shown: they may be secrets.
        raise ArgumentError("environment: expected a mapping of names to texts.")
    return dict(given)


def _tmpfs(value: Any) -> dict[str, int]:
    given = from_json(value, name="tmpfs")
    if not isinstance(given, Mapping):
        raise ArgumentError(f"tmpfs: saw {given!r}, expected paths and sizes such as {{'/tmp': '64Mi'}}.")
    if wrong := [path for path in given if not str(path).startswith("/") or ":" in str(path)]:
        raise ArgumentError(f"tmpfs: saw the path {wrong[0]!r}, expected an absolute one.")
    return {path: size_bytes(size, name=f"tmpfs, {path}") for path, size in given.items()}


def _memory(value: Any) -> int:
    seen = size_bytes(value, name="memory")
    if seen < LEAST_MEMORY:
        raise ArgumentError(f"memory: saw {value!r}, expected at least 6Mi, the least that an engine takes.")
    return seen


def _flag(value: Any) -> bool:
    seen = {"true": True, "false": False}.get(str(value).lower())
    if seen is None:
        raise ArgumentError(f"read_only: saw {value!r}, expected true or false.")
    return seen


def _user(value: Any) -> str:
    if not isinstance(value, str | int) or isinstance(value, bool) or not str(value).strip():
        raise ArgumentError(f"user: saw {value!r}, expected such as '65532' or '1000:1000'.")
    return str(value)


_READERS: Mapping[str, Any] = {
    "command": lambda value: words(value, name="command"),
    "entrypoint": lambda value: words(value, name="entrypoint"),
    "environment": _environment,
    "health": lambda value: Health.parse(from_json(value, name="health")),
    "timeout_s": lambda value: seconds(value, name="timeout_s", least=1),
    "memory": _memory,
    "cpus": lambda value: number(value, name="cpus", least=0.01),
    "pids": lambda value: whole(value, name="pids", least=1),
    "read_only": _flag,
    "tmpfs": _tmpfs,
    "user": _user,
}
