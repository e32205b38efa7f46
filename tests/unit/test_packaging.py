"""What is installed, and what the pinned set of packages looks like."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import cd_provider
from cd_provider.get_provider_info import get_provider_info

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONSTRAINTS = (ROOT / "constraints.txt").read_text()
PINS = re.findall(
    r"^([a-z0-9-]+)==[^ ]+( ;[^\\\n]+)? \\\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
    CONSTRAINTS,
    re.M,
)


def test_airflow_knows_the_package_by_the_name_that_it_is_installed_under() -> None:
    assert get_provider_info()["package-name"] == PROJECT["project"]["name"]


def test_every_dependency_is_pinned() -> None:
    groups = PROJECT["dependency-groups"]
    wanted = [*PROJECT["project"]["dependencies"], *groups["dev"], *groups["docs"]]

    assert {re.split(r"[<>=~!\[ ]", line)[0] for line in wanted} <= {name for name, _, _ in PINS}


def test_constraints_hold_nothing_but_pins_with_hashes() -> None:
    left = CONSTRAINTS
    for name, marker, hashes in PINS:
        left = re.sub(
            rf"^{name}==[^ ]+{re.escape(marker)} \\\n{re.escape(hashes)}", "", left, count=1, flags=re.M
        )

    assert all(line.startswith("#") for line in left.splitlines())
    assert "/" not in left


def test_the_version_is_one_of_semantic_versioning() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", cd_provider.__version__)
