"""Prometheus, scraping Envoy and every pod that has a container port named ``http``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import yaml

from tests.stack import discovery, settings
from tests.stack.files import write_if_changed
from tests.stack.processes import Program, ensure, program, system_binary

NAMES = ("discovery", "prometheus")


def up() -> None:
    """Have Prometheus serving on 127.0.0.1:9090."""
    ensure(pod_discovery(), prometheus())


def pod_discovery() -> Program:
    source = Path(discovery.__file__).read_text()
    root = settings.SOURCES.parent.parent
    argv = (sys.executable, "-m", "tests.stack.discovery")
    return program("discovery", argv, config=source, env={"PYTHONPATH": str(root)})


def prometheus() -> Program:
    folder = settings.state_dir() / "prometheus"
    folder.mkdir(parents=True, exist_ok=True)
    config = yaml.safe_dump(scrape_config(), sort_keys=False)
    write_if_changed(folder / "prometheus.yml", config)
    argv = (
        system_binary("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        "--storage.tsdb.retention.time=2d",
        f"--web.listen-address={settings.HOST}:{settings.PROMETHEUS_PORT}",
        "--web.enable-lifecycle",
        "--log.level=warn",
    )
    return program("prometheus", argv, config=config)


def scrape_config() -> dict[str, Any]:
    """Say what is scraped, and how often."""
    every = f"{settings.scrape_interval_s()}s"
    envoy = {
        "job_name": "envoy",
        "metrics_path": "/stats/prometheus",
        "static_configs": [{"targets": [f"{settings.HOST}:{settings.ENVOY_STATS_PORT}"]}],
    }
    pods = {"job_name": "pods", "file_sd_configs": [{"files": [str(discovery.targets_file())]}]}
    return {
        "global": {"scrape_interval": every, "scrape_timeout": every, "evaluation_interval": every},
        "scrape_configs": [envoy, pods],
    }
