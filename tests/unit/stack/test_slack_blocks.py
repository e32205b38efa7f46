"""Each limit of Block Kit: the largest legal value passes, one more does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.stack.slack_blocks import complaints, text_size

Block = dict[str, Any]


def plain(length: int) -> Block:
    return {"type": "plain_text", "text": "x" * length}


def button(**fields: object) -> Block:
    element = {"type": "button", "text": plain(1), "action_id": "go", **fields}
    return {"type": "actions", "elements": [element]}


def image(**fields: object) -> Block:
    return {"type": "image", "image_url": "http://127.0.0.1/a.png", "alt_text": "a", **fields}


LIMITS: dict[str, tuple[Callable[[int], list[Block]], int]] = {
    "blocks": (lambda n: [{"type": "divider"}] * n, 50),
    "section text": (lambda n: [{"type": "section", "text": plain(n)}], 3000),
    "section fields": (lambda n: [{"type": "section", "fields": [plain(1)] * n}], 10),
    "section field": (lambda n: [{"type": "section", "fields": [plain(n)]}], 2000),
    "header": (lambda n: [{"type": "header", "text": plain(n)}], 150),
    "context elements": (lambda n: [{"type": "context", "elements": [plain(1)] * n}], 10),
    "context text": (lambda n: [{"type": "context", "elements": [plain(n)]}], 3000),
    "actions": (lambda n: [{"type": "actions", "elements": [button()["elements"][0]] * n}], 25),
    "button text": (lambda n: [button(text=plain(n))], 75),
    "button value": (lambda n: [button(value="x" * n)], 2000),
    "button url": (lambda n: [button(url="x" * n)], 3000),
    "action id": (lambda n: [button(action_id="x" * n)], 255),
    "image url": (lambda n: [image(image_url="x" * n)], 3000),
    "alt text": (lambda n: [image(alt_text="x" * n)], 2000),
    "image title": (lambda n: [image(title=plain(n))], 2000),
    "markdown": (lambda n: [{"type": "markdown", "text": "x" * n}], 12_000),
    "block id": (lambda n: [{"type": "divider", "block_id": "x" * n}], 255),
}


@pytest.mark.parametrize("name", LIMITS)
def test_the_limit_itself_passes_and_one_more_does_not(name: str) -> None:
    build, limit = LIMITS[name]

    assert complaints(build(limit)) == []
    assert complaints(build(limit + 1)) != []


@pytest.mark.parametrize(
    ("block", "said"),
    [
        pytest.param({"type": "sektion"}, "unsupported type: sektion", id="unknown type"),
        pytest.param({"type": "section"}, "missing required field", id="empty section"),
        pytest.param(
            {"type": "section", "text": {"type": "mrkdwn", "text": ""}}, "more than 0", id="empty text"
        ),
        pytest.param({"type": "section", "text": "hi"}, "valid text object", id="text is a string"),
        pytest.param(
            {"type": "header", "text": {"type": "mrkdwn", "text": "x"}}, "must be one of", id="header"
        ),
        pytest.param({"type": "image", "image_url": "x"}, "alt_text", id="no alt text"),
        pytest.param({"type": "image", "alt_text": "x"}, "image_url", id="no address"),
        pytest.param({"type": "context"}, "must be an array", id="context without elements"),
        pytest.param({"type": "actions", "elements": [{}]}, "field: type", id="element without type"),
        pytest.param("divider", "must be an object", id="not an object"),
    ],
)
def test_slack_complains(block: object, said: str) -> None:
    assert said in " ".join(complaints([block]))


def test_a_block_id_is_unique() -> None:
    twice = [{"type": "divider", "block_id": "a"}, {"type": "divider", "block_id": "a"}]

    assert "already exists" in complaints(twice)[0]


def test_blocks_are_a_list() -> None:
    assert complaints({"type": "divider"}) == ["must be an array [json-pointer:/blocks]"]


def test_all_texts_count() -> None:
    blocks = [{"type": "header", "text": plain(3)}, {"type": "section", "fields": [plain(4), plain(5)]}]

    assert text_size(blocks) == 12
