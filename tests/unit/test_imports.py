"""What import contracts cannot see: what is really loaded when a Dag file is parsed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "cd_provider"
SDKS = {"aiohttp", "docker", "kubernetes", "kubernetes_asyncio", "requests", "slack_sdk"}
IN_DAG_FILES = ("pipelines", "operators", "sensors", "notifications", "triggers")


def modules(folder: str) -> list[str]:
    """Name every module below ``cd_provider/<folder>``."""
    paths = sorted((PACKAGE / folder).rglob("*.py"))
    names = [".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts) for path in paths]
    return [name.removesuffix(".__init__") for name in names]


def loaded_by(*names: str) -> set[str]:
    """Import ``names`` in a fresh interpreter; give the top-level packages that are loaded afterwards."""
    script = "\n".join([*(f"import {name}" for name in names), "import sys", "print(*sys.modules)"])
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return {name.partition(".")[0] for name in done.stdout.splitlines()[-1].split()}


@pytest.mark.parametrize("folder", IN_DAG_FILES)
def test_a_dag_file_loads_no_sdk(folder: str) -> None:
    assert not loaded_by(*modules(folder)) & SDKS


def test_core_loads_nothing_but_itself_and_the_standard_library() -> None:
    own = loaded_by(*modules("core")) - loaded_by() - set(sys.stdlib_module_names)

    # Python's own build data, which has the platform in its name, is read for time zones.
    assert {name for name in own if not name.startswith("_sysconfigdata")} == {"cd_provider"}


def test_reading_the_providers_metadata_loads_no_airflow() -> None:
    assert "airflow" not in loaded_by("cd_provider", "cd_provider.get_provider_info")


def test_the_command_line_loads_airflow_for_a_connection_alone() -> None:
    """The same for what is shown by ``--help``, and for a server that is named by its address."""
    own = loaded_by(
        *(one for one in modules("cli") if "__main__" not in one), "cd_provider.hooks.prometheus_url"
    )

    assert not own & {*SDKS, "airflow", "httpx", "rich"}


@pytest.mark.parametrize("path", sorted((PACKAGE / "core").rglob("*.py")), ids=lambda path: path.stem)
def test_core_never_asks_for_the_time(path: Path) -> None:
    calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    asked = {call.attr for call in calls if isinstance(call, ast.Attribute)}

    assert not asked & {"now", "today", "utcnow", "monotonic", "perf_counter"}
