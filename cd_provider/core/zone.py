"""Times on the wall as moments: at its changes, a zone's clock shows some twice, and some never."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cd_provider.exceptions import ArgumentError


def read_zone(value: Any, *, name: str) -> ZoneInfo:
    """
    Read the name of a time zone.

    :raises ArgumentError: there is none of this name.
    """
    try:
        return ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, TypeError, AttributeError, OSError) as err:
        raise ArgumentError(f"{name}: saw {value!r}, expected a time zone such as 'Europe/Berlin'.") from err


def first_moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Give, in UTC, the first moment at which the clock shows ``wall``; when it leaps over it, the leap."""
    early, late = _both(wall, zone)
    return early if early <= late else _leap(late, early, zone)


def last_moment(wall: datetime, zone: ZoneInfo) -> datetime:
    """Give, in UTC, the last moment at which the clock shows ``wall``; when it leaps over it, the leap."""
    early, late = _both(wall, zone)
    return late if early <= late else _leap(late, early, zone)


def _both(wall: datetime, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Give ``wall`` by the offset before a change, and by the one after; in a leap the first is the later."""
    before, after = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    return before, after


def _leap(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """Find the second between the two from which the clock runs by the later offset."""
    offset = after.astimezone(zone).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = before + timedelta(seconds=(after - before) // timedelta(seconds=2))
        if middle.astimezone(zone).utcoffset() == offset:
            after = middle
        else:
            before = middle
    return after
