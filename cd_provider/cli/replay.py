"""``cd-provider replay``: whether a canary's record gives the same verdicts again; no network."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cd_provider.cli.screen import Screen, add_output, check_writable, utc, write_json
from cd_provider.core.judge.record import Record
from cd_provider.core.judge.replay import differences
from cd_provider.core.judge.replay import replay as judged_again
from cd_provider.core.judge.story import clock
from cd_provider.core.judge.verdict import Judged
from cd_provider.exceptions import ArgumentError, RecordRefusedError


def add_replay(parser: argparse.ArgumentParser) -> None:
    """Add what it takes."""
    add_record(parser)
    add_output(parser)


def add_record(parser: argparse.ArgumentParser) -> None:
    """Add the record, and its picture."""
    parser.add_argument(
        "file", help="the record, as text or as the canary's task keeps it (XCom); - is the standard input"
    )
    parser.add_argument("--svg", metavar="FILE", help="write the picture that explains the verdict")


def replay(given: argparse.Namespace) -> int:
    """
    Judge the record again, print what comes out.

    :raises RecordRefusedError: it is no record that this version judges.
    """
    check_writable(given.json)
    check_writable(given.svg)
    record = read_record(given.file)
    try:
        said, differ = judged_again(record), differences(record)
    except ArgumentError as err:
        raise RecordRefusedError(f"{given.file}: this version does not judge it: {err}") from err
    screen = Screen(quiet=given.quiet)
    if given.json != "-":
        screen.say(title(record))
        show_verdicts(screen, said, record)
        for line in differ or [f"the same as recorded: {len(said)} verdict(s), each at the same tick"]:
            screen.say(f"- {line}")
        for line in (record.cut, record.notes.line):
            if line:
                screen.say(f"- {line}")
    write_svg(given.svg, record, screen)
    write_json(
        given.json,
        {
            "command": "replay", "about": dict(record.about), "same": not differ, "differences": differ,
            "verdicts": [told(one) for one in said], "recorded": [told(one) for one in record.verdicts],
        },
    )  # fmt: skip
    return 1 if differ else 0


def read_record(path: str) -> Record:
    """
    Read a record from a file.

    :raises ArgumentError: there is no such file. :raises RecordRefusedError: it is no record.
    """
    try:
        text = sys.stdin.read() if path == "-" else Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as err:
        raise RecordRefusedError(f"{path}: saw bytes that are no text, expected a record.") from err
    except OSError as err:
        raise ArgumentError(f"{path!r} cannot be read: {err.strerror}.") from err
    try:
        return Record.read(text.strip().strip('"'))  # an XCom that was printed as JSON is in quotes
    except ArgumentError as err:
        raise RecordRefusedError(f"{path}: {err}") from err


def title(record: Record) -> str:
    """Say whose record it is."""
    about = record.about
    who = about.get("app") or about.get("workload") or "a canary"
    image = f" {about['tag'] or about['image']}" if about.get("image") else ""
    count = {side: len(pods(record, side)) for side in ("candidate", "stable")}
    return (
        f"{who}{image}: {len(record.ticks)} ticks from {utc(record.began_at)} UTC on, at {count['candidate']} "
        f"candidate and {count['stable']} stable pod(s)\n"
    )


def pods(record: Record, side: str) -> tuple[str, ...]:
    """Give the pods of a side that are in its ticks."""
    return tuple(sorted({pod for tick in record.ticks for pod in getattr(tick, side)}))


def show_verdicts(screen: Screen, said: Sequence[Judged], record: Record) -> None:
    """Print them, with a word on whether the record has the same."""
    recorded = {one.at: one for one in record.verdicts}
    rows = [
        (clock(one.at), one.kind, one.lane or one.reason or "–", _same(one, recorded.get(one.at)))
        for one in said
    ]
    screen.table(("after", "verdict", "by", "recorded"), rows or [("–", "none", "–", "–")])
    for one in said:
        screen.say(one.line)
    screen.say()


def _same(one: Judged, recorded: Judged | None) -> str:
    if recorded is None:
        return "nothing"
    return "the same" if one == recorded else recorded.kind


def write_svg(path: str | None, record: Record, screen: Screen) -> None:
    """Draw the record into a file."""
    if path is None:
        return
    from cd_provider.core.judge.picture import picture

    try:
        Path(path).write_text(picture(record), encoding="utf-8")
    except OSError as err:
        raise ArgumentError(f"{path!r} cannot be written: {err.strerror}.") from err
    screen.remark(f"the picture is in {path}")


def told(one: Judged) -> Mapping[str, Any]:
    """Give a verdict as plain JSON."""
    return {"at_s": one.at, "kind": one.kind, "lane": one.lane, "reason": one.reason, "line": one.line}
