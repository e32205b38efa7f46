"""What the stack changes on the machine itself: remembered before, undone by ``down``."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

from tests.stack import packet_filter, settings

SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/route_localnet",
    "net/ipv4/conf/default/route_localnet",
    "net/netfilter/nf_conntrack_max",
    "net/bridge/bridge-nf-call-iptables",
    "net/bridge/bridge-nf-call-ip6tables",
    "vm/overcommit_memory",
    "vm/panic_on_oom",
    "kernel/panic",
    "kernel/panic_on_oops",
    "kernel/keys/root_maxkeys",
    "kernel/keys/root_maxbytes",
)
BRIDGES = (settings.BRIDGE, "docker0")
_FOLDERS = (
    "/var/lib/cni",
    "/var/log/containers",
    "/var/lib/kubelet",
    "/run/containerd",
    "/run/netns",
    "/etc/cni",
)


def remember() -> None:
    """Note how the machine was, once, before the first change."""
    path = _record()
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    before = {
        "sysctls": {name: value for name in SYSCTLS if (value := _sysctl(name)) is not None},
        "rules": {family: packet_filter.rules(family) for family in packet_filter.FAMILIES},
        "bridges": [name for name in BRIDGES if Path(f"/sys/class/net/{name}").exists()],
        "mounts": _mounts(),
        "folders": [folder for folder in _FOLDERS if Path(folder).exists()],
    }
    unfinished = path.with_suffix(".new")
    unfinished.write_text(json.dumps(before, indent=1))
    unfinished.rename(path)


def kill_containers() -> None:
    """Kill what containerd and dockerd still run, and the shims that hold it."""
    marks = (str(settings.containerd_socket()).encode(), str(settings.state_dir() / "docker").encode())
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        shims = [
            pid for pid, argv in _processes() if b"containerd-shim" in argv and any(m in argv for m in marks)
        ]
        victims = shims + _in_pod_cgroups()
        for pid in victims:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if not victims:
            return
        time.sleep(0.1)


def undo() -> None:
    """Put the machine back: mounts, bridges, packet filter rules, cgroups, kernel settings, folders."""
    before = json.loads(_record().read_text()) if _record().exists() else {}
    _unmount(before.get("mounts", []))
    for name in BRIDGES:
        if name not in before.get("bridges", []):
            _remove_bridge(name)
    for family in packet_filter.FAMILIES:
        packet_filter.restore(family, before.get("rules", {}).get(family, []))
    _remove_pod_cgroups()
    for name, value in before.get("sysctls", {}).items():
        if _sysctl(name) != value:
            with suppress(OSError):
                Path("/proc/sys", name).write_text(value)
    for folder in _FOLDERS:
        if folder not in before.get("folders", [folder]):
            shutil.rmtree(folder, ignore_errors=True)
    _record().unlink(missing_ok=True)


def _record() -> Path:
    return settings.state_dir() / "machine-before.json"


def _sysctl(name: str) -> str | None:
    with suppress(OSError):
        return Path("/proc/sys", name).read_text().strip()
    return None


def _mounts() -> list[str]:
    return [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]


def _unmount(before: list[str]) -> None:
    roots = (str(settings.state_dir()) + "/", "/run/netns/cni-", "/run/containerd/")
    added = set(_mounts()) - set(before)
    for mount in sorted(added, key=len, reverse=True):
        if mount.startswith(roots):
            subprocess.run(["umount", "-l", mount], capture_output=True, check=False)
            if mount.startswith("/run/netns/"):
                Path(mount).unlink(missing_ok=True)


def _remove_bridge(name: str) -> None:
    if Path(f"/sys/class/net/{name}").exists():
        ip = shutil.which("ip", path="/usr/sbin:/sbin:/usr/bin:/bin") or "ip"
        subprocess.run([ip, "link", "delete", name], capture_output=True, check=False)


def _pod_cgroups() -> list[Path]:
    """The kubelet's cgroups, innermost first, on a v1 (one tree per controller) and a v2 machine."""
    roots = [*Path("/sys/fs/cgroup").glob("*/kubepods*"), *Path("/sys/fs/cgroup").glob("kubepods*")]
    found = [Path(folder) for root in roots for folder, _, _ in os.walk(root)]
    return sorted(found, key=lambda path: len(path.parts), reverse=True)


def _in_pod_cgroups() -> list[int]:
    pids: set[int] = set()
    for folder in _pod_cgroups():
        with suppress(OSError):
            pids.update(map(int, (folder / "cgroup.procs").read_text().split()))
    return sorted(pids)


def _remove_pod_cgroups() -> None:
    for folder in _pod_cgroups():
        with suppress(OSError):
            folder.rmdir()


def _processes() -> list[tuple[int, bytes]]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.append((int(folder.name), (folder / "cmdline").read_bytes().replace(b"\0", b" ")))
    return found
