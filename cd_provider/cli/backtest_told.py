"""What a backtest was asked for and has found, for people and as JSON."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from cd_provider.cli.screen import Screen, day, share_of, utc
from cd_provider.cli.target import Target
from cd_provider.core.judge.backtest import KINDS, Count, Tally, Tried
from cd_provider.core.judge.settings import JudgeSettings


@dataclass(frozen=True)
class Order:
    """What is to be done; times in seconds. :param pods: of the candidate; None: half."""

    target: Target
    hours: int
    settings: JudgeSettings
    starts: int
    splits: int
    pods: int | None
    seed: str


@dataclass
class Found:
    """
    What was measured so far.

    :param missing: (epoch seconds of the hour, why it was not judged). :param whole: all hours were gone through.
    """

    now: float = 0.0
    tally: Tally = field(default_factory=Tally)
    missing: list[tuple[float, str]] = field(default_factory=list)
    whole: bool = False
    fault: str = ""


def show(screen: Screen, order: Order, found: Found) -> None:
    """Print it: shares with their intervals, the worst stretches, and what was not judged."""
    tally, settings = found.tally, order.settings
    screen.say(
        f"{order.target.title}: its own pods, split at random, judged as candidate and stable for up to "
        f"{settings.max_s:g} s. Both run the same version: every FAIL and TRIP is a false one."
    )
    screen.say(
        f"{len(tally.tried)} split(s) in {tally.stretches} stretch(es) of time that do not overlap, of the "
        f"{order.hours} hours up to {utc(found.now)} UTC{'' if found.whole else ', ended half-way'}.\n"
    )
    if tally.tried:
        rows = [_row(kind, tally.count(kind)) for kind in KINDS]
        screen.table(
            ("verdict", "splits", "share", "95 % interval"), [*rows, _row("stopped at all", tally.stopped)]
        )
        screen.say(
            f"Intervals count stretches of time ({tally.stretches}), not splits: those of the same minutes are no "
            "independent witnesses. TRIP: off traffic for a while, however it ended."
        )
    for began_at, tried in tally.worst():
        screen.say(f"- {utc(began_at)} UTC: {len(tried)} stopped, such as {_said(tried[0])}")
    for line in _missing(found):
        screen.say(f"- not judged: {line}")
    if found.fault:
        screen.say(f"- ended early: {found.fault}")


def _row(name: str, count: Count) -> tuple[str, ...]:
    ends = f"{100.0 * count.low:.1f}–{100.0 * count.high:.1f} %"
    return name, f"{count.runs:,}", share_of(count.share), ends


def _said(tried: Tried) -> str:
    return f"{', '.join(tried.candidate)}: {tried.ended.line}"


def _missing(found: Found) -> list[str]:
    """Put hours of one day together that were left out for the same reason."""
    by_day: dict[tuple[str, str], int] = {}
    for at, why in found.missing:
        by_day[day(at), why] = by_day.get((day(at), why), 0) + 1
    return [f"{when} ({count} h): {why}" for (when, why), count in by_day.items()]


def as_dict(order: Order, found: Found) -> dict[str, Any]:
    """Give the same as plain JSON, with every run."""
    tally, target = found.tally, order.target
    return {
        "command": "backtest",
        "service": {"namespace": target.namespace, "name": target.service, "preset": target.preset.name},
        "gate": target.gate.as_dict(),
        "until": found.now, "hours": order.hours, "max_s": order.settings.max_s, "seed": order.seed,
        "whole": found.whole, "fault": found.fault or None,
        "splits": len(tally.tried), "stretches": tally.stretches,
        "verdicts": {kind: _count(tally.count(kind)) for kind in KINDS},
        "stopped": _count(tally.stopped),
        "not_judged": [{"at": at, "why": why} for at, why in found.missing],
        "runs": [_run(one) for one in tally.tried],
    }  # fmt: skip


def _count(count: Count) -> Mapping[str, float]:
    return {"splits": count.runs, "share": count.share, "low": count.low, "high": count.high}


def _run(one: Tried) -> dict[str, Any]:
    ended = one.ended
    return {
        "began_at": one.began_at, "candidate": list(one.candidate), "kind": ended.kind, "at_s": ended.at,
        "off_s": ended.off_s, "trips": ended.trips, "line": ended.line,
    }  # fmt: skip
