"""The pictures of simulated canaries: each can be drawn, and those in the docs are what today's judge says."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.canary_bench.pictures import CASES
from cd_provider.core.judge.picture import picture

DOCS = Path(__file__).parents[4] / "docs" / "pictures"


@pytest.mark.parametrize("name", CASES)
def test_each_is_drawn(name: str) -> None:
    drawn = picture(CASES[name]())

    assert ElementTree.fromstring(drawn).tag.endswith("svg")
    if (kept := DOCS / f"{name}.svg").exists():
        assert kept.read_text() == drawn + "\n", "draw it anew: python -m benchmarks.canary_bench.pictures"
