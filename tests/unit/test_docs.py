"""README and docs say what is there: links, dependencies, building blocks, connection types, commands."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

from cd_provider.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md", *sorted(DOCS.rglob("*.md"))]
REFERENCE = "\n".join(page.read_text() for page in sorted((DOCS / "reference").glob("*.md")))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)(?:#[^)]*)?\)")


def table(page: str) -> set[str]:
    """The code words in the first column of the tables of one page."""
    return set(re.findall(r"^\| `([\w-]+)` \|", (DOCS / page).read_text(), re.MULTILINE))


def people_use(*folders: str) -> list[str]:
    """The public classes of these packages of ours that a Dag author may name."""
    trees = [
        ast.parse(path.read_text())
        for folder in folders
        for path in sorted((ROOT / "cd_provider" / folder).glob("*.py"))
    ]
    names = [node.name for tree in trees for node in tree.body if isinstance(node, ast.ClassDef)]
    return [name for name in names if name.endswith(("Operator", "Sensor", "Notifier", "Hook"))]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    for link in _LINK.findall(page.read_text()):
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("name", people_use("operators", "sensors", "notifications", "hooks"))
def test_every_building_block_has_its_place_in_the_reference(name: str) -> None:
    assert re.search(rf"autoclass:: cd_provider\.[\w.]+\.{name}$", REFERENCE, re.MULTILINE)


def test_the_install_page_justifies_each_dependency_and_no_other() -> None:
    needed = {re.split(r"[<>=~!\[ ]", line)[0] for line in PROJECT["dependencies"]}

    assert table("install.md") == needed


def test_the_reference_names_every_connection_type() -> None:
    ours = {one["connection-type"] for one in get_provider_info()["connection-types"]}

    assert table("reference/connections.md") == ours | {"kubernetes", "slack"}


def test_readme_begins_with_the_two_commands() -> None:
    first = re.findall(r"^```sh\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)[0]

    assert re.findall(r"^make \w+", first, re.MULTILINE) == ["make demo", "make test"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_make_target_that_a_page_names_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

    assert set(re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE)) <= targets


def test_ci_runs_lint_and_then_every_test() -> None:
    lines = (ROOT / ".ci/run").read_text().splitlines()

    assert [line for line in lines if line.startswith("make")] == ["make lint", "make test"]
    assert "set -euo pipefail" in lines
