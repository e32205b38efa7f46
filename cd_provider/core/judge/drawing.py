"""Shapes of a picture as SVG: plain elements on a white card, no style sheet, no script, nothing from outside."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

INK, QUIET, FAINT, LINE = "#0f172a", "#475569", "#94a3b8", "#e2e8f0"
CANDIDATE, STABLE = "#d97706", "#64748b"
BAD, GOOD, UNSURE, BOUND = "#b91c1c", "#15803d", "#a16207", "#dc2626"
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
LETTER = 0.56  # of the font's size, the width of a letter as a rule
Corner = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps numbers to pixels; what lies outside is drawn at the border."""

    low: float
    high: float
    begin: float
    end: float
    log: bool = False

    def __call__(self, value: float) -> float:
        seen = min(max(value, self.low), self.high)
        if self.log:
            part = math.log(seen / self.low) / math.log(self.high / self.low)
        else:
            part = (seen - self.low) / (self.high - self.low)
        return self.begin + part * (self.end - self.begin)


def text(
    x: float, y: float, words: str, *, size: float = 12, fill: str = QUIET, anchor: str = "start", bold: bool = False,
    halo: bool = False,
) -> str:  # fmt: skip
    """Write words; ``y`` is their base line. ``halo``: keep what lies behind them away."""
    weight = ' font-weight="600"' if bold else ""
    around = ' stroke="#ffffff" stroke-width="4" paint-order="stroke"' if halo else ""
    aligned = "" if anchor == "start" else f' text-anchor="{anchor}"'
    return (
        f'<text x="{_n(x)}" y="{_n(y)}" font-size="{size:g}" fill="{fill}"{aligned}{weight}{around}>'
        f"{escape(words)}</text>"
    )


def line(one: Corner, other: Corner, *, color: str = LINE, width: float = 1, dash: str = "") -> str:
    """Draw a straight line."""
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return (
        f'<line x1="{_n(one[0])}" y1="{_n(one[1])}" x2="{_n(other[0])}" y2="{_n(other[1])}" stroke="{color}" '
        f'stroke-width="{width:g}"{dashed}/>'
    )


def box(
    x: float, y: float, width: float, height: float, *, fill: str, title: str = "", stroke: str = "", round: float = 0
) -> str:  # fmt: skip
    """Draw a rectangle; ``title`` is shown where the pointer rests on it."""
    edge = f' stroke="{stroke}"' if stroke else ""
    corner = f' rx="{round:g}"' if round else ""
    size = f'width="{_n(max(0.0, width))}" height="{_n(height)}"'
    shape = f'<rect x="{_n(x)}" y="{_n(y)}" {size} fill="{fill}"{edge}{corner}'
    return f"{shape}><title>{escape(title)}</title></rect>" if title else f"{shape}/>"


def path(corners: Sequence[Corner], *, color: str, width: float = 2, dash: str = "") -> str:
    """Draw a line through corners; a single one is a dot."""
    if len(corners) == 1:
        (x, y), r = corners[0], width
        return f'<circle cx="{_n(x)}" cy="{_n(y)}" r="{r:g}" fill="{color}"/>'
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    points = " ".join(f"{_n(x)},{_n(y)}" for x, y in corners)
    return (
        f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width:g}" '
        f'stroke-linejoin="round"{dashed}/>'
    )


def area(upper: Sequence[Corner], lower: Sequence[Corner], *, fill: str, opacity: float = 0.2) -> str:
    """Fill what lies between two lines."""
    points = " ".join(f"{_n(x)},{_n(y)}" for x, y in [*upper, *reversed(lower)])
    return f'<polygon points="{points}" fill="{fill}" fill-opacity="{opacity:g}"/>'


def mark(x: float, y: float, *, fill: str, title: str) -> str:
    """Draw a small triangle that points up."""
    corners = f"{_n(x - 5)},{_n(y)} {_n(x + 5)},{_n(y)} {_n(x)},{_n(y - 8)}"
    return f'<polygon points="{corners}" fill="{fill}"><title>{escape(title)}</title></polygon>'


def apart(wanted: Sequence[float], *, least: float, low: float, high: float) -> list[float]:
    """Move positions so that neighbours are ``least`` apart, in their order, between ``low`` and ``high``."""
    order = sorted(range(len(wanted)), key=lambda number: wanted[number])
    placed, upto = list(wanted), low - least
    for number in order:
        placed[number] = upto = max(wanted[number], upto + least)
    downto = high + least
    for number in reversed(order):
        placed[number] = downto = min(placed[number], downto - least)
    return placed


def wrapped(words: str, *, width: float, size: float, most: int) -> list[str]:
    """Break a sentence into lines; what does not fit into ``most`` of them ends with an ellipsis."""
    room, lines = int(width / (size * LETTER)), [""]
    for word in words.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > room:
            lines.append("")
        lines[-1] = f"{lines[-1]} {word}".strip()
    lines = [one if len(one) <= room else one[: room - 1] + "…" for one in lines]
    return lines if len(lines) <= most else [*lines[: most - 1], lines[most - 1][: room - 2] + " …"]


def card(width: float, height: float, title: str, parts: Iterable[str]) -> str:
    """Put all on a white card with a border; legible on light and dark pages alike."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" '
        f'height="{_n(height)}" role="img" style="max-width:100%;height:auto" font-family="{FONT}">'
        f"<title>{escape(title)}</title>"
        f'<rect x="0.5" y="0.5" width="{_n(width - 1)}" height="{_n(height - 1)}" rx="8" fill="#ffffff" '
        f'stroke="{LINE}"/>{"".join(parts)}</svg>'
    )


def _n(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")
