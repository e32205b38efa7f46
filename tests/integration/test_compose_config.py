"""
docker-compose.yml, as far as it can be checked without its images.

Docker Compose itself reads it, built from its Go module; a real API server takes its manifests.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.stack.build import binary

if TYPE_CHECKING:
    from tests.stack import Stack

ROOT = Path(__file__).parents[2]


@pytest.mark.alone  # on a new machine it builds Compose for minutes: no time for deadlines of others to run
def test_docker_compose_takes_the_file() -> None:
    command = [str(binary("docker-compose")), "--profile", "*", "config", "--format", "json"]
    done = subprocess.run(
        command, cwd=ROOT, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    services = json.loads(done.stdout)["services"]
    assert services["shop-v3"]["build"]["args"] == {"VERSION": "v3", "ERROR_SHARE": "0.3"}
    assert services["airflow-triggerer"]["depends_on"]["airflow-init"]["required"]


@pytest.mark.parametrize("name", ["accounts.yaml", "gateway.yaml"])
def test_a_real_api_server_takes_its_manifests(stack: Stack, namespace: str, name: str) -> None:
    text = (ROOT / "docs/compose" / name).read_text()
    # A dry run makes no namespaces, so that what goes into new ones is tried in one that is there.
    moved = re.sub(r"namespace: \S+", f"namespace: {namespace}", text)

    answer = stack.kubectl("apply", "--server-side", "--dry-run=server", "-f", "-", input=moved)

    assert len(answer.splitlines()) == len(re.findall(r"^kind: ", text, re.MULTILINE))
