"""A picture of the same: how many canaries each judge has stopped by when, for each regression."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from html import escape

from benchmarks.canary_bench.measures import seconds_to_fail
from benchmarks.canary_bench.regressions import REGRESSIONS
from benchmarks.canary_bench.run import Row
from benchmarks.canary_bench.samples import HORIZON_S

COLORS = (
    "#d62728",
    "#1f77b4",
    "#2ca02c",
    "#9467bd",
    "#ff7f0e",
    "#8c564b",
    "#17becf",
    "#7f7f7f",
    "#bcbd22",
    "#e377c2",
)
WIDTH, HEIGHT, MARGIN, COLUMNS = 250, 150, 44, 4
LEGEND = 34

Times = Mapping[str, Sequence[float | None]]
"""Judge → second in which each run was stopped; None: it was not."""


def picture(rows: Iterable[Row]) -> str:
    """Draw an SVG: a panel for each regression, a line for each judge; a healthy candidate's line should stay at 0."""
    panels: dict[str, dict[str, list[float | None]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        time = seconds_to_fail(row.outcome, row.regression)
        panels[row.regression][row.judge].append(time)
    names = [name for name in REGRESSIONS if name in panels]
    judges = sorted({judge for panel in panels.values() for judge in panel})
    colors = {judge: COLORS[number % len(COLORS)] for number, judge in enumerate(judges)}
    wide = COLUMNS * (WIDTH + MARGIN) + MARGIN
    high = LEGEND + -(-len(names) // COLUMNS) * (HEIGHT + MARGIN) + MARGIN // 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" font-family="sans-serif" '
        'font-size="11">',
        f'<rect width="{wide}" height="{high}" fill="white"/>',
        *legend(colors),
    ]
    for number, name in enumerate(names):
        left = MARGIN + number % COLUMNS * (WIDTH + MARGIN)
        top = LEGEND + MARGIN // 2 + number // COLUMNS * (HEIGHT + MARGIN)
        parts.append(f'<g transform="translate({left},{top})">{panel(name, panels[name], colors)}</g>')
    return "\n".join([*parts, "</svg>"]) + "\n"


def legend(colors: Mapping[str, str]) -> list[str]:
    return [
        f'<text x="{MARGIN + 130 * number}" y="20" fill="{color}" font-weight="bold">{escape(judge)}</text>'
        for number, (judge, color) in enumerate(colors.items())
    ]


def panel(name: str, times: Times, colors: Mapping[str, str]) -> str:
    """Draw one regression: share stopped (0–100 %) over seconds since it began."""
    whole = HORIZON_S - REGRESSIONS[name].from_s
    lines = [
        f'<text x="0" y="-6">{escape(name)}: stopped % over s</text>',
        *(grid_line(share) for share in (0, 50, 100)),
        *(
            f'<text x="{WIDTH * part / 3:.0f}" y="{HEIGHT + 14}" text-anchor="middle">{whole * part / 3:.0f}</text>'
            for part in range(4)
        ),
    ]
    for judge, found in times.items():
        points = " ".join(f"{x * WIDTH:.1f},{(1 - y) * HEIGHT:.1f}" for x, y in steps(found, whole))
        lines.append(f'<polyline fill="none" stroke="{colors[judge]}" stroke-width="1.6" points="{points}"/>')
    return "".join(lines)


def grid_line(share: int) -> str:
    y = HEIGHT * (1 - share / 100)
    return (
        f'<line x1="0" x2="{WIDTH}" y1="{y:.1f}" y2="{y:.1f}" stroke="#ccc"/>'
        f'<text x="-6" y="{y + 4:.1f}" text-anchor="end">{share}</text>'
    )


def steps(found: Sequence[float | None], whole: float) -> list[tuple[float, float]]:
    """Give the corners of the share that was stopped by then; both axes 0–1."""
    corners, share = [(0.0, 0.0)], 0.0
    for time, count in sorted(Counter(time for time in found if time is not None).items()):
        corners.append((time / whole, share))
        share += count / len(found)
        corners.append((time / whole, share))
    return [*corners, (1.0, share)]
