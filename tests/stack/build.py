"""Go programs of the stack, each built once per content of its sources."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.stack import settings
from tests.stack.errors import StackError
from tests.stack.progress import human, last_duration, say, timed

_VERSION = "k8s.io/component-base/version"
_MAJOR, _MINOR, _ = settings.KUBERNETES_VERSION.removeprefix("v").split(".")


@dataclass(frozen=True)
class GoProgram:
    """One ``go build``: ``folder`` below tests/stack/go, ``package`` as Go names it."""

    name: str
    folder: str
    package: str = "."
    ldflags: str = "-s -w"


PROGRAMS: Mapping[str, GoProgram] = {
    program.name: program
    for program in (
        GoProgram(
            "kube",
            "kube",
            # Without its version many clients refuse the server.
            ldflags=f"-s -w -X {_VERSION}.gitVersion={settings.KUBERNETES_VERSION}"
            f" -X {_VERSION}.gitMajor={_MAJOR} -X {_VERSION}.gitMinor={_MINOR}",
        ),
        GoProgram("contour", "gateway", "github.com/projectcontour/contour/cmd/contour"),
        GoProgram("docker-compose", "compose", "github.com/docker/compose/v2/cmd"),  # never part of the stack
        GoProgram("pause", "pause"),
        GoProgram("probe", "probe"),  # what smoke runs try out
        GoProgram("shop", "shop"),
    )
}


def binary(name: str) -> Path:
    """Give the path of a built program, building it when its sources, Go or flags have changed."""
    program = PROGRAMS[name]
    path = settings.cache_dir() / "bin" / f"{name}-{_key(program)}"
    if not path.exists():
        _build(program, path)
    return path


def module_dir(folder: str, module: str) -> Path:
    """Where Go keeps the sources of ``module``, as pinned (with its hash) in tests/stack/go/``folder``."""
    found = json.loads(_go(folder, "mod", "download", "-json", module))
    return Path(found["Dir"])


def _key(program: GoProgram) -> str:
    folder = settings.SOURCES / "go" / program.folder
    digest = hashlib.sha256(f"{_go_version()}\n{program.package}\n{program.ldflags}\n".encode())
    for source in sorted(folder.iterdir()):
        if source.suffix in {".go", ".mod", ".sum"} and not source.name.endswith("_test.go"):
            digest.update(f"{source.name}\n".encode() + source.read_bytes())
    return digest.hexdigest()[:16]


@cache
def _go_version() -> str:
    return _go("kube", "version").strip()


def _go(folder: str, *args: str) -> str:
    cwd = settings.SOURCES / "go" / folder
    try:
        done = subprocess.run(["go", *args], cwd=cwd, capture_output=True, text=True, check=False)
    except FileNotFoundError as err:
        raise StackError("Go is not installed (no `go` in PATH). The stack needs Go 1.26 or newer.") from err
    if done.returncode:
        raise StackError(f"`go {' '.join(args)}` failed in {cwd}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _build(program: GoProgram, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(f".{os.getpid()}")
    argv = [
        "go",
        "build",
        "-trimpath",
        "-buildvcs=false",
        "-ldflags",
        program.ldflags,
        "-o",
        str(unfinished),
        program.package,
    ]
    log = settings.cache_dir() / f"build-{program.name}.log"
    with timed(f"build {program.name}", f"building {program.name}"), log.open("w") as output:
        code = _run_telling(program, argv, output.fileno())
        if code:
            raise StackError(f"building {program.name} failed (exit {code}): {log.read_text()[-2000:]}")
    unfinished.rename(path)


def _run_telling(program: GoProgram, argv: list[str], output: int) -> int:
    last = last_duration(f"build {program.name}")
    usual = f" of about {human(last)}" if last else ""
    began = told = time.monotonic()
    env = os.environ | {"CGO_ENABLED": "0"}
    with subprocess.Popen(
        argv, cwd=settings.SOURCES / "go" / program.folder, env=env, stdout=output, stderr=output
    ) as process:
        while process.poll() is None:
            time.sleep(0.2)
            if time.monotonic() - told >= 15:
                told = time.monotonic()
                say(f"  still building {program.name}: {human(told - began)}{usual}")
        return process.returncode
