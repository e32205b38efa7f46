"""The stack's one node: containerd, kubelet and kube-proxy, with a bridge for the pods."""

from __future__ import annotations

import hashlib
import io
import json
import platform
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import yaml

from tests.stack import certificates, health, settings
from tests.stack.build import binary
from tests.stack.errors import StackError
from tests.stack.files import write_if_changed
from tests.stack.processes import Program, ensure, program, system_binary, wait_until

NAMES = ("containerd", "kubelet", "kube-proxy")
PAUSE_IMAGE = "cd-provider.local/pause:1"


def up() -> None:
    """Have the node ready for pods; they pull from our registry, and the host reaches ClusterIPs as well."""
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")
    _make_bridge()
    ensure(containerd())
    _import_pause_image()
    ensure(kubelet(), proxy())
    wait_until(health.node_ready, timeout_s=60, what="the node (log: kubelet.log)")


def ctr(*args: str, input_: bytes | None = None) -> str:
    """Run containerd's own client in Kubernetes' namespace of our containerd."""
    argv = [system_binary("ctr"), "-a", str(settings.containerd_socket()), "-n", "k8s.io", *args]
    done = subprocess.run(argv, input=input_, capture_output=True, check=False)
    if done.returncode:
        raise StackError(f"`ctr {' '.join(args)}` failed: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout.decode()


def systemd_cgroups() -> bool:
    return Path("/run/systemd/system").is_dir()


def containerd() -> Program:
    folder = settings.state_dir() / "containerd"
    config = f"""\
version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{settings.containerd_socket()}"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE_IMAGE}"
  stream_server_address = "{settings.HOST}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{folder}/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = {str(systemd_cgroups()).lower()}
  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "{folder}/registries"
"""
    hosts = f'server = "http://{settings.REGISTRY}"\n[host."http://{settings.REGISTRY}"]\n'
    hosts += '  capabilities = ["pull", "resolve"]\n'
    network = json.dumps(_network(), indent=1)
    write_if_changed(folder / "config.toml", config)
    write_if_changed(folder / "registries" / settings.REGISTRY / "hosts.toml", hosts)
    write_if_changed(folder / "cni" / "10-stack.conflist", network)
    argv = (system_binary("containerd"), "--config", str(folder / "config.toml"), "--log-level", "warn")
    return program("containerd", argv, config=config + hosts + network)


def kubelet() -> Program:
    folder = settings.state_dir() / "kubelet"
    config = yaml.safe_dump(_kubelet_config(folder))
    write_if_changed(folder / "config.yaml", config)
    argv = (
        str(binary("kube")),
        "kubelet",
        f"--config={folder / 'config.yaml'}",
        f"--kubeconfig={settings.kubeconfig('kubelet')}",
        f"--root-dir={folder / 'root'}",
        f"--cert-dir={folder / 'pki'}",
        f"--hostname-override={settings.NODE_NAME}",
        f"--node-ip={settings.NODE_ADDRESS}",
    )
    return program("kubelet", argv, config=config)


def proxy() -> Program:
    config = yaml.safe_dump(
        {
            "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
            "kind": "KubeProxyConfiguration",
            "mode": "iptables",
            "bindAddress": settings.NODE_ADDRESS,
            "clientConnection": {"kubeconfig": str(settings.kubeconfig("kube-proxy"))},
            "hostnameOverride": settings.NODE_NAME,
            "clusterCIDR": settings.POD_SUBNET,
            "healthzBindAddress": f"{settings.HOST}:{settings.PROXY_HEALTH_PORT}",
            "metricsBindAddress": f"{settings.HOST}:{settings.PROXY_METRICS_PORT}",
            "conntrack": {"maxPerCore": 0, "min": 0},  # do not touch the machine's limits
            "iptables": {"localhostNodePorts": False, "minSyncPeriod": "0s"},
        }
    )
    path = settings.state_dir() / "kube-proxy" / "config.yaml"
    write_if_changed(path, config)
    argv = (str(binary("kube")), "kube-proxy", f"--config={path}")
    return program("kube-proxy", argv, config=config)


def _kubelet_config(folder: Path) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": settings.NODE_ADDRESS,
        "port": settings.KUBELET_PORT,
        "healthzBindAddress": settings.HOST,
        "healthzPort": settings.KUBELET_HEALTH_PORT,
        "tlsCertFile": str(certificates.tls_file("node.pem")),
        "tlsPrivateKeyFile": str(certificates.tls_file("node.key")),
        "authentication": {
            "anonymous": {"enabled": False},
            "x509": {"clientCAFile": str(certificates.tls_file("ca.pem"))},
        },
        "containerRuntimeEndpoint": f"unix://{settings.containerd_socket()}",
        "cgroupDriver": "systemd" if systemd_cgroups() else "cgroupfs",
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "enforceNodeAllocatable": [],
        "evictionHard": {"memory.available": "50Mi", "nodefs.available": "1%", "imagefs.available": "1%"},
        "imageGCHighThresholdPercent": 99,
        "imageGCLowThresholdPercent": 98,
        "serializeImagePulls": False,
        "podLogsDir": str(folder / "pod-logs"),
        "maxPods": 200,
    }


def _network() -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": settings.POD_SUBNET}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dataDir": str(settings.state_dir() / "cni-addresses"),
    }
    bridge = {
        "type": "bridge",
        "bridge": settings.BRIDGE,
        "isGateway": True,
        "ipMasq": True,
        "hairpinMode": True,
        "ipam": addresses,
    }
    portmap = {"type": "portmap", "capabilities": {"portMappings": True}}
    return {"cniVersion": "0.4.0", "name": "stack", "plugins": [bridge, portmap]}


def _make_bridge() -> None:
    """The pods' bridge, before the first pod: its address is the node's, since no loopback one may be."""
    if not Path(f"/sys/class/net/{settings.BRIDGE}").exists():
        _ip("link", "add", settings.BRIDGE, "type", "bridge")
    _ip("addr", "replace", f"{settings.NODE_ADDRESS}/24", "dev", settings.BRIDGE)
    _ip("link", "set", settings.BRIDGE, "up")


def _ip(*args: str) -> None:
    done = subprocess.run([system_binary("ip"), *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"`ip {' '.join(args)}` failed: {done.stderr.strip()}")


def _import_pause_image() -> None:
    if PAUSE_IMAGE not in ctr("images", "ls", "-q").split():
        ctr("images", "import", "--no-unpack", "-", input_=_pause_archive())


def _pause_archive() -> bytes:
    """A one-layer image in OCI layout, as ``ctr images import`` reads it."""
    layer = _tar({"pause": binary("pause").read_bytes()})
    config = {
        "architecture": _architecture(),
        "os": "linux",
        "config": {"Entrypoint": ["/pause"]},
        "rootfs": {"type": "layers", "diff_ids": [_digest(layer)]},
    }
    files: dict[str, bytes] = {"oci-layout": b'{"imageLayoutVersion": "1.0.0"}'}

    def add(media_type: str, content: bytes) -> dict[str, Any]:
        files[f"blobs/sha256/{_digest(content).removeprefix('sha256:')}"] = content
        return {"mediaType": media_type, "digest": _digest(content), "size": len(content)}

    kind = "application/vnd.oci.image"
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{kind}.manifest.v1+json",
        "config": add(f"{kind}.config.v1+json", json.dumps(config).encode()),
        "layers": [add(f"{kind}.layer.v1.tar", layer)],
    }
    described = add(f"{kind}.manifest.v1+json", json.dumps(manifest).encode())
    described["annotations"] = {"io.containerd.image.name": PAUSE_IMAGE}
    files["index.json"] = json.dumps({"schemaVersion": 2, "manifests": [described]}).encode()
    return _tar(files)


def _architecture() -> str:
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())


def _digest(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def _tar(files: dict[str, bytes]) -> bytes:
    output = io.BytesIO()
    with tarfile.open(fileobj=output, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o755
            archive.addfile(entry, io.BytesIO(content))
    return output.getvalue()
