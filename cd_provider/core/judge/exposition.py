"""
A page of metrics, as programs show it: the classic text format, and OpenMetrics.

A gateway's page has tens of thousands of lines, and a judge wants a few dozen. So lines are found by their names first,
by the fast search of a string, and only those are parsed.

Source: Prometheus, "Exposition formats"; OpenMetrics 1.0, "Text format".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from typing import NamedTuple

from cd_provider.exceptions import ArgumentError

_LABEL = r'(?:[a-zA-Z_]\w*|"(?:[^"\\\n]|\\.)*")[ \t]*=[ \t]*"(?:[^"\\\n]|\\.)*"'
_NUMBER = r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|(?i:inf(?:inity)?|nan))"
_LINE = re.compile(
    r"(?P<name>[a-zA-Z_:][\w:]*)"
    rf"(?:[ \t]*\{{(?P<labels>[ \t]*(?:{_LABEL}[ \t]*(?:,[ \t]*{_LABEL}[ \t]*)*,?[ \t]*)?)\}}[ \t]*|[ \t]+)"
    rf"(?P<value>{_NUMBER})(?:[ \t]+(?P<stamp>-?\d+(?:\.\d*)?(?:[eE][+-]?\d+)?))?"
    r"[ \t]*(?:#[ \t]*\{.*)?",  # an exemplar
    re.ASCII,
)
_VALUE = re.compile(_NUMBER, re.ASCII)
_PLAIN = re.compile(
    r'([a-zA-Z_:][\w:]*)\{((?:[a-zA-Z_]\w*="[^"\\\n]*",?)+)\} (\d+)', re.ASCII
)  # nearly every line
_PLAIN_PAIR = re.compile(r'(\w+)="([^"]*)"', re.ASCII)
_PAIR = re.compile(r'(?:([a-zA-Z_]\w*)|"((?:[^"\\]|\\.)*)")[ \t]*=[ \t]*"((?:[^"\\]|\\.)*)"', re.ASCII)
_ESCAPE = re.compile(r"\\(.)")
_LONGER = re.compile(r"[\w:]", re.ASCII)


class Sample(NamedTuple):  # half as dear to make as a frozen dataclass, and a page has many
    """
    One line.

    :param labels: names and values, unescaped. :param stamp: epoch seconds; None: the page says none, as is usual.
    """

    name: str
    labels: dict[str, str]
    value: float
    stamp: float | None = None


def samples(text: str, names: Collection[str], *, having: Collection[str] = ()) -> Iterator[Sample]:
    """
    Give the samples of these metrics, metric by metric, in the page's order.

    :param names: full names, such as ``http_requests_total``; ``http_requests_created`` is another metric.
    :param having: only lines with one of these texts in their labels as they stand, such as a value; the labels follow
        the name at once. Empty: all lines.
    :raises ArgumentError: a line of a wanted metric is not of the format; the message shows it.
    """
    in_seconds = is_openmetrics(text)
    for line in lines(text, names, having=having):
        yield parse_line(line, in_seconds=in_seconds)


def lines(text: str, names: Collection[str], *, having: Collection[str] = ()) -> Iterator[str]:
    """Give the lines of these metrics as they stand; the arguments are those of :func:`samples`."""
    for name in dict.fromkeys(names):
        for line in _lines(text, name, then="{" if having else ""):
            if not having or any(one in line for one in having):
                yield line


def split(line: str) -> tuple[str, float] | None:
    """
    Cut a line into what stays the same from read to read, name and labels, and its value.

    :returns: None for all that is not as plain as nearly every line is: without labels, with a stamp or an exemplar,
        or not of the format. :func:`parse_line` knows.
    """
    head, _, value = line.rpartition(" ")
    if not head.endswith("}") or " # " in head or not (value.isdigit() or _VALUE.fullmatch(value)):
        return None
    return head, float(value)


def parse_line(line: str, *, in_seconds: bool = False) -> Sample:
    """
    Parse one line that is no comment.

    :param in_seconds: a stamp is in seconds, as in OpenMetrics, else in milliseconds.
    :raises ArgumentError: it is not of the format.
    """
    if plain := _PLAIN.fullmatch(line):
        return Sample(plain[1], dict(_PLAIN_PAIR.findall(plain[2])), float(plain[3]))
    if (found := _LINE.fullmatch(line)) is None:
        raise ArgumentError(
            f'metrics page: saw the line {line[:200]!r}, expected name{{label="value"}} number [time].'
        )
    name, labels, value, stamp = found.group("name", "labels", "value", "stamp")
    at = None if stamp is None else float(stamp) / (1 if in_seconds else 1000)
    return Sample(name, _labels(labels) if labels else {}, float(value), at)


def type_of(text: str, name: str) -> str | None:
    """
    Give what the page calls the metric: ``counter``, ``gauge``, ``histogram``, …; None: it does not say.

    :param name: full name; a counter's ``_total`` and a histogram's ``_bucket`` or ``_count`` may be left out there.
    """
    for family in dict.fromkeys((name, re.sub("_(total|bucket|count|sum)$", "", name))):
        mark = f"# TYPE {family} "
        at = 0 if text.startswith(mark) else text.find("\n" + mark) + 1
        if at or text.startswith(mark):
            return text[at + len(mark) :].split("\n", 1)[0].strip()
    return None


def is_openmetrics(text: str) -> bool:
    """Whether the page ends as OpenMetrics has to; one that was cut off does not."""
    return text[-8:].rstrip().endswith("# EOF")


def _lines(text: str, name: str, *, then: str) -> Iterator[str]:
    """Find every line that begins with the name, and not with a longer one; ``then`` is what follows it, if known."""
    sought, width = "\n" + name + then, len(name)
    at = 0 if text.startswith(sought[1:]) else text.find(sought) + 1
    while at or text.startswith(sought[1:]):
        end = text.find("\n", at)
        line = text[at:] if end < 0 else text[at:end]
        if not _LONGER.match(line, width):
            yield line.rstrip("\r")
        if end < 0 or not (at := text.find(sought, end) + 1):
            return


def _labels(text: str) -> dict[str, str]:
    labels = {}
    for plain, quoted, value in _PAIR.findall(text):
        if "\\" in value:
            value = _unescaped(value)
        labels[plain or _unescaped(quoted)] = value
    return labels


def _unescaped(text: str) -> str:
    return _ESCAPE.sub(lambda found: "\n" if found[1] == "n" else found[1], text)
