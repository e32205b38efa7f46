"""The picture of the demo: who got how much of the traffic, and how much of it failed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.demo.figures import PROMOTED, Evidence, measure
from tests.demo.observer import Sample

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BEFORE_S, AFTER_S, BUCKET_S = 5.0, 10.0, 2.0
CANDIDATE, STABLE, BOUND, GOOD, BAD = "#d97706", "#64748b", "#dc2626", "#15803d", "#b91c1c"
STYLE: Any = {"font.size": 10, "axes.spines.top": False, "axes.spines.right": False, "svg.hashsalt": "canary"}
TITLES = {"v2": "v2 is good: promoted", "v3": "v3 fails 30 % of its requests: taken back"}


def draw(path: Path, deliveries: Sequence[Evidence], *, bound: float) -> None:
    """
    Draw one column for each delivery: weight above, error share below.

    :param path: an ``.svg`` or ``.png``. :param bound: the gate's, as a share of the candidate's answers.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with rc_context(STYLE):
        figure = Figure(figsize=(11, 6), layout="constrained")
        grid: Any = figure.subplots(
            2,
            len(deliveries),
            sharex="col",
            sharey="row",
            squeeze=False,
            gridspec_kw={"height_ratios": [3, 2]},
        )
        for column, seen in enumerate(deliveries):
            _column(grid[0][column], grid[1][column], seen, bound, first=column == 0)
        for axes in grid[:, -1]:
            axes.legend(loc="center right", frameon=False, fontsize=9)
        figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None, facecolor="white")


def weight_steps(samples: Sequence[Sample]) -> list[tuple[float, int]]:
    """Give the candidate's weight at each of its changes: (epoch seconds, percent)."""
    changes: list[tuple[float, int]] = []
    for sample in samples:
        if not changes or changes[-1][1] != sample.weight:
            changes.append((sample.at, sample.weight))
    return changes


def _column(above: Axes, below: Axes, seen: Evidence, bound: float, *, first: bool) -> None:
    exposed = seen.exposed()
    origin, end = exposed or (seen.samples[0].at, seen.samples[-1].at)
    shown = min(max(end - origin, 20.0) + AFTER_S, seen.samples[-1].at - origin)
    above.set_xlim(-BEFORE_S, shown)
    _weights(above, seen, origin)
    _errors(below, seen, origin, bound)
    if seen.decided_at:
        _verdict(above, below, seen, seen.decided_at - origin)
    above.set_title(TITLES.get(seen.version, seen.version), loc="left", fontweight="bold")
    below.set_xlabel("seconds since the first user of the candidate")
    if first:
        above.set_ylabel("share of all requests [%]")
        below.set_ylabel(f"failed requests [%]\n(of {BUCKET_S:g} s each)")


def _weights(axes: Axes, seen: Evidence, origin: float) -> None:
    changes = weight_steps(seen.samples)
    last = seen.samples[-1].at
    times = [at - origin for at, _ in changes] + [last - origin]
    weights = [float(weight) for _, weight in changes] + [float(changes[-1][1])]
    axes.fill_between(times, weights, step="post", color=CANDIDATE, alpha=0.25, linewidth=0)
    axes.step(
        times,
        weights,
        where="post",
        color=CANDIDATE,
        linewidth=2,
        label="weight of the candidate, at the gateway",
    )
    began, ended = axes.get_xlim()
    answered = seen.record.between(origin + began, origin + ended).share(seen.version, bucket_s=BUCKET_S)
    axes.plot(*_percent(answered, origin), color=STABLE, linewidth=1, label="answers of its version")
    for (at, weight), until in zip(changes, [at for at, _ in changes[1:]] + [last], strict=True):
        if weight and until - at > 1.5:
            middle = (at + until) / 2 - origin
            axes.text(
                middle,
                weight / 2,
                f"{weight} %",
                ha="center",
                va="center",
                color=CANDIDATE,
                fontweight="bold",
            )
    axes.set_ylim(0, 120)
    axes.set_yticks(range(0, 101, 25))


def _errors(axes: Axes, seen: Evidence, origin: float, bound: float) -> None:
    began, ended = axes.get_xlim()
    everybody = seen.record.between(origin + began, origin + ended)
    candidate = seen.record.between(origin + began, seen.decided_at or origin + ended)
    axes.plot(
        *_percent(candidate.error_share(seen.version, bucket_s=BUCKET_S), origin),
        color=CANDIDATE, marker="o", markersize=3, linewidth=1.5, label="of those who got the candidate",
    )  # fmt: skip
    axes.plot(*_percent(everybody.error_share(bucket_s=BUCKET_S), origin), color=STABLE, label="of all users")
    axes.axhline(
        100 * bound,
        color=BOUND,
        linestyle="--",
        linewidth=1,
        label=f"allowed of the candidate: {100 * bound:g} %",
    )
    axes.set_ylim(-3, 85)
    axes.set_yticks(range(0, 76, 25))


def _percent(shares: Sequence[tuple[float, float]], origin: float) -> tuple[list[float], list[float]]:
    """Put each bucket at its middle, in seconds since ``origin``."""
    return [at - origin + BUCKET_S / 2 for at, _ in shares], [100 * share for _, share in shares]


def _verdict(above: Axes, below: Axes, seen: Evidence, at: float) -> None:
    good = seen.verdict == PROMOTED
    color = GOOD if good else BAD
    for axes in (above, below):
        axes.axvline(at, color=color, linewidth=1.5, linestyle=":")
    figures = measure(seen)
    text = (
        "verdict: pass"
        if good
        else f"verdict: fail\n{figures.failed_requests} of {figures.requests}\nrequests failed"
    )
    above.annotate(
        text, (at, 118), xytext=(6, 0), textcoords="offset points", va="top", color=color, fontweight="bold"
    )
