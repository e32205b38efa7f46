"""Bring the stack up, take it down, look at it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.stack import (
    cluster,
    control_plane,
    docker,
    gateway,
    health,
    lock,
    machine,
    node,
    packages,
    preflight,
    processes,
    prometheus,
    registry,
    settings,
)
from tests.stack.build import binary
from tests.stack.errors import NotReadyError, StackError
from tests.stack.progress import say, timed


@dataclass(frozen=True)
class Stack:
    """Where the running things are. ``kubeconfig`` is the admin's; the suite itself uses lesser accounts."""

    kubeconfig: Path
    registry: str
    prometheus_url: str
    gateway_url: str
    docker_host: str
    state_dir: Path

    def kubectl(self, *args: str, input: str | None = None) -> str:
        """Run kubectl as admin and give its output; ``StackError`` when it fails."""
        return cluster.kubectl(self.kubeconfig, *args, input=input)


@dataclass(frozen=True)
class Part:
    """A group of programs that is started and checked together."""

    up: Callable[[], None]
    programs: tuple[str, ...]
    needs: tuple[str, ...] = ()
    binaries: tuple[str, ...] = ()
    variable: str = ""  # given by the user, it takes this part's place


def _kubernetes_up() -> None:
    control_plane.up()
    node.up()


PARTS: Mapping[str, Part] = {
    "registry": Part(registry.up, registry.NAMES, variable="CD_REGISTRY"),
    "docker": Part(docker.up, docker.NAMES, variable="CD_DOCKER_HOST"),
    "kubernetes": Part(
        _kubernetes_up, control_plane.NAMES + node.NAMES, binaries=("kube", "pause"), variable="CD_KUBECONFIG"
    ),
    "gateway": Part(gateway.up, gateway.NAMES, ("kubernetes",), ("contour",), "CD_GATEWAY_URL"),
    "prometheus": Part(prometheus.up, prometheus.NAMES, ("kubernetes",), variable="CD_PROMETHEUS_URL"),
}


def addresses() -> dict[str, str]:
    """Environment variable → address, the user's where given, else the stack's own."""
    own = {
        "CD_KUBECONFIG": str(settings.kubeconfig("admin")),
        "CD_REGISTRY": settings.REGISTRY,
        "CD_PROMETHEUS_URL": settings.PROMETHEUS_URL,
        "CD_GATEWAY_URL": settings.GATEWAY_URL,
        "CD_DOCKER_HOST": settings.docker_host(),
    }
    return {variable: settings.given(variable, value) or value for variable, value in own.items()}


def up(parts: Iterable[str] = ()) -> Stack:
    """
    Have the stack up, and give its addresses. What serves is left alone; what is dead is started again.

    :param parts: names out of ``PARTS``; none means all. Parts whose address the user gave are never started.
    :raises StackError: it cannot be brought up; with the reason, and the end of the log.
    """
    wanted = _wanted(parts)
    if wanted and not _healthy(wanted):
        preflight.refuse_elsewhere()
        with lock.held("up"):
            _bring_up(wanted)
    found = addresses()
    return Stack(
        kubeconfig=Path(found["CD_KUBECONFIG"]),
        registry=found["CD_REGISTRY"],
        prometheus_url=found["CD_PROMETHEUS_URL"],
        gateway_url=found["CD_GATEWAY_URL"],
        docker_host=found["CD_DOCKER_HOST"],
        state_dir=settings.state_dir(),
    )


def down() -> None:
    """Stop everything in reverse order, and undo what was changed. Logs, cache and packages stay."""
    preflight.refuse_elsewhere()
    with lock.held("down"):
        for process in reversed(processes.all_running()):
            say(f"stopping {process.name}")
            processes.stop(process.name)
        for part in PARTS.values():
            for name in part.programs:
                processes.stop(name)
        machine.kill_containers()
        machine.undo()
        for entry in settings.state_dir().glob("*"):
            if entry.name != "logs":
                shutil.rmtree(entry, ignore_errors=True) if entry.is_dir() else entry.unlink()
        lock.note_stack(None)
        say("down")


def status() -> dict[str, str]:
    """Program → "pid N, serving", or what is wrong with it."""
    found = {}
    for name, part in PARTS.items():
        if _given(part):
            found[name] = f"given by {part.variable}={os.environ[part.variable]}"
            continue
        for program in part.programs:
            process = processes.running(program)
            found[program] = (
                f"pid {process.pid}, {_fault(program) or 'serving'}" if process else "not running"
            )
    return found


def _wanted(parts: Iterable[str]) -> list[str]:
    names = list(parts) or list(PARTS)
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise StackError(f"unknown part {unknown[0]!r}; there are {', '.join(PARTS)}.")
    needed = {need for name in names for need in PARTS[name].needs} | set(names)
    wanted = [name for name in PARTS if name in needed and not _given(PARTS[name])]
    if _given(PARTS["kubernetes"]):
        for name in ("gateway", "prometheus"):
            if name in wanted:
                raise StackError(
                    f"CD_KUBECONFIG names a cluster of yours, so {PARTS[name].variable} must be given too: "
                    f"a {name} of ours cannot reach its pods."
                )
    return wanted


def _given(part: Part) -> bool:
    own = {"CD_KUBECONFIG": str(settings.kubeconfig("admin")), "CD_REGISTRY": settings.REGISTRY}
    own |= {"CD_PROMETHEUS_URL": settings.PROMETHEUS_URL, "CD_GATEWAY_URL": settings.GATEWAY_URL}
    own["CD_DOCKER_HOST"] = settings.docker_host()
    return settings.given(part.variable, own[part.variable]) is not None


def _bring_up(wanted: list[str]) -> None:
    if _healthy(wanted):
        return  # somebody else did it while we waited for the lock
    preflight.check()
    packages.install()
    for name in wanted:
        for program in PARTS[name].binaries:
            binary(program)
    lock.note_stack(settings.state_dir())
    machine.remember()
    with timed("up " + " ".join(wanted), f"starting {', '.join(wanted)}"):
        for name in wanted:
            PARTS[name].up()


def _healthy(wanted: list[str]) -> bool:
    programs = [program for name in wanted for program in PARTS[name].programs]
    return all(processes.running(name) is not None and not _fault(name) for name in programs) and not any(
        _fault(name) for name in wanted if name in health.CHECKS
    )


def _fault(name: str) -> str:
    """What is wrong with a program or a part; empty when it serves."""
    try:
        health.check(name)
    except NotReadyError as err:
        return str(err)
    return ""
