"""Verdicts as flags above a picture's panels: each on a pole at its second, in rows where they would run together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cd_provider.core.judge.drawing import BAD, GOOD, LETTER, UNSURE, Scale, box, line, text
from cd_provider.core.judge.verdict import Judged

COLORS = {"PASS": GOOD, "FAIL": BAD, "TRIP": BAD, "INCONCLUSIVE": UNSURE, "NO_DATA": UNSURE}
HIGH, SIZE, RIM = 18.0, 12, 10.0


class Flags:
    """
    The verdicts of a record.

    :param x: seconds of the canary → pixels. :param top: where the first row begins, ``width``: of the picture, pixels.
    """

    def __init__(self, verdicts: Sequence[Judged], x: Scale, *, top: float, width: float) -> None:
        self.verdicts, self.x, self.top, self.edge = verdicts, x, top, width - RIM
        self._rows = list(self._spread())

    @property
    def bottom(self) -> float:
        """Where the last row ends."""
        return self.top + HIGH * (max(self._rows, default=0) + 1)

    def _spread(self) -> Iterator[int]:
        """Give each the first row in which there is room."""
        ends: list[float] = []
        for judged in self.verdicts:
            begin, wide = self.x(judged.at), _wide(judged) + 16
            begin = begin - wide if begin + wide > self.edge else begin
            row = next((number for number, end in enumerate(ends) if end <= begin), len(ends))
            ends[row : row + 1] = [begin + wide]
            yield row

    def poles(self, bottom: float) -> Iterator[str]:
        """Draw what they hang on, down to ``bottom``."""
        for judged, row in zip(self.verdicts, self._rows, strict=True):
            x = self.x(judged.at)
            yield line((x, self.top + HIGH * row + 16), (x, bottom), color=COLORS[judged.kind], width=1.5)

    def parts(self, bottom: float) -> Iterator[str]:
        """Draw them; each shows its sentence where it is pointed at, down to ``bottom``."""
        for judged, row in zip(self.verdicts, self._rows, strict=True):
            x, y = self.x(judged.at), self.top + HIGH * row + 12
            turned = x + _wide(judged) > self.edge
            words = text(
                x + (-5 if turned else 5), y + 8, _words(judged), fill=COLORS[judged.kind], bold=True,
                anchor="end" if turned else "start",
            )  # fmt: skip
            yield f"<g>{box(x - 4, y, 8, bottom - y, fill='transparent', title=judged.line)}{words}</g>"


def _words(judged: Judged) -> str:
    return f"{judged.kind.replace('_', ' ')} {int(judged.at) // 60}:{int(judged.at) % 60:02}"


def _wide(judged: Judged) -> float:
    return len(_words(judged)) * SIZE * LETTER
