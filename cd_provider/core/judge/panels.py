"""The panels of a record's picture: each a scale, a few lines, and words at its borders."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cd_provider.core.judge.bands import Band
from cd_provider.core.judge.drawing import (
    BOUND,
    CANDIDATE,
    INK,
    QUIET,
    STABLE,
    Corner,
    Scale,
    apart,
    area,
    line,
    path,
    text,
)
from cd_provider.core.judge.story import percent
from cd_provider.core.judge.tracks import Point, Tracks

PAD, ROW = 24.0, 20.0  # around a sheet, and from one line of words to the next
LEFT, RIGHT = 62.0, 162.0  # room for numbers, and for the names of lines
LABEL_STEP = 15.0
LANE_LOOK = {
    "clear errors": ("#b45309", ""), "clear latency": ("#0369a1", ""),
    "subtle errors": ("#b45309", "5 3"), "subtle latency": ("#0369a1", "5 3"),
}  # fmt: skip
Banded = Sequence[tuple[float, Band | None]]


@dataclass(frozen=True)
class Frame:
    """Where a panel lies, in pixels; ``x`` maps seconds of the canary."""

    x: Scale
    top: float
    height: float

    @property
    def bottom(self) -> float:
        return self.top + self.height

    def title(self, words: str, *, size: float = 13) -> str:
        return text(self.x.begin, self.top - 8, words, size=size, fill=INK, bold=True, halo=True)

    def grid(self, y: Scale, ticks: Iterable[tuple[float, str]], *, size: float = 12) -> Iterator[str]:
        for value, words in ticks:
            if y.low <= value <= y.high:
                yield line((self.x.begin, y(value)), (self.x.end, y(value)))
                yield text(self.x.begin - 7, y(value) + 4, words, size=size, anchor="end")

    def beside(self, y: Scale, named: Sequence[tuple[float, str, str]]) -> Iterator[str]:
        """Write names at the right, at their lines' height: (value, words, color)."""
        wanted = [y(value) for value, _, _ in named]
        placed = apart(wanted, least=LABEL_STEP, low=self.top + 4, high=self.bottom)
        for (_, words, color), at in zip(named, placed, strict=True):
            yield text(self.x.end + 8, at + 4, words, fill=color)


def traffic(frame: Frame, points: Sequence[Point]) -> Iterator[str]:
    """Draw how many requests a second each side had."""
    most = nice(max((max(point.rates) for point in points), default=1.0))
    y = Scale(0.0, most, frame.bottom, frame.top)
    yield frame.title("Requests per second")
    yield from frame.grid(y, [(0.0, "0"), (most, f"{most:,g}")])
    for side, color in ((1, STABLE), (0, CANDIDATE)):
        corners = [(frame.x(point.at), y(point.rates[side])) for point in points]
        yield path(stairs(corners, frame.x.begin), color=color)
    late = points[-5:]
    last = tuple(sum(point.rates[side] for point in late) / len(late) for side in (0, 1))
    yield from frame.beside(
        y, [(last[0], f"candidate {rate(last[0])}", CANDIDATE), (last[1], f"stable {rate(last[1])}", STABLE)]
    )


def ratio(
    frame: Frame,
    y: Scale,
    found: Banded,
    bounds: tuple[float, float],
    *,
    title: str,
    ticks: Sequence[float],
    named: bool = True,
    size: float = 12,
) -> Iterator[str]:
    """Draw how many times stable's, with its band, and what is ignored and what is unacceptable."""
    ignore, unacceptable = bounds
    yield frame.title(title, size=13 if named else 12)
    yield from frame.grid(y, [(value, times(value)) for value in ticks], size=size)
    yield from banded(frame, y, found, width=2.5 if named else 2)
    for value, color, dash in ((ignore, QUIET, "2 3"), (unacceptable, BOUND, "6 3")):
        yield line((frame.x.begin, y(value)), (frame.x.end, y(value)), color=color, width=1.5, dash=dash)
    if named:
        yield from frame.beside(
            y,
            [
                (unacceptable, f"unacceptable {times(unacceptable)}", BOUND),
                (ignore, f"ignored to {times(ignore)}", QUIET),
            ],
        )


def evidence(frame: Frame, tracks: Tracks) -> Iterator[str]:
    """Draw the odds of each lane against what convicts, by powers of ten."""
    seen = [odds for point in tracks.points for odds in point.odds.values()]
    most = min(1e6, max(1e3, 10.0 ** math.ceil(math.log10(max([*seen, 1.0])))))
    y = Scale(1e-2, most, frame.bottom, frame.top, log=True)
    yield frame.title("Evidence against the candidate, odds to 1 (by powers of ten)")
    step = 2 if most > 1e4 else 1
    decades = range(-2, round(math.log10(most)) + 1, step)
    yield from frame.grid(y, [(10.0**power, odds_said(10.0**power)) for power in decades])
    for limit in sorted(set(tracks.limits.values())):
        yield line((frame.x.begin, y(limit)), (frame.x.end, y(limit)), color=BOUND, width=1.5, dash="6 3")
    for lane, (color, dash) in LANE_LOOK.items():
        corners = [(frame.x(point.at), y(point.odds[lane])) for point in tracks.points if lane in point.odds]
        if corners:
            yield path(corners, color=color, dash=dash)
    for lane in blocked_lanes(tracks):
        corners = [(frame.x(point.at), y(point.weakest[lane])) for point in tracks.points]
        yield path(corners, color=LANE_LOOK[lane][0], width=1.5, dash="1 3")
    kinds = {lane.split()[0]: limit for lane, limit in tracks.limits.items()}
    yield from frame.beside(
        y, [(limit, f"{kind}: fails at {limit:.0f}", BOUND) for kind, limit in kinds.items()]
    )


def blocked_lanes(tracks: Tracks) -> list[str]:
    """Name the clear lane of which it is also told what is left without the pod that stood in the way."""
    return [f"clear {'latency' if tracks.by_latency else 'errors'}"] if tracks.blocked else []


def share(frame: Frame, tracks: Tracks, unacceptable: float, *, title: str) -> Iterator[str]:
    """Draw the candidate's errors per request with their band: what counts where stable is no measure."""
    found = [(point.at, point.share) for point in tracks.points]
    y = Scale(
        1e-4,
        1.0 if any(band and band.middle > 0.09 for _, band in found) else 0.1,
        frame.bottom,
        frame.top,
        log=True,
    )
    yield frame.title(title)
    yield from frame.grid(y, [(10.0**power, percent(10.0**power)) for power in range(-4, 1)])
    yield from banded(frame, y, found, width=2.5)
    yield line(
        (frame.x.begin, y(unacceptable)), (frame.x.end, y(unacceptable)), color=BOUND, width=1.5, dash="6 3"
    )
    yield from frame.beside(y, [(unacceptable, f"unacceptable {percent(unacceptable)}", BOUND)])


def banded(frame: Frame, y: Scale, found: Banded, *, width: float) -> Iterator[str]:
    """Draw bands, and the lines in them."""
    runs = list(stretches(found))
    for run in runs:
        if len(run) > 1:
            upper, lower = ([(frame.x(at), y(end)) for at, end in ends] for ends in _ends(run))
            yield area(upper, lower, fill=CANDIDATE)
    for run in runs:
        yield path([(frame.x(at), y(band.middle)) for at, band in run], color=CANDIDATE, width=width)


def _ends(run: Sequence[tuple[float, Band]]) -> tuple[list[Corner], list[Corner]]:
    return [(at, band.high) for at, band in run], [(at, band.low) for at, band in run]


def stretches(found: Banded) -> Iterator[list[tuple[float, Band]]]:
    """Cut where there is no band."""
    run: list[tuple[float, Band]] = []
    for at, band in found:
        if band is not None:
            run.append((at, band))
        elif run:
            yield run
            run = []
    if run:
        yield run


def span(found: Banded, *, least: tuple[float, float], most: tuple[float, float]) -> tuple[float, float]:
    """Give a range that shows every middle of the later three quarters, and the last band."""
    bands = [band for _, band in found if band is not None]
    later = bands[len(bands) // 4 :]
    ends = [
        end for band in bands[-1:] for end in (band.low, band.high) if least[0] / 4 <= end <= least[1] * 4
    ]
    shown = [value for value in [*(band.middle for band in later), *ends] if 0.0 < value < math.inf]
    low, high = (
        min([least[0], *(value * 0.9 for value in shown)]),
        max([least[1], *(value * 1.1 for value in shown)]),
    )
    return max(low, most[0]), min(high, most[1])


def stairs(corners: Sequence[Corner], begin: float) -> list[Corner]:
    """Make each height last from the corner before."""
    found, before = [], begin
    for x, y in corners:
        found += [(before, y), (x, y)]
        before = x
    return found


def nice(value: float) -> float:
    """Give the next of 1, 2, 5, 10, 20 … that is not less."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(power * part for part in (1, 2, 3, 4, 5, 6, 8, 10) if power * part >= value - 1e-9)


def rate(value: float) -> str:
    return f"{value:,.0f}/s" if value >= 10 else f"{value:.2g}/s"


def times(value: float) -> str:
    """Write so many times: ``1.25x``, ``1/8x``."""
    return f"1/{1 / value:.0f}x" if value <= 0.5 else f"{value:.3g}x"


def about(value: float) -> str:
    """Write about so many times: ``0.77x``, ``12x``."""
    return f"{value:.2f}x" if value < 10 else f"over {1000:,}x" if value > 1000 else f"{value:.0f}x"


def odds_said(value: float) -> str:
    if value < 1:
        return f"1/{1 / value:,.0f}"
    return (
        f"{value:,.0f}" if value < 1e4 else f"{value / 1e3:,.0f}k" if value < 1e6 else f"{value / 1e6:,.0f}M"
    )
