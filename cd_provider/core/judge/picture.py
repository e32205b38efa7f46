"""
A picture that explains a verdict, drawn from its record by replaying it: errors, latency, evidence, over time.

Inline SVG on a white card of its own, 900 pixels wide; text is escaped, nothing is loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cd_provider.core.judge.drawing import (
    FAINT,
    INK,
    Scale,
    box,
    card,
    line,
    mark,
    text,
    wrapped,
)
from cd_provider.core.judge.panels import (
    LEFT,
    PAD,
    RIGHT,
    ROW,
    Banded,
    Frame,
    about,
    evidence,
    ratio,
    share,
    span,
    traffic,
)
from cd_provider.core.judge.picture_flags import COLORS, Flags
from cd_provider.core.judge.picture_legend import AWAY, GAP, WARM, Legend
from cd_provider.core.judge.picture_pods import ERROR_TICKS, LATENCY_TICKS, Pods, last
from cd_provider.core.judge.record import Record
from cd_provider.core.judge.replay import told_apart
from cd_provider.core.judge.story import clock, percent
from cd_provider.core.judge.tracks import Tracks, follow

WIDTH = 900.0
TRAFFIC, ERRORS, LATENCY, EVIDENCE = 54.0, 150.0, 120.0, 140.0
BETWEEN = 38.0  # two panels
STEPS_S = (10, 20, 30, 60, 120, 180, 300, 600, 1800, 3600, 7200, 86_400)


def picture(record: Record, *, pods: bool = False, sentence: bool = True) -> str:
    """
    Draw a record.

    :param pods: draw each candidate pod, too; also done when one pod alone stood in the way.
    :param sentence: write the last verdict's sentence into it; it is its title in any case.
    :raises ArgumentError: the record's gate is none of this version.
    """
    tracks = follow(record)
    sheet = _Sheet(record, tracks, sentence=sentence)
    parts = list(sheet.parts(pods=pods or bool(tracks.blocked)))
    return card(WIDTH, sheet.y + PAD - 8, headline(record), parts)


def headline(record: Record) -> str:
    """Give the sentence of the last verdict."""
    if record.verdicts:
        return record.verdicts[-1].line
    return f"no verdict so far, after {clock(record.ticks[-1].at - record.began_at if record.ticks else 0.0)}"


class _Sheet:
    """Lays things out from above; ``y`` is how far it has come."""

    def __init__(self, record: Record, tracks: Tracks, *, sentence: bool) -> None:
        self.sentence = sentence
        self.record, self.tracks, self.y = record, tracks, PAD
        self.end = max(60.0, tracks.ends_at)
        self.x = Scale(0.0, self.end, LEFT, WIDTH - RIGHT)
        self.called = record.settings.called.capitalize()

    def parts(self, *, pods: bool) -> Iterator[str]:
        yield from self._head()
        if not self.tracks.points:
            yield text(PAD, self.y + 20, "Nothing was judged yet.", size=13)
            self.y += 40
            return
        yield from self._body()
        legend = Legend(self.record, self.tracks, y=self.y, width=WIDTH)
        yield from legend.parts()
        self.y = legend.y
        if pods and self.tracks.pods:
            each = Pods(self.record.settings, self.tracks, y=self.y, end=self.end)
            yield from each.parts()
            self.y = each.y
        yield from self._foot()

    def _head(self) -> Iterator[str]:
        record, words = self.record, headline(self.record) if self.sentence else ""
        kind = record.verdicts[-1].kind if record.verdicts else "so far"
        wide = len(kind) * 9.5 + 20
        yield box(PAD, self.y, wide, 24, fill=COLORS.get(kind, FAINT), round=5)
        yield text(
            PAD + wide / 2,
            self.y + 17,
            kind.replace("_", " "),
            size=14,
            fill="#ffffff",
            anchor="middle",
            bold=True,
        )
        yield text(PAD + wide + 12, self.y + 17, _whose(record), size=14, fill=INK, bold=True)
        self.y += 46
        for one in wrapped(words, width=WIDTH - 2 * PAD, size=13, most=4):
            yield text(PAD, self.y, one, size=13, fill=INK)
            self.y += ROW - 2
        self.y += 6

    def _body(self) -> Iterator[str]:
        flags = Flags(self.record.verdicts, self.x, top=self.y, width=WIDTH)
        heights = [TRAFFIC, ERRORS, *([LATENCY] if self.tracks.tells_latency else []), EVIDENCE]
        frames, top = [], flags.bottom + BETWEEN - 14
        for height in heights:
            frames.append(Frame(self.x, top, height))
            top += height + BETWEEN
        bottom = frames[-1].bottom
        for frame in frames:
            yield from self._behind(frame)
        yield from flags.poles(bottom)
        yield from traffic(frames[0], self.tracks.points)
        yield from self._errors(frames[1])
        if self.tracks.tells_latency:
            yield from self._latency(frames[2])
        yield from evidence(frames[-1], self.tracks)
        yield from self._restarts(frames[0])
        yield from self._time(bottom)
        yield from flags.parts(bottom)
        self.y = bottom + 44

    def _behind(self, frame: Frame) -> Iterator[str]:
        """Shade the warm-up and what had no requests."""
        warm = min(self.record.settings.least_s, self.end)
        yield box(
            self.x(0),
            frame.top,
            self.x(warm) - self.x(0),
            frame.height,
            fill=WARM,
            title=f"warm-up: nothing passes before {clock(warm)}",
        )
        for gap in self.tracks.gaps:
            said = "off traffic after a trip" if gap.away else gap.what
            yield box(
                self.x(gap.begin), frame.top, self.x(gap.end) - self.x(gap.begin), frame.height,
                fill=AWAY if gap.away else GAP, title=f"{said}, {clock(gap.begin)} to {clock(gap.end)}",
            )  # fmt: skip

    def _errors(self, frame: Frame) -> Iterator[str]:
        settings = self.record.settings
        if self.tracks.by_share:
            title = f"{self.called}, share of the candidate's requests{_share_now(self.tracks)}"
            yield from share(frame, self.tracks, settings.unacceptable.share, title=title)
            return
        found = [(point.at, point.errors) for point in self.tracks.points]
        low, high = span(found, least=(0.45, 4.5), most=(0.05, 80.0))
        y = Scale(low, high, frame.bottom, frame.top, log=True)
        bounds = (settings.ignore.errors, settings.unacceptable.errors)
        title = f"{self.called}, times stable's share in the same seconds{_now(found)}"
        yield from ratio(frame, y, found, bounds, title=title, ticks=ERROR_TICKS)

    def _latency(self, frame: Frame) -> Iterator[str]:
        found = [(point.at, point.latency) for point in self.tracks.points]
        low, high = span(found, least=(0.75, 1.45), most=(0.2, 8.0))
        y = Scale(low, high, frame.bottom, frame.top, log=True)
        settings = self.record.settings
        bounds = (settings.ignore.latency, settings.unacceptable.latency)
        yield from ratio(
            frame,
            y,
            found,
            bounds,
            title=f"Latency, times stable's in the same seconds{_now(found)}",
            ticks=LATENCY_TICKS,
        )

    def _restarts(self, frame: Frame) -> Iterator[str]:
        for one in self.record.restarts:
            at = one.at - self.record.began_at
            yield mark(
                self.x(at), frame.bottom, fill=INK, title=f"{one.pod}: counters began anew, {clock(at)}"
            )

    def _time(self, bottom: float) -> Iterator[str]:
        step = next((each for each in STEPS_S if self.end / each <= 11), int(self.end / 10))
        for at in range(0, int(self.end) + 1, step):
            yield line((self.x(at), bottom), (self.x(at), bottom + 5), color=FAINT)
            yield text(self.x(at), bottom + 20, f"{at // 60}:{at % 60:02}", anchor="middle")
        yield text(WIDTH - PAD, bottom + 20, "min:s", anchor="end")

    def _foot(self) -> Iterator[str]:
        record, past = self.record, self.record.past
        began = datetime.fromtimestamp(record.began_at, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        usual = (
            f"usual here: {percent(past.share)} errors of {past.requests:,.0f} requests"
            if past.requests
            else "nothing known of before"
        )
        told = [
            f"On traffic since {began}",
            f"{len(record.ticks):,} ticks",
            usual,
            record.notes.line,
            record.cut,
        ]
        if found := told_apart(record, self.tracks.said):
            told.append(f"this version of the judge decides otherwise: {found[-1]}")
        yield line((PAD, self.y - 6), (WIDTH - PAD, self.y - 6))
        self.y += 12
        for one in wrapped(
            "; ".join(part for part in told if part) + ".", width=WIDTH - 2 * PAD, size=12, most=4
        ):
            yield text(PAD, self.y, one)
            self.y += ROW - 4
        self.y -= 6


def _whose(record: Record) -> str:
    about = record.about
    told = [str(about[key]) for key in ("app", "tag") if about.get(key)]
    named = [
        " ".join(told),
        str(record.gate.get("name", "")),
        f"attempt {about['attempt']}" if about.get("attempt") else "",
    ]
    return " · ".join(part for part in named if part)


def _share_now(tracks: Tracks) -> str:
    now = last([(point.at, point.share) for point in tracks.points])
    return (
        f": {percent(now.middle)} at the end (up to {percent(now.high)})" if now else ": nothing to compare"
    )


def _now(found: Banded) -> str:
    now = last(found)
    return f": {about(now.middle)} at the end ({about(now.low)} to {about(now.high)})" if now else ""
