"""
The record of a judged canary: the log of judged increments, and what came of it.

It replays to the same verdicts at the same ticks, on any machine: a judge asks nothing but its settings, what was usual
before, and its ticks. It holds no counter's total and nothing secret.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from cd_provider.core.judge.counts import Tick, check
from cd_provider.core.judge.draft import MOST_PACKED, Draft
from cd_provider.core.judge.packed import unpack
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.record_text import (
    Given,
    Tables,
    compact,
    count,
    edges_plain,
    edges_read,
    judged_plain,
    judged_read,
    listed,
    number,
    of,
    past_plain,
    past_read,
    plain,
    tick_read,
    wrong,
)
from cd_provider.core.judge.series import Notes, Restart
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.verdict import Judged
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.exceptions import ArgumentError

WHAT, VERSION = "cd_provider judge record", 1
KEYS = (
    "what", "version", "about", "gate", "max_s", "began_at", "past", "notes", "restarts", "cut", "pods", "edges",
    "verdicts", "ticks",
)  # fmt: skip
LONGEST_S = 31 * 86_400.0  # of a canary that is read


@dataclass(frozen=True)
class Record:
    """
    One canary as its judge saw it.

    :param about: plain JSON that says whose it is: app, release, image digest, gates hash, attempt, namespace.
    :param gate: what ``JudgeGate.as_dict()`` gives. :param max_s: how long the canary might last.
    :param began_at: epoch seconds at which the candidate took traffic. :param past: what was usual before that.
    :param ticks: all that were judged, in order. :param verdicts: all that were said.
    :param notes: what was odd in the samples. :param restarts: when counters began anew.
    :param cut: what was left out for want of room, for people; empty: nothing. :param version: of the format.
    """

    about: Mapping[str, Any]
    gate: Mapping[str, Any]
    max_s: float
    began_at: float
    past: Past
    ticks: tuple[Tick, ...]
    verdicts: tuple[Judged, ...] = ()
    notes: Notes = field(default_factory=Notes)
    restarts: tuple[Restart, ...] = ()
    cut: str = ""
    version: int = VERSION

    @property
    def settings(self) -> JudgeSettings:
        """The judge's numbers, by the gate; raises ArgumentError where the gate is none."""
        return JudgeGate.parse(self.gate).settings(max_s=self.max_s)

    def as_text(self) -> str:
        """
        Write it as JSON that :meth:`read` takes, a tick a line: ``[at, span_s, edges, candidate, stable]``.

        A side is a list of ``[pod, requests, errors, bucket, …]``; pods and edges are numbers in tables, ``-3`` stands
        for three buckets with 0.

        :raises ArgumentError: a tick holds what no counter can do, or ``about`` what is no JSON.
        """
        return self._draft().text()

    def packed(self, *, most: int = MOST_PACKED) -> str:
        """
        Write it as gzip in base64, in at most ``most`` characters.

        Where that is too little the oldest ticks lose their latency buckets, at last the ticks themselves; ``cut`` of
        what is read again says so.
        """
        return self._draft().packed(most=most)

    def _draft(self) -> Draft:
        recorder = Recorder(
            about=self.about, gate=self.gate, max_s=self.max_s, began_at=self.began_at, past=self.past
        )
        for tick in self.ticks:
            recorder.add(tick)
        recorder.verdicts = list(self.verdicts)
        recorder.odd(self.notes, self.restarts)
        return replace(recorder.draft(), cut=self.cut)

    @classmethod
    def read(cls, text: str) -> Record:
        """
        Read what :meth:`as_text` or :meth:`packed` gave.

        :raises ArgumentError: it is no record, or one of another version; says which key, and what was seen.
        """
        whole = text if text.lstrip().startswith("{") else unpack(text)
        try:
            value = json.loads(whole)
        except (ValueError, RecursionError) as err:
            raise ArgumentError(f"record: saw {whole[:40]!r} ({err}), expected JSON.") from err
        return _read(value)


class Recorder:
    """
    Collects a record while a judge goes on; each tick is kept as a line of text, a fifth of its size in memory.

    The arguments are those of :class:`Record`.
    """

    def __init__(
        self, *, about: Mapping[str, Any], gate: Mapping[str, Any], max_s: float, began_at: float, past: Past
    ) -> None:
        self._head = {
            "what": WHAT, "version": VERSION, "about": dict(about), "gate": dict(gate), "max_s": plain(max_s),
            "began_at": plain(began_at), "past": past_plain(past),
        }  # fmt: skip
        self._tables = Tables()
        self._lines: list[str] = []
        self.verdicts: list[Judged] = []
        self._notes, self._restarts = Notes(), list[Restart]()

    def add(self, tick: Tick, judged: Judged | None = None) -> None:
        """
        Take a tick that was judged, and what was said.

        :raises ArgumentError: it holds what no counter can do.
        """
        check(tick)
        self._lines.append(self._tables.line(tick))
        if judged is not None:
            self.verdicts.append(judged)

    @property
    def ticks(self) -> int:
        """How many it holds."""
        return len(self._lines)

    def odd(self, notes: Notes, restarts: Iterable[Restart]) -> None:
        """Take what is odd so far, in place of what was taken before."""
        self._notes, self._restarts = replace(notes), list(restarts)

    def draft(self) -> Draft:
        """
        Give the record as it stands, to be written whenever there is time.

        :raises ArgumentError: ``about`` or the gate is no JSON.
        """
        restarts = [[plain(one.at), self._tables.pod(one.pod)] for one in self._restarts]
        head = {
            **self._head, "notes": asdict(self._notes), "restarts": restarts, "pods": list(self._tables.pods),
            "edges": [edges_plain(edges) for edges in self._tables.edges],
            "verdicts": [judged_plain(one) for one in self.verdicts],
        }  # fmt: skip
        try:
            compact(head)
        except (TypeError, ValueError) as err:
            raise ArgumentError(f"record: saw what is no JSON ({err}), expected plain JSON.") from err
        return Draft(head, tuple(self._lines))

    def record(self) -> Record:
        """Give it as it stands."""
        return Record.read(self.draft().text())


def _read(value: Any) -> Record:
    if not isinstance(value, dict) or value.get("what") != WHAT:
        raise wrong("record, what", value.get("what") if isinstance(value, dict) else value, repr(WHAT))
    if value.get("version") != VERSION:
        raise wrong("record, version", value.get("version"), f"{VERSION}: another cd_provider wrote it")
    given = Given(value, "record", keys=KEYS)
    pods = given.each("pods", lambda name, where: str(of(name, where, str, "a pod's name")))
    edges = given.each("edges", edges_read)
    began_at = given.get("began_at", number)
    ticks = given.each("ticks", lambda tick, where: tick_read(tick, where, pods, edges))
    _check_times(ticks, began_at)
    return Record(
        about=given.get("about", _object), gate=given.get("gate", _object), max_s=given.get("max_s", number),
        began_at=began_at, past=given.get("past", past_read),
        ticks=ticks,
        verdicts=given.each("verdicts", judged_read), notes=given.get("notes", _notes),
        restarts=given.each("restarts", lambda one, where: _restart(one, where, pods)), cut=given.text("cut"),
    )  # fmt: skip


def _check_times(ticks: Sequence[Tick], began_at: float) -> None:
    """Refuse what no canary lasts: a judge goes through every minute of it."""
    before = began_at
    for place, tick in enumerate(ticks):
        if not before < tick.at <= began_at + LONGEST_S or tick.span_s <= 0:
            raise wrong(
                f"record, ticks[{place}]",
                [tick.at, tick.span_s],
                "a time after the tick before, within 31 days, and a span",
            )
        before = tick.at


def _object(value: Any, where: str) -> Mapping[str, Any]:
    return dict(of(value, where, dict, "an object"))


def _notes(value: Any, where: str) -> Notes:
    given = Given(value, where, keys=("resets", "late", "gaps"))
    return Notes(*(int(given.get(key, count)) for key in ("resets", "late", "gaps")))


def _restart(value: Any, where: str, pods: Sequence[str]) -> Restart:
    if not isinstance(value, list) or len(value) != 2:
        raise wrong(where, value, "[at, pod]")
    return Restart(number(value[0], where), listed(pods, value[1], where))
