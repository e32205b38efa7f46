"""Every Dag file that is shipped, and every Dag that README and docs show, parses as Airflow parses it."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SHIPPED = sorted((ROOT / "dags").glob("*.py"))
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = [
    pytest.param(block, id=f"{page.relative_to(ROOT)}-{number}")
    for page in PAGES
    for number, block in enumerate(_BLOCK.findall(page.read_text()), 1)
    if "DAG(" in block
]


def parsed(path: Path) -> dict[str, list[str]]:
    """Give Dag ids and task ids of a file, parsed in a process that is cut off from the outside."""
    command = [sys.executable, "-m", "tests.dags.parse_alone", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_dag_parses_without_the_outside(path: Path) -> None:
    assert parsed(path)


@pytest.mark.parametrize("block", SHOWN)
def test_a_dag_in_the_docs_parses_without_the_outside(block: str, tmp_path: Path) -> None:
    path = tmp_path / "shown.py"
    path.write_text(block)

    assert parsed(path)


def test_the_first_dag_that_people_see_is_the_whole_delivery(tmp_path: Path) -> None:
    path = tmp_path / "readme.py"
    path.write_text(_BLOCK.findall((ROOT / "README.md").read_text())[0])

    tasks = parsed(path)["shop_delivery"]

    assert tasks == [f"shop.{name}" for name in ("plan", "verify", "canary", "promote", "abort", "outcome")]


@pytest.mark.parametrize(
    ("line", "word"),
    [
        pytest.param("import socket; socket.create_connection(('127.0.0.1', 9))", "socket", id="network"),
        pytest.param("from airflow.sdk import Connection; Connection.get('x')", "not", id="connection"),
        pytest.param("import kubernetes_asyncio", "parsing loads kubernetes_asyncio", id="sdk"),
        pytest.param("from airflow.hooks.base import BaseHook", "deprecated", id="warning"),
    ],
)
def test_a_dag_file_that_reaches_out_is_noticed(line: str, word: str, tmp_path: Path) -> None:
    path = tmp_path / "reaches_out.py"
    path.write_text(f"from airflow.sdk import DAG\n{line}\nwith DAG('x', schedule=None):\n    pass\n")

    with pytest.raises(AssertionError, match=word):
        parsed(path)
