"""The page of cases names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]
PAGE = TESTS.parent / "docs" / "reference" / "judge-cases.md"


def test_every_case_names_a_test_that_is_there() -> None:
    cases, _, figures = PAGE.read_text().partition("## How often")
    rows = [line for line in cases.splitlines() if line.startswith("| ") and "shown by" not in line]
    there = {
        name for path in TESTS.rglob("test_*.py") for name in re.findall(r"def (test_\w+)", path.read_text())
    }

    assert figures
    assert len(rows) > 50
    for row in rows:
        named = re.findall(r"`(test_\w+)`", row)
        assert named, row
        assert set(named) <= there, row
