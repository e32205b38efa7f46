"""
A release's message as Slack shows it: Block Kit blocks, and the plain text for notifications.

Source: Slack, "Block Kit", "Formatting text for app surfaces" (escapes), and the limits that its API
enforces: 150 characters of a header, 3,000 of a text, 10 fields of a section, 50 blocks, 13,200 characters in
all, and 4,000 of the fallback text of an edit. What is longer here is cut, and ends in "…".
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from cd_provider.core.image import ImageRef
from cd_provider.core.message import Outcome, ReleaseMessage
from cd_provider.exceptions import ImageReferenceError

Block = dict[str, Any]

# The word is always beside the sign: not everybody tells colours apart, and a screen reader reads words.
STATUS: Mapping[Outcome, tuple[str, str]] = {
    Outcome.RUNNING: ("🔵", "running"),
    Outcome.ASKING: ("❓", "asking"),
    Outcome.PROMOTED: ("🟢", "promoted"),
    Outcome.ABORTED: ("🔴", "aborted"),
    Outcome.INCONCLUSIVE: ("🟠", "inconclusive"),
    Outcome.REFUSED: ("⛔", "refused"),
}
BAR_CELLS = 8
HEADER, LINE, NEXT, URL, FALLBACK = 150, 2500, 1500, 1000, 3000  # characters
FACT_NAME, FACT, FACTS, FIELDS = 60, 300, 20, 10


def render(message: ReleaseMessage, *, at: float) -> tuple[list[Block], str]:
    """
    Give blocks and fallback text of a message.

    :param at: epoch seconds when it is sent; shown in each reader's own time zone.
    """
    return list(_blocks(message, at=at)), fallback(message)


def fallback(message: ReleaseMessage) -> str:
    """Give the message as one line of text, for notifications and screen readers."""
    sign, word = STATUS[message.outcome]
    share = f", {message.weight} % of the traffic" if message.weight is not None else ""
    return _escaped(
        f"{sign} {message.app} {word}{share}: {message.line or image_text(message.image)}", FALLBACK
    )


def bar(weight: int) -> str:
    """Draw a share of the traffic; some never looks like none, and never like all."""
    cells = round(BAR_CELLS * weight / 100)
    if 0 < weight < 100:
        cells = min(max(cells, 1), BAR_CELLS - 1)
    return "▓" * cells + "░" * (BAR_CELLS - cells) + f" {weight} %"


def image_text(image: str) -> str:
    """Give an image as people tell releases apart: where it is, its tag, and the first digits of the digest."""
    try:
        ref = ImageRef.parse(image)
    except ImageReferenceError:
        return image
    digest = f" ({ref.short_digest})" if ref.digest else ""
    return ref.repository + (f":{ref.tag}" if ref.tag else "") + digest


def _blocks(message: ReleaseMessage, *, at: float) -> Iterator[Block]:
    sign, word = STATUS[message.outcome]
    head = _escaped(f"{sign} {message.app}: {word}", HEADER)
    yield {"type": "header", "text": {"type": "plain_text", "text": head, "emoji": True}}
    if top := "\n".join(_top(message)):
        yield {"type": "section", "text": _mrkdwn(top)}
    if message.line.strip():
        yield {"type": "section", "text": _mrkdwn(_escaped(message.line, LINE))}
    facts = [_mrkdwn(fact) for fact in _facts(message.facts)]
    for start in range(0, len(facts), FIELDS):
        yield {"type": "section", "fields": facts[start : start + FIELDS]}
    if message.next_step and message.next_step.strip():
        yield {"type": "section", "text": _mrkdwn(f"*Next:* {_escaped(message.next_step, NEXT)}")}
    yield {"type": "context", "elements": [_mrkdwn(" · ".join(_foot(message.url, at=at)))]}


def _top(message: ReleaseMessage) -> Iterator[str]:
    if message.image.strip() and "Image" not in message.facts:
        yield f"*Image:* {_escaped(image_text(message.image), FACT)}"
    if message.weight is not None:
        yield f"*Traffic to the candidate:* {bar(message.weight)}"


def _facts(facts: Mapping[str, str]) -> Iterator[str]:
    shown = [(name, text) for name, text in facts.items() if name.strip() and text.strip()]
    for name, text in shown[:FACTS]:
        yield f"*{_escaped(name, FACT_NAME)}*\n{_escaped(text, FACT)}"


def _foot(url: str | None, *, at: float) -> Iterator[str]:
    safe = (url or "").replace("|", "%7C").replace("<", "%3C").replace(">", "%3E").replace("&", "&amp;")
    if safe.startswith(("http://", "https://")) and len(safe) <= URL:
        yield f"<{safe}|Open the run in Airflow>"
    # Slack writes the date in the reader's zone; what comes after "|" is for clients that cannot.
    utc = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S} UTC"
    yield f"<!date^{int(at)}^{{date_short_pretty}} {{time_secs}}|{utc}>"


def _mrkdwn(text: str) -> Block:
    # verbatim: names such as #shop or @here in a metric's label are no links
    return {"type": "mrkdwn", "text": text, "verbatim": True}


def _escaped(text: str, limit: int) -> str:
    """Escape what Slack reads as markup, and cut to ``limit`` characters without cutting an escape."""
    whole = text.strip().replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return whole if len(whole) <= limit else re.sub(r"&[a-z]*$", "", whole[: limit - 1]) + "…"
