"""
A judge's record as JSON: what is written, and how it is read back.

One object, each tick on a line of its own: ``[at, span_s, edges, candidate, stable]``. ``edges`` is a number in the
table ``edges``; a side is a list of rows ``[pod, requests, errors, …]``: ``pod`` is a number in the table ``pods``, and
after the errors come the latency buckets. No count is below 0, so ``-3`` stands for three buckets with 0. Whole numbers
are written as such; an edge without end is ``"+Inf"``. Every float is written so that the same one is read.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.verdict import Judged, Kind, Word
from cd_provider.exceptions import ArgumentError

T = TypeVar("T")
Number = int | float
INF = "+Inf"
MOST_BUCKETS = 1_000  # of one pod: a run of zeros may claim any number
WHOLE_UPTO = 2.0**53
PAST = (
    "requests", "errors", "buckets", "edges", "cluster", "known", "errors_differ", "scores_differ",
)  # fmt: skip
LARGEST = math.nextafter(math.inf, 0.0)


@dataclass
class Tables:
    """Names of pods and lists of edges, each written once and then told by its number."""

    pods: dict[str, int] = field(default_factory=dict)
    edges: dict[tuple[float, ...], int] = field(default_factory=dict)

    def line(self, tick: Tick) -> str:
        """Write one tick; its counts are finite and not below 0."""
        sides = [self._side(tick.candidate), self._side(tick.stable)]
        edges = self.edges.setdefault(tick.edges, len(self.edges))
        return compact([plain(tick.at), plain(tick.span_s), edges, *sides])

    def pod(self, name: str) -> int:
        return self.pods.setdefault(name, len(self.pods))

    def _side(self, pods: Mapping[str, Counts]) -> list[list[Number]]:
        return [
            [self.pod(name), plain(done.requests), plain(done.errors), *runs(done.slow)]
            for name, done in pods.items()
        ]


def bare(line: str) -> str:
    """Write a tick again, without its latency buckets."""
    at, span_s, edges, *sides = json.loads(line)
    return compact([at, span_s, edges, *([row[:3] for row in side] for side in sides)])


def compact(value: Any) -> str:
    """Write JSON without blanks; NaN and infinity are no JSON."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)


def plain(value: float) -> Number:
    """Give a whole number as an int: it is shorter."""
    return int(value) if float(value).is_integer() and abs(value) < WHOLE_UPTO else value


def runs(counts: Iterable[float]) -> list[Number]:
    """Put zeros together: three of them are -3."""
    found: list[Number] = []
    for count in counts:
        if count:
            found.append(plain(count))
        elif found and found[-1] < 0:
            found[-1] -= 1
        else:
            found.append(-1)
    return found


def edges_plain(edges: Sequence[float]) -> list[Number | str]:
    """Write edges in seconds, the last one perhaps without end."""
    return [INF if edge == math.inf else plain(edge) for edge in edges]


def past_plain(past: Past) -> dict[str, Any]:
    """Write what was usual."""
    return {
        "requests": plain(past.requests), "errors": plain(past.errors), "buckets": runs(past.buckets),
        "edges": edges_plain(past.edges), "cluster": past.cluster, "known": past.known,
        "errors_differ": list(past.errors_differ), "scores_differ": list(past.scores_differ),
    }  # fmt: skip


def judged_plain(judged: Judged) -> dict[str, Any]:
    """Write a verdict, without what is empty."""
    told = {"kind": judged.kind, "at": plain(judged.at), "line": judged.line}
    more = {"lane": judged.lane, "reason": judged.reason, "need": judged.need}
    return told | {key: text for key, text in more.items() if text}


class Given:
    """
    One object of the text.

    :param where: its key, for messages. :raises ArgumentError: it is no object, or has other keys.
    """

    def __init__(self, value: Any, where: str, *, keys: Sequence[str], may: Sequence[str] = ()) -> None:
        self.value: Mapping[str, Any] = of(value, where, dict, "an object")
        self.where = where
        if missing := [key for key in keys if key not in self.value]:
            raise wrong(where, sorted(self.value), f"the key {missing[0]!r}")
        if unknown := sorted(set(self.value) - {*keys, *may}):
            raise wrong(where, sorted(self.value), f"no key {unknown[0]!r}")

    def get(self, key: str, read: Callable[[Any, str], T]) -> T:
        return read(self.value[key], f"{self.where}, {key}")

    def text(self, key: str) -> str:
        return str(of(self.value.get(key, ""), f"{self.where}, {key}", str, "a text"))

    def each(self, key: str, read: Callable[[Any, str], T]) -> tuple[T, ...]:
        """Read a list."""
        found = self.get(key, lambda value, where: of(value, where, list, "a list"))
        return tuple(read(one, f"{self.where}, {key}[{number}]") for number, one in enumerate(found))


def wrong(where: str, seen: Any, expected: str) -> ArgumentError:
    """Make the error: which key, what was seen, what was expected."""
    told = repr(seen)
    return ArgumentError(f"{where}: saw {told if len(told) <= 80 else told[:80] + '…'}, expected {expected}.")


def of(value: Any, where: str, kind: type | tuple[type, ...], expected: str) -> Any:
    """Give the value if it is of that kind."""
    if not isinstance(value, kind):
        raise wrong(where, value, expected)
    return value


def number(value: Any, where: str) -> float:
    """Read a finite number."""
    if isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= LARGEST:
        return float(value)
    raise wrong(where, value, "a number")


def count(value: Any, where: str) -> float:
    """Read a number of 0 or more."""
    found = number(value, where)
    if found < 0:
        raise wrong(where, value, "0 or more")
    return found


def unrun(value: Any, where: str) -> tuple[float, ...]:
    """Read counts in which runs of zeros are put together."""
    found: list[float] = []
    for one in of(value, where, list, "a list of counts"):
        if (seen := number(one, where)) >= 0:
            found.append(seen)
        elif not seen.is_integer() or len(found) - seen > MOST_BUCKETS:
            raise wrong(where, one, f"a count, or a run of zeros in at most {MOST_BUCKETS:,} buckets")
        else:
            found += [0.0] * int(-seen)
    return tuple(found)


def edges_read(value: Any, where: str) -> tuple[float, ...]:
    """Read edges in seconds."""
    seen = of(value, where, list, "a list of seconds")
    return tuple(math.inf if one == INF else number(one, where) for one in seen)


def past_read(value: Any, where: str) -> Past:
    """Read what was usual."""
    given = Given(value, where, keys=PAST)
    return Past(
        given.get("requests", count), given.get("errors", count), given.get("buckets", unrun),
        given.get("edges", edges_read), given.get("cluster", count),
        given.get("known", lambda seen, at: bool(of(seen, at, bool, "true or false"))),
        given.each("errors_differ", count), given.each("scores_differ", count),
    )  # fmt: skip


def judged_read(value: Any, where: str) -> Judged:
    """Read a verdict."""
    given = Given(value, where, keys=("kind", "at", "line"), may=("lane", "reason", "need"))
    for key, words in (("kind", get_args(Kind)), ("reason", get_args(Word))):
        if (seen := given.text(key)) not in words:
            raise wrong(f"{where}, {key}", seen, f"one of {', '.join(word for word in words if word)}")
    told: Any = {key: given.text(key) for key in ("kind", "line", "lane", "reason", "need")}
    return Judged(at=given.get("at", number), **told)


def tick_read(value: Any, where: str, pods: Sequence[str], edges: Sequence[tuple[float, ...]]) -> Tick:
    """Read one tick."""
    if not isinstance(value, list) or len(value) != 5:
        raise wrong(where, value, "[at, span_s, edges, candidate, stable]")
    at, span_s, edge, candidate, stable = value
    return Tick(
        number(at, where), number(span_s, where),
        _side(candidate, f"{where}, candidate", pods), _side(stable, f"{where}, stable", pods),
        listed(edges, edge, f"{where}, edges"),
    )  # fmt: skip


def listed(table: Sequence[T], value: Any, where: str) -> T:
    """Look a number up in a table."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < len(table):
        raise wrong(where, value, f"a number below {len(table)}")
    return table[value]


def _side(value: Any, where: str, pods: Sequence[str]) -> dict[str, Counts]:
    found: dict[str, Counts] = {}
    for row in of(value, where, list, "a list of rows"):
        if not isinstance(row, list) or len(row) < 3:
            raise wrong(where, row, "[pod, requests, errors, …]")
        if (name := listed(pods, row[0], where)) in found:
            raise wrong(where, name, "each pod once")
        found[name] = Counts(count(row[1], where), count(row[2], where), unrun(row[3:], where))
    return found
