"""The legend of a record's picture: the lines and shades that are there, and what they mean."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cd_provider.core.judge.drawing import INK, LETTER, LINE, box, mark, path, text
from cd_provider.core.judge.panels import LANE_LOOK, PAD, ROW, blocked_lanes
from cd_provider.core.judge.picture_pods import short
from cd_provider.core.judge.record import Record
from cd_provider.core.judge.tracks import Tracks
from cd_provider.core.judge.view import AND

WARM, AWAY, GAP = "#f1f5f9", "#fee2e2", "#e0e7ff"


class Legend:
    """Explains what is drawn, from ``y`` on downwards, on a sheet so wide."""

    def __init__(self, record: Record, tracks: Tracks, *, y: float, width: float) -> None:
        self.record, self.tracks, self.y, self.width = record, tracks, y, width

    def parts(self) -> Iterator[str]:
        """Write them, in rows; ``y`` is where the next thing may begin."""
        x, shown = PAD, list(self._keys())
        for sample, words in shown:
            wide = 34 + len(words) * 12 * LETTER + 18
            if x + wide > self.width - PAD + 18:
                x, self.y = PAD, self.y + ROW
            yield sample(x, self.y)
            yield text(x + 34, self.y + 4, words)
            x += wide
        self.y += ROW + 8

    def _keys(self) -> Iterator[tuple[Any, str]]:
        def shade(fill: str, **more: Any) -> Any:
            return lambda x, y: box(x, y - 7, 26, 14, fill=fill, **more)

        def stroke(color: str, dash: str) -> Any:
            return lambda x, y: path([(x, y), (x + 26, y)], color=color, dash=dash)

        yield shade("#f7e3cd"), "95 % of each moment, counted anew after the warm-up"
        for lane, (color, dash) in LANE_LOOK.items():
            if any(lane in point.odds for point in self.tracks.points):
                yield stroke(color, dash), lane
        for lane in blocked_lanes(self.tracks):
            yield (
                stroke(LANE_LOOK[lane][0], "1 3"),
                f"{lane} without {AND.join(map(short, self.tracks.blocked))}",
            )
        yield shade(WARM, stroke=LINE), "warm-up, nothing passes"
        if any(gap.away for gap in self.tracks.gaps):
            yield shade(AWAY), "off traffic after a trip"
        for what in sorted({gap.what for gap in self.tracks.gaps if not gap.away}):
            yield shade(GAP), what
        if self.record.restarts:
            yield lambda x, y: mark(x + 13, y + 4, fill=INK, title=""), "counters began anew"
