"""A record on its way to be written, and what it loses where there is too little room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cd_provider.core.judge.packed import pack
from cd_provider.core.judge.record_text import bare, compact
from cd_provider.exceptions import ArgumentError

MOST_PACKED = 1_000_000  # characters
PARTS = (0.25, 0.5, 0.75, 1.0)  # of the ticks, the oldest, that lose something until the rest fits


@dataclass(frozen=True)
class Draft:
    """A record as it stands at one moment, partly written; safe to finish in another thread."""

    head: Mapping[str, Any]
    lines: Sequence[str]
    cut: str = ""

    def text(self) -> str:
        """Write all of it."""
        head = compact({**self.head, "cut": self.cut})
        return f'{head[:-1]},"ticks":[\n' + ",\n".join(self.lines) + "\n]}\n"

    def packed(self, *, most: int = MOST_PACKED) -> str:
        """
        Write it as gzip in base64, in at most ``most`` characters.

        Where that is too little the oldest ticks lose their latency buckets, a quarter of them after another; where
        that is not enough the oldest ticks go. ``cut`` says so.

        :raises ArgumentError: not even without any tick.
        """
        for draft in self._shorter(most):
            if len(found := pack(draft.text())) <= most:
                return found
        raise ArgumentError(f"record: saw {len(found):,} characters without any tick, expected {most:,}.")

    def _shorter(self, most: int) -> Iterator[Draft]:
        yield self
        why, lines = f"the record would have been larger than {most / 1e6:g} MB", list(self.lines)
        for part in PARTS:
            upto = round(len(self.lines) * part)
            lines[:upto] = [bare(line) for line in lines[:upto]]
            yield self._with(
                lines, f"latencies of the first {upto:,} of {len(lines):,} ticks left out: {why}"
            )
        for part in PARTS:
            upto = round(len(self.lines) * part)
            yield self._with(
                lines[upto:],
                f"the first {upto:,} of {len(lines):,} ticks, and all latencies, left out: {why}",
            )

    def _with(self, lines: Sequence[str], cut: str) -> Draft:
        return replace(self, lines=list(lines), cut="; ".join(part for part in (self.cut, cut) if part))
