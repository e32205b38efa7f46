"""``cd-provider rejudge``: a recorded canary, read from Prometheus again and judged anew."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cd_provider.cli.reader import HOUR_S, Reader
from cd_provider.cli.reader import ticks as ticks_of
from cd_provider.cli.replay import add_record, pods, read_record, show_verdicts, title, told, write_svg
from cd_provider.cli.screen import Screen, add_output, check_writable, utc, write_json
from cd_provider.cli.session import Session
from cd_provider.cli.target import Target, add_server
from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.history import by_unit
from cd_provider.core.judge.past import Past, look_back
from cd_provider.core.judge.record import Record
from cd_provider.core.judge.replay import replay as judged_again
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge.story import clock, percent
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.names import candidate_name
from cd_provider.exceptions import ArgumentError, RecordRefusedError

OVERLAP = 4  # intervals before the first user, by which an old counter is told from a newborn one
SIDES = ("candidate", "stable")


def add_rejudge(parser: argparse.ArgumentParser) -> None:
    """Add what it takes."""
    add_record(parser)
    add_server(parser)
    parser.add_argument(
        "--service", metavar="NAME", help="stable's Service (default: as the workload in the record)"
    )
    add_output(parser)


@dataclass(frozen=True)
class Compared:
    """
    The record's ticks beside what is read now.

    :param alike: ticks. :param differ: (side, pod) → the ticks' ends that say something else. :param gone: the same,
        of those that have nothing now.
    """

    alike: int
    differ: Mapping[tuple[str, str], Sequence[float]]
    gone: Mapping[tuple[str, str], Sequence[float]]


def rejudge(given: argparse.Namespace) -> int:
    """
    Read the same sides and seconds again, judge, print where it differs.

    :raises RecordRefusedError: it is no record that this version judges, or says too little about whose it is.
    :raises CdProviderError: nothing can be read.
    """
    check_writable(given.json)
    check_writable(given.svg)
    record, screen = read_record(given.file), Screen(quiet=given.quiet)
    target = _target(record, given)
    with Session(given, target, screen) as session:
        again = session.run(_read(session.reader, target, record))
    said, compared = judged_again(again), compare(record, again)
    same = [_core(one) for one in said] == [_core(one) for one in record.verdicts]
    lines = [
        *_verdict_lines(said, record, same=same),
        *_tick_lines(compared, record),
        *_past_lines(record, again),
    ]
    if given.json != "-":
        screen.say(title(record))
        show_verdicts(screen, said, record)
        for line in lines:
            screen.say(f"- {line}")
    if again.ticks:
        write_svg(given.svg, replace(again, verdicts=tuple(said)), screen)
    write_json(given.json, _as_dict(record, said, compared, same=same, lines=lines))
    return 0 if same and not compared.gone else 1


def _target(record: Record, given: argparse.Namespace) -> Target:
    try:
        gate = JudgeGate.parse(record.gate)
    except ArgumentError as err:
        raise RecordRefusedError(f"{given.file}: this version does not judge it: {err}") from err
    about = record.about
    namespace = about.get("namespace")
    service = given.service or about.get("service") or str(about.get("workload") or "").rpartition("/")[2]
    if not namespace or not service:
        raise RecordRefusedError(
            f"{given.file}: its `about` has namespace {namespace!r} and workload {about.get('workload')!r}, expected "
            "both: they say whose counters to read. Give --service where only the workload is missing."
        )
    if not record.ticks:
        raise RecordRefusedError(
            f"{given.file}: it has no ticks, so that there are no seconds to read again."
        )
    return Target(str(namespace), str(service), "", gate)


async def _read(reader: Reader, target: Target, record: Record) -> Record:
    """Give the record with the ticks, and the past, that the server has now."""
    theirs = target.by_pod
    sides = Sides(
        target.namespace, candidate_name(target.service), target.service,
        pods(record, "candidate") if theirs else (), pods(record, "stable") if theirs else (),
    )  # fmt: skip
    interval_s, began_at, ends_at = record.ticks[0].span_s, record.began_at, record.ticks[-1].at
    since = began_at - OVERLAP * interval_s
    series = await reader.read(sides, since, ends_at + 2 * interval_s)
    aligner = Aligner(started_at=began_at, interval_s=interval_s)
    wanted = {round(tick.at, 3) for tick in record.ticks}
    ticks = [
        tick for tick in aligner.feed(by_unit(series, target.preset.unit)) if round(tick.at, 3) in wanted
    ]
    past = record.past
    if past.requests:
        before = await reader.read(replace(sides, candidate_pods=()), began_at - HOUR_S, began_at)
        stable = [one for one in before if one.side == "stable"]
        past = look_back(ticks_of(target, tuple(stable), interval_s))
    return replace(record, ticks=tuple(ticks), past=past, notes=aligner.notes, cut="")


def compare(record: Record, again: Record) -> Compared:
    """Set the ticks side by side."""
    now = {round(tick.at, 3): tick for tick in again.ticks}
    differ: dict[tuple[str, str], list[float]] = {}
    gone: dict[tuple[str, str], list[float]] = {}
    alike = 0
    for tick in record.ticks:
        found = list(_unlike(tick, now.get(round(tick.at, 3))))
        alike += not found
        for side, pod, there in found:
            (differ if there else gone).setdefault((side, pod), []).append(tick.at)
    return Compared(alike, differ, gone)


def _unlike(tick: Tick, now: Tick | None) -> Iterator[tuple[str, str, bool]]:
    """Give (side, pod, whether there is anything now) of each pod that has something else than it had."""
    for side in SIDES:
        then: Mapping[str, Counts] = getattr(tick, side)
        found: Mapping[str, Counts] = getattr(now, side) if now is not None else {}
        for pod in sorted({*then, *found}):
            if pod not in found:
                yield side, pod, False
            elif found[pod] != then.get(pod):
                yield side, pod, True


def _core(one: Judged) -> tuple[float, str, str]:
    return round(one.at, 3), one.kind, one.lane


def _verdict_lines(said: Sequence[Judged], record: Record, *, same: bool) -> list[str]:
    if same:
        return [f"the same as recorded: {len(said)} verdict(s), each at the same tick"]
    then, now = (
        ", ".join(f"{one.kind} {clock(one.at)}" for one in which) or "none"
        for which in (record.verdicts, said)
    )
    return [f"other verdicts than recorded: {then} then, {now} now"]


def _tick_lines(compared: Compared, record: Record) -> list[str]:
    told = [f"{compared.alike} of {len(record.ticks)} ticks are as they were recorded"]
    told += [f"{side} {pod}: gone in {_when(ats)}" for (side, pod), ats in sorted(compared.gone.items())]
    told += [
        f"{side} {pod}: other counts in {_when(ats)}" for (side, pod), ats in sorted(compared.differ.items())
    ]
    return told


def _when(ats: Sequence[float]) -> str:
    return f"{len(ats)} tick(s), from {utc(ats[0])} to {utc(ats[-1])} UTC"


def _past_lines(record: Record, again: Record) -> list[str]:
    if record.past == again.past:
        return []
    return [f"the hour before: {_usual(record.past)} then, {_usual(again.past)} now"]


def _usual(past: Past) -> str:
    if not past.requests:
        return "nothing known"
    return f"{percent(past.share)} errors of {past.requests:,.0f} requests"


def _as_dict(
    record: Record, said: Sequence[Judged], compared: Compared, *, same: bool, lines: Sequence[str]
) -> dict[str, Any]:
    def plain(which: Mapping[tuple[str, str], Sequence[float]]) -> list[dict[str, Any]]:
        return [{"side": side, "pod": pod, "ticks": list(ats)} for (side, pod), ats in sorted(which.items())]

    return {
        "command": "rejudge", "about": dict(record.about), "same": same, "ticks": len(record.ticks),
        "ticks_alike": compared.alike, "gone": plain(compared.gone), "other_counts": plain(compared.differ),
        "verdicts": [told(one) for one in said], "recorded": [told(one) for one in record.verdicts],
        "remarks": list(lines),
    }  # fmt: skip
