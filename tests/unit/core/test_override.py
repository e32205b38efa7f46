"""A person's word: who and why, or not at all."""

from __future__ import annotations

from typing import Any

import pytest

from cd_provider.core.override import Override
from cd_provider.exceptions import ArgumentError


@pytest.mark.parametrize(
    "value", [None, "", "null", {}, "{}", {"by": "", "reason": " "}, {"by": None}], ids=repr
)
def test_nothing_is_no_override(value: Any) -> None:
    assert Override.parse(value) is None


@pytest.mark.parametrize(
    "value",
    [{"by": "ada", "reason": "hot fix "}, '{"by": "ada", "reason": "hot fix"}'],
    ids=["mapping", "JSON"],
)
def test_it_comes_from_a_mapping_or_from_json_and_back(value: Any) -> None:
    found = Override.parse(value)

    assert found == Override("ada", "hot fix")
    assert Override.parse(found.as_dict()) == found


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"by": "ada"}, "reason is missing"),
        ({"by": " ", "reason": "hot fix"}, "by is missing"),
        ({"who": "ada"}, "unknown key 'who'"),
        ("ada", "expected a mapping"),
        (True, "expected a mapping"),
    ],
)
def test_a_word_of_nobody_or_without_a_reason_is_refused(value: Any, told: str) -> None:
    with pytest.raises(ArgumentError, match=told):
        Override.parse(value)
