"""A record judged again, and where that differs from what was said."""

from __future__ import annotations

from collections.abc import Iterable

from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.record import Record
from cd_provider.core.judge.story import clock
from cd_provider.core.judge.verdict import Judged


def replay(record: Record) -> list[Judged]:
    """
    Judge the record's ticks again, by a fresh judge.

    :returns: every verdict; those of the record, unless another version of the judge decides otherwise.
    :raises ArgumentError: the record's gate is none of this version.
    """
    judge = Judge(record.settings, began_at=record.began_at, past=record.past)
    return [judged for tick in record.ticks if (judged := judge.step(tick)) is not None]


def differences(record: Record) -> list[str]:
    """Say in sentences where a replay differs: which tick, what was recorded, what came out; empty: nowhere."""
    return told_apart(record, replay(record))


def told_apart(record: Record, said: Iterable[Judged]) -> list[str]:
    """Say the same of verdicts that came out already."""
    recorded, found = ({one.at: one for one in which} for which in (record.verdicts, said))
    told = [
        f"at {clock(at)} ({at:g} s) {_said(recorded.get(at), 'was recorded')}, {_said(found.get(at), 'came out')}"
        for at in sorted({*recorded, *found})
        if recorded.get(at) != found.get(at)
    ]
    return [f"a replay need not give the same: {record.cut}", *told] if told and record.cut else told


def _said(judged: Judged | None, what: str) -> str:
    if judged is None:
        return f"nothing {what}"
    beside = ", ".join(part for part in (judged.lane, judged.reason, judged.need) if part)
    return f"“{judged.line}”{f' ({beside})' if beside else ''} {what}"
