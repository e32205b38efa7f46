"""Slack's limits on Block Kit, with the complaints that Slack itself sends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

MAX_BLOCKS = 50
MAX_ALL_TEXT = 13_200  # undocumented; above it Slack answers msg_blocks_too_long
UNCHECKED = frozenset({"file", "input", "rich_text", "table", "video"})  # legal, and not looked into here

Json = dict[str, Any]


def complaints(blocks: object) -> list[str]:
    """
    Give what Slack finds wrong with the blocks of a message, one line each, empty when it would take them.

    Source: docs.slack.dev, "Block Kit / Blocks" and "Text object"; wording as Slack's ``errors`` have it.
    """
    if not isinstance(blocks, list):
        return ["must be an array [json-pointer:/blocks]"]
    if len(blocks) > MAX_BLOCKS:
        return [f"no more than {MAX_BLOCKS} items allowed [json-pointer:/blocks]"]
    found: list[str] = []
    ids: set[str] = set()
    for number, block in enumerate(blocks):
        where = f"/blocks/{number}"
        if not isinstance(block, dict):
            found.append(f"must be an object [json-pointer:{where}]")
            continue
        found += _block(block, where)
        block_id = block.get("block_id")
        if block_id is not None:
            found += _length(block_id, 255, f"{where}/block_id")
            if block_id in ids:
                found.append(f"`block_id` already exists [json-pointer:{where}/block_id]")
            ids.add(str(block_id))
    return found


def text_size(blocks: object) -> int:
    """Count the characters of all texts in some blocks."""
    if isinstance(blocks, dict):
        own = blocks.get("text")
        return (len(own) if isinstance(own, str) else 0) + sum(
            text_size(value) for value in blocks.values() if isinstance(value, (dict, list))
        )
    return sum(text_size(item) for item in blocks) if isinstance(blocks, list) else 0


def _block(block: Json, where: str) -> Iterator[str]:
    kind = block.get("type")
    check = CHECKS.get(str(kind))
    if check is not None:
        yield from check(block, where)
    elif kind not in UNCHECKED:
        yield f"unsupported type: {kind} [json-pointer:{where}/type]"


def _section(block: Json, where: str) -> Iterator[str]:
    if "text" not in block and not block.get("fields"):
        yield f"missing required field: fields or text [json-pointer:{where}]"
    if "text" in block:
        yield from _text(block["text"], 3000, f"{where}/text")
    fields = block.get("fields", [])
    yield from _count(fields, 10, f"{where}/fields")
    for number, field in enumerate(fields):
        yield from _text(field, 2000, f"{where}/fields/{number}")
    if "accessory" in block:
        yield from _element(block["accessory"], f"{where}/accessory")


def _header(block: Json, where: str) -> Iterator[str]:
    yield from _text(block.get("text"), 150, f"{where}/text", kinds=("plain_text",))


def _context(block: Json, where: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from _count(elements, 10, f"{where}/elements")
    for number, element in enumerate(elements if isinstance(elements, list) else []):
        here = f"{where}/elements/{number}"
        if isinstance(element, dict) and element.get("type") == "image":
            yield from _image(element, here)
        else:
            yield from _text(element, 3000, here)


def _actions(block: Json, where: str) -> Iterator[str]:
    elements = block.get("elements")
    yield from _count(elements, 25, f"{where}/elements")
    for number, element in enumerate(elements if isinstance(elements, list) else []):
        yield from _element(element, f"{where}/elements/{number}")


def _element(element: object, where: str) -> Iterator[str]:
    if not isinstance(element, dict) or "type" not in element:
        yield f"missing required field: type [json-pointer:{where}]"
    elif element["type"] == "button":
        yield from _text(element.get("text"), 75, f"{where}/text", kinds=("plain_text",))
        for name, limit in (("value", 2000), ("url", 3000), ("action_id", 255)):
            if name in element:
                yield from _length(element[name], limit, f"{where}/{name}")
    elif element["type"] == "image":
        yield from _image(element, where)


def _image(block: Json, where: str) -> Iterator[str]:
    if "image_url" not in block and "slack_file" not in block:
        yield f"missing required field: image_url [json-pointer:{where}]"
    if "image_url" in block:
        yield from _length(block["image_url"], 3000, f"{where}/image_url")
    if "alt_text" not in block:
        yield f"missing required field: alt_text [json-pointer:{where}]"
    else:
        yield from _length(block["alt_text"], 2000, f"{where}/alt_text")
    if "title" in block:
        yield from _text(block["title"], 2000, f"{where}/title", kinds=("plain_text",))


def _markdown(block: Json, where: str) -> Iterator[str]:
    yield from _length(block.get("text"), 12_000, f"{where}/text")


def _divider(block: Json, where: str) -> Iterator[str]:
    yield from ()


def _text(
    value: object, limit: int, where: str, kinds: tuple[str, ...] = ("plain_text", "mrkdwn")
) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"must be a valid text object [json-pointer:{where}]"
        return
    inner = list(_length(value.get("text"), limit, f"{where}/text"))
    if value.get("type") not in kinds:
        inner.append(f"must be one of: {', '.join(kinds)} [json-pointer:{where}/type]")
    if inner:
        yield f"failed to match all allowed schemas [json-pointer:{where}]"
        yield from inner


def _length(value: object, limit: int, where: str) -> Iterator[str]:
    if not isinstance(value, str):
        yield f"must be a string [json-pointer:{where}]"
    elif not value:
        yield f"must be more than 0 characters [json-pointer:{where}]"
    elif len(value) > limit:
        yield f"must be less than {limit + 1} characters [json-pointer:{where}]"


def _count(items: object, limit: int, where: str) -> Iterator[str]:
    if not isinstance(items, list):
        yield f"must be an array [json-pointer:{where}]"
    elif len(items) > limit:
        yield f"no more than {limit} items allowed [json-pointer:{where}]"


CHECKS: dict[str, Callable[[Json, str], Iterator[str]]] = {
    "actions": _actions,
    "context": _context,
    "divider": _divider,
    "header": _header,
    "image": _image,
    "markdown": _markdown,
    "section": _section,
}
