"""When a week of a window is open, as moments; and spans of time in general."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from cd_provider.core.zone import first_moment, last_moment

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_BACK = timedelta(days=3)  # what is open at a moment began on its UTC date, or at most three before it


@dataclass(frozen=True)
class Span:
    """Open, or frozen, from one moment to just before another, both in UTC."""

    start: datetime
    end: datetime
    zone: ZoneInfo | None = None  # whose clock people read it by
    reason: str = ""

    def holds(self, at: datetime) -> bool:
        """Whether ``at`` lies in it."""
        return self.start <= at < self.end


@dataclass(frozen=True)
class Week:
    """
    One weekly window: minutes since midnight, ``end`` above 1440 on the next day.

    A time that the clock shows twice opens at the first and closes at the last; one that it leaps over moves
    on to the leap.
    """

    days: tuple[int, ...]
    start: int
    end: int
    zone: ZoneInfo

    def spans(self, since: datetime, until: datetime) -> Iterator[Span]:
        """Give every opening that touches ``since`` … ``until`` (UTC), and maybe some beside."""
        day, last = _midnight(since) - _BACK, _midnight(until) + timedelta(days=1)
        while day <= last:
            start = first_moment(day + timedelta(minutes=self.start), self.zone)
            end = last_moment(day + timedelta(minutes=self.end), self.zone)
            if day.weekday() in self.days and start < end:
                yield Span(start, end, self.zone)
            day += timedelta(days=1)

    def __str__(self) -> str:
        days = "daily" if len(self.days) == len(DAYS) else ",".join(DAYS[day] for day in self.days)
        return f"{days} {_clock(self.start)}–{_clock(self.end)} {self.zone.key}"


def _midnight(moment: datetime) -> datetime:
    return datetime(moment.year, moment.month, moment.day)


def _clock(minutes: int) -> str:
    minutes -= 1440 if minutes > 1440 else 0
    return f"{minutes // 60:02}:{minutes % 60:02}"
