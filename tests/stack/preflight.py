"""Look at the machine before touching it: refuse early, and say what will be changed."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from tests.stack import lock, packages, processes, settings
from tests.stack.errors import StackError
from tests.stack.progress import say

_PORTS = {
    settings.GATEWAY_PORT: "envoy",
    settings.REGISTRY_PORT: "registry",
    settings.PROMETHEUS_PORT: "prometheus",
    settings.APISERVER_PORT: "kube-apiserver",
    settings.ETCD_PORT: "etcd",
    settings.ETCD_PEER_PORT: "etcd",
    settings.CONTROLLERS_PORT: "kube-controller-manager",
    settings.SCHEDULER_PORT: "kube-scheduler",
    settings.KUBELET_PORT: "kubelet",
    settings.KUBELET_HEALTH_PORT: "kubelet",
    settings.PROXY_HEALTH_PORT: "kube-proxy",
    settings.PROXY_METRICS_PORT: "kube-proxy",
    settings.CONTOUR_PORT: "contour",
    settings.CONTOUR_XDS_PORT: "contour",
    settings.ENVOY_STATS_PORT: "envoy",
}
_NEEDED_GIB = 6
_ELSEWHERE = "Elsewhere, `docker compose up` with docker-compose.yml brings the same parts as images."


def check() -> None:
    """
    Check the machine, and print what ``up`` will change on it.

    :raises StackError: the stack cannot run here; with every reason at once.
    """
    _refuse([*_platform(), *_other_stack(), *_engines(), *_ports(), *_room()])
    if not processes.all_running():
        _announce()


def refuse_elsewhere() -> None:
    """Raise ``StackError`` where the stack can never run: no Debian, no root, no Go. Touches nothing."""
    _refuse(_platform())


def _refuse(faults: list[str]) -> None:
    if faults:
        raise StackError("the stack cannot be started:\n" + "\n".join(f"  - {fault}" for fault in faults))


def _announce() -> None:
    missing = packages.missing()
    say("this changes the machine, and `python -m tests.stack down` undoes it:")
    say("  net.ipv4.ip_forward=1 and the kernel settings that the kubelet wants")
    say("  iptables rules in chains KUBE-*, CNI-*, DOCKER*; bridges cni0 and docker0; cgroups below kubepods")
    say(f"  files in {settings.state_dir()} (removed, but for logs) and {settings.cache_dir()} (kept)")
    if missing:
        say(f"  Debian packages, which stay: {' '.join(missing)}")


def _platform() -> list[str]:
    faults = []
    release = Path("/etc/os-release")
    text = release.read_text() if release.exists() else ""
    if "ID=debian" not in text and "ID_LIKE=debian" not in text:
        faults.append(f"this is no Debian machine, and the programs come from its packages. {_ELSEWHERE}")
    elif os.geteuid() != 0:
        faults.append(
            f"root is needed for pods, bridges and mounts; you are uid {os.geteuid()}. {_ELSEWHERE}"
        )
    if shutil.which("go") is None:
        faults.append(
            "Go is not installed (no `go` in PATH); Kubernetes is built from source with Go 1.26 or newer."
        )
    longest = settings.state_dir() / "containerd" / "containerd.sock.ttrpc"
    if len(str(longest)) > 100:
        faults.append(
            f"{settings.state_dir()} is too long for unix sockets; set CD_STACK_DIR to a shorter path."
        )
    return faults


def _other_stack() -> list[str]:
    other = lock.previous_stack()
    if other is None or other == settings.state_dir():
        return []
    alive = [path.stem for path in (other / "pids").glob("*.json") if processes.running_in(other, path.stem)]
    if not alive:
        return []
    stop = f"CD_STACK_DIR={other} python -m tests.stack down"
    return [f"another stack, in {other}, runs on this machine ({', '.join(sorted(alive))}). Stop it: {stop}"]


def _engines() -> list[str]:
    """Docker engines and kubelets that are not ours: two would fight over rules, bridges and cgroups."""
    ours = {process.pid for process in processes.all_running()}
    faults = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            argv = (folder / "cmdline").read_bytes().split(b"\0")
            name = Path(argv[0].decode()).name
            marked = f"CD_STACK_OWNER={settings.state_dir()}".encode() in (folder / "environ").read_bytes()
            if name in {"dockerd", "kubelet", "kube-proxy"} and int(folder.name) not in ours and not marked:
                faults.append(
                    f"a {name} that is not the stack's runs as process {folder.name}. Stop it, or give "
                    "the address of what you have (CD_DOCKER_HOST, CD_KUBECONFIG, …)."
                )
    return faults


def _ports() -> list[str]:
    faults = []
    for port, name in _PORTS.items():
        if processes.running(name) or list(processes.strays(name)):
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.HOST, port))
            except OSError:
                faults.append(f"port {port} on {settings.HOST} ({name}) is taken by {_listener(port)}.")
    return faults


def _listener(port: int) -> str:
    with suppress(OSError):
        found = subprocess.run(
            ["ss", "-Hltnp", f"sport = :{port}"], capture_output=True, text=True, check=False
        ).stdout
        if "users:" in found:
            return found.split("users:")[1].strip()
    return "another process"


def _room() -> list[str]:
    folder = settings.state_dir()
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free / 2**30
    if free < _NEEDED_GIB:
        return [f"{free:.1f} GiB are free below {folder}, {_NEEDED_GIB} are needed; set CD_CACHE elsewhere."]
    return []
