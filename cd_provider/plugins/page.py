"""The page about a verdict: the sentence, the picture, and where the record can be had."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from html import escape
from typing import NamedTuple
from urllib.parse import quote, urlencode

from cd_provider.core.judge.picture import headline, picture
from cd_provider.core.judge.record import Record
from cd_provider.core.judge.story import clock

STYLE = """
:root { color-scheme: light dark }
body { margin: 0 auto; padding: 24px; max-width: 900px; font: 15px/1.5 system-ui, sans-serif }
h1 { font-size: 20px; margin: 0 0 4px }
p { margin: 8px 0 }
.where { opacity: .7 }
.said { margin: 24px 0 12px; font-size: 16px }
ul { padding-left: 20px }
"""
NOTHING = (
    "No verdict is kept for this task. A judge's record is stored three minutes after the first users, or as soon as "
    "it has said something; a canary without a <code>judge(…)</code> among its gates has none, and clearing the task "
    "takes it away."
)


@dataclass(frozen=True)
class Where:
    """Whose page it is."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int = -1

    @property
    def path(self) -> str:
        """The page's address below the plugin's own."""
        parts = "/".join(quote(part, safe="") for part in (self.dag_id, self.run_id, self.task_id))
        return f"/verdict/{parts}"


class Drawn(NamedTuple):
    """What one record gives: sentence, picture, when it ends."""

    line: str
    said: tuple[str, ...]
    svg: str
    upto: str
    name: str


def page(records: Mapping[str, str], where: Where, *, pods: bool = False) -> str:
    """
    Write the page as HTML.

    :param records: XCom key → packed record, in the order of the judges. :param pods: draw each pod, too.
    """
    parts = [_judge(key, packed, where, pods=pods) for key, packed in records.items()] or [
        f"<p>{NOTHING}</p>"
    ]
    told = f"Dag {escape(where.dag_id)}, run {escape(where.run_id)}, task {escape(where.task_id)}"
    index = f"[{where.map_index}]" if where.map_index >= 0 else ""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>Verdict: {escape(where.dag_id)}</title><style>{STYLE}</style></head><body>"
        f'<h1>Verdict</h1><p class="where">{told}{index}</p>{"".join(parts)}</body></html>'
    )


def _judge(key: str, packed: str, where: Where, *, pods: bool) -> str:
    try:
        drawn = draw(packed, pods)
    except Exception as err:  # whatever was stored: the page says so, and shows the others
        return f"<p>The record {escape(key)} cannot be shown: {escape(str(err) or type(err).__name__)}</p>"
    index = {"map_index": where.map_index} if where.map_index >= 0 else {}
    last = quote(where.task_id, safe="")  # relative to the page's own address, whatever Airflow's prefix is
    record = escape(urlencode({**index, "key": key}))
    other = escape(urlencode({**index, **({} if pods else {"pods": "true"})}))
    also = "".join(f"<li>{escape(line)}</li>" for line in drawn.said[:-1])
    before = f"<p>Before that:</p><ul>{also}</ul>" if also else ""
    return (
        f'<p class="said"><strong>{escape(drawn.name)}</strong>: {escape(drawn.line)}</p>{drawn.svg}{before}'
        f'<p><a href="{last}/record?{record}" download>Download the record</a> · '
        f'<a href="?{other}">{"All pods together" if pods else "Each pod by itself"}</a> · '
        f"as of {escape(drawn.upto)} on traffic; reload for newer</p>"
    )


@lru_cache(maxsize=8)
def draw(packed: str, pods: bool) -> Drawn:
    """Read, replay and draw a record; a second or so for a long one, so that the last few are kept."""
    record = Record.read(packed)
    upto = clock(record.ticks[-1].at - record.began_at) if record.ticks else "nothing"
    said = tuple(judged.line for judged in record.verdicts)
    return Drawn(
        headline(record),
        said,
        picture(record, pods=pods, sentence=False),
        upto,
        str(record.gate.get("name", "judge")),
    )
