"""How people write weekly windows and freezes, read once; what cannot be read names itself."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from cd_provider.core.release import check_keys
from cd_provider.core.units import from_json
from cd_provider.core.week import DAYS, Span, Week
from cd_provider.core.zone import first_moment, last_moment, read_zone
from cd_provider.exceptions import ArgumentError

NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_TIME = re.compile(r"(\d{1,2}):([0-5]\d)")
_DATE = re.compile(r"\d{4}-?\d\d-?\d\d")


def read_week(value: Any, name: str) -> Week:
    """
    Read what ``weekly(…)`` gives.

    :raises ArgumentError: a wrong shape, name, time or zone, or a week that never opens.
    """
    keys = ("days", "from", "to", "zone")
    given = check_keys(value, name=name, needed=keys, known=keys)
    start, end = _minutes(given["from"], f"{name}.from"), _minutes(given["to"], f"{name}.to")
    if start in (end, 1440):
        raise ArgumentError(
            f"{name} never opens: from {given['from']} to {given['to']}. A whole day is from 00:00 to 24:00."
        )
    end += 1440 if end < start else 0
    return Week(
        _days(given["days"], f"{name}.days"), start, end, read_zone(given["zone"], name=f"{name}.zone")
    )


def read_freeze(value: Any, name: str) -> Span:
    """
    Read what ``freeze(…)`` gives.

    :raises ArgumentError: a wrong shape, time or zone, or an end that is not after the start.
    """
    given = check_keys(value, name=name, needed=("from", "to"), known=("from", "to", "reason", "zone"))
    zone = read_zone(given["zone"], name=f"{name}.zone") if "zone" in given else None
    start = _moment(given["from"], zone, name=f"{name}.from")
    end = _moment(given["to"], zone, name=f"{name}.to", last=True)
    if start >= end:
        raise ArgumentError(
            f"{name}: from {given['from']} to {given['to']}, expected an end after the start."
        )
    reason = given.get("reason") or ""
    if not isinstance(reason, str):
        raise ArgumentError(f"{name}.reason: saw {reason!r}, expected a text.")
    return Span(start, end, zone, reason)


def _days(value: Any, name: str) -> tuple[int, ...]:
    texts = [value] if isinstance(value, str) else [one for _, one in read_list(value, name)]
    days: set[int] = set()
    for part in ",".join(str(text) for text in texts).lower().split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        if first == "daily" and not dash:
            days |= set(range(len(DAYS)))
            continue
        start, end = _day(first, name, part), _day(last if dash else first, name, part)
        days |= {day % 7 for day in range(start, end + (7 if end < start else 0) + 1)}
    return tuple(sorted(days))


def _day(word: str, name: str, part: str) -> int:
    for names in (DAYS, NAMES):
        if word in names:
            return names.index(word)
    if not part.strip():
        raise ArgumentError(
            f"{name}: names no day, so that the window never opens; expected such as 'mon-thu'."
        )
    raise ArgumentError(
        f"{name}: saw {part.strip()!r}, expected days such as 'mon', 'mon-thu', 'sat,sun', 'daily'."
    )


def _minutes(value: Any, name: str) -> int:
    match = _TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    minutes = int(match[1]) * 60 + int(match[2]) if match else -1
    if not 0 <= minutes <= 1440:
        raise ArgumentError(
            f"{name}: saw {value!r}, expected a time of day as text, from '00:00' to '24:00'."
        )
    return minutes


def _moment(value: Any, zone: ZoneInfo | None, *, name: str, last: bool = False) -> datetime:
    text = value.strip() if isinstance(value, str) else ""
    try:
        moment = datetime.fromisoformat("" if _DATE.fullmatch(text) else text)
        if moment.tzinfo is None and zone is not None:
            return last_moment(moment, zone) if last else first_moment(moment, zone)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as err:
        raise ArgumentError(
            f"{name}: saw {value!r}, expected date and time such as '2025-12-19T18:00'."
        ) from err
    raise ArgumentError(
        f"{name}: {value!r} has no offset; expected one ('+01:00', 'Z'), or a zone beside it."
    )


def read_list(value: Any, name: str) -> list[tuple[str, Any]]:
    """
    Read a list, or one as JSON text; gives each item with its name for messages.

    :raises ArgumentError: it is none.
    """
    given = from_json(value, name=name)
    if not isinstance(given, Sequence) or isinstance(given, str):
        raise ArgumentError(f"{name}: saw {given!r}, expected a list.")
    return [(f"{name}[{index}]", one) for index, one in enumerate(given)]
