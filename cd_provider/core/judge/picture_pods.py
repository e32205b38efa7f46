"""Each candidate pod by itself, small: for when one of them stands in the way of a verdict."""

from __future__ import annotations

from collections.abc import Iterator

from cd_provider.core.judge.bands import Band
from cd_provider.core.judge.drawing import CANDIDATE, INK, Scale, box, text
from cd_provider.core.judge.panels import LEFT, PAD, Banded, Frame, about, ratio, span
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.tracks import Tracks

EACH = (3, 262.0, 92.0)  # in a row, width, height
MOST_PODS = 12
ERROR_TICKS = (0.0625, 0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
LATENCY_TICKS = (0.25, 0.5, 0.8, 1.0, 1.25, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0)


class Pods:
    """Small multiples, from ``y`` on downwards; ``end``: seconds that the time axis has."""

    def __init__(self, settings: JudgeSettings, tracks: Tracks, *, y: float, end: float) -> None:
        self.settings, self.tracks, self.y, self.end = settings, tracks, y, end

    def parts(self) -> Iterator[str]:
        """Draw them; ``y`` is where the next thing may begin."""
        tracks = self.tracks
        columns, width, height = EACH
        what = "latency" if tracks.by_latency else self.settings.called
        shown = sorted(tracks.pods, key=lambda pod: pod not in tracks.blocked)[:MOST_PODS]
        more = (
            f"; {len(tracks.pods) - len(shown)} more are not shown" if len(tracks.pods) > len(shown) else ""
        )
        yield text(
            PAD,
            self.y + 8,
            f"Each candidate pod alone: {what}, times stable's{more}",
            size=13,
            fill=INK,
            bold=True,
        )
        self.y += 40
        found = {
            pod: [(p.at, p.pods[pod][tracks.by_latency]) for p in tracks.points if pod in p.pods]
            for pod in shown
        }
        spans = [
            span(one, least=(0.45, 4.5) if not tracks.by_latency else (0.75, 1.45), most=(0.05, 80.0))
            for one in found.values()
        ]
        low, high = min(one[0] for one in spans), max(one[1] for one in spans)
        for number, pod in enumerate(shown):
            left = LEFT + number % columns * (width + 16)
            top = self.y + number // columns * (height + 48)
            frame = Frame(Scale(0.0, self.end, left, left + width - 30), top, height)
            yield from self._pod(frame, Scale(low, high, frame.bottom, frame.top, log=True), pod, found[pod])
        self.y += -(-len(shown) // columns) * (height + 48)

    def _pod(self, frame: Frame, y: Scale, pod: str, found: Banded) -> Iterator[str]:
        settings, tracks = self.settings, self.tracks
        if pod in tracks.blocked:
            yield box(
                frame.x.begin - 36,
                frame.top - 24,
                frame.x.end - frame.x.begin + 44,
                frame.height + 32,
                fill="#fff7ed",
                stroke=CANDIDATE,
                round=5,
            )
        ticks = LATENCY_TICKS if tracks.by_latency else ERROR_TICKS
        metric = "latency" if tracks.by_latency else "errors"
        bounds = (getattr(settings.ignore, metric), getattr(settings.unacceptable, metric))
        now = last(found)
        name = short(pod)
        title = f"{name}: {about(now.middle)}" if now else f"{name}: no {self.settings.called}"
        few = (
            [tick for number, tick in enumerate(ticks) if number % 2 == 0 or len(ticks) < 6]
            if y.high / y.low > 30
            else ticks
        )
        yield from ratio(frame, y, found, bounds, title=title, ticks=few, named=False)


def short(pod: str) -> str:
    """Leave out the middle of a long name: what tells pods apart is at its end."""
    return pod if len(pod) <= 24 else f"{pod[:9]}…{pod[-14:]}"


def last(found: Banded) -> Band | None:
    """Give the last band that there is."""
    return next((band for _, band in reversed(found) if band is not None), None)
