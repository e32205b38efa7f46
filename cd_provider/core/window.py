"""
When a release may begin: weekly windows in their own zones, minus freezes.

Kept as plain JSON (:func:`window` makes it), read into a :class:`ReleaseWindow` at the border. Nothing here
asks for the time: it is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from cd_provider.core.release import check_keys
from cd_provider.core.units import from_json
from cd_provider.core.week import Span, Week
from cd_provider.core.window_form import read_freeze, read_list, read_week
from cd_provider.exceptions import ArgumentError

HORIZON = timedelta(days=366)
_SOON = timedelta(days=16)  # nearly always something changes within it; only then a whole year is written out


def weekly(days: str | Sequence[str], start: str, end: str, zone: str) -> dict[str, Any]:
    """
    Open on these days of every week, between two times of the zone's own clock.

    :param days: ``"mon-thu"``, ``"mon,wed,sat-sun"``, ``"daily"``, or a list of such; ``"monday"`` too.
    :param start: ``"09:00"``.
    :param end: ``"16:00"``, the first moment at which it is closed again; ``"24:00"`` is the end of the day;
        an end before the start lies on the next day.
    :param zone: such as ``"Europe/Berlin"`` or ``"UTC"``.
    """
    return {"days": days if isinstance(days, str) else list(days), "from": start, "to": end, "zone": zone}


def freeze(start: str, end: str, reason: str, *, zone: str | None = None) -> dict[str, Any]:
    """
    Close between two moments, whatever the weekly windows say.

    :param start: date and time: ``"2025-12-19T18:00"``, or with an offset ``"2025-12-19T18:00+01:00"``.
    :param end: likewise; the first moment at which it is over.
    :param zone: whose clock they show; needed by those without an offset.
    """
    return {"from": start, "to": end, "reason": reason, **({"zone": zone} if zone else {})}


def window(*weeks: Mapping[str, Any], freezes: Sequence[Mapping[str, Any]] | str = ()) -> dict[str, Any]:
    """
    Put weekly windows and freezes together: open while any week is, and no freeze is.

    :param weeks: what :func:`weekly` gives, at least one.
    :param freezes: what :func:`freeze` gives, or a template of the same as JSON text, such as
        ``"{{ var.value.release_freezes }}"``.
    """
    frozen = freezes if isinstance(freezes, str) else [dict(one) for one in freezes]
    return {"weekly": [dict(week) for week in weeks], "freezes": frozen}


@dataclass(frozen=True)
class Opening:
    """
    What one look showed; times in UTC.

    ``opens_at`` is given while closed; ``closes_at`` while open, None when that is more than a year away.
    """

    open: bool
    reason: str
    opens_at: datetime | None = None
    closes_at: datetime | None = None


@dataclass(frozen=True)
class ReleaseWindow:
    """When a release may begin."""

    weeks: tuple[Week, ...]
    freezes: tuple[Span, ...] = ()

    @classmethod
    def parse(cls, value: Any) -> ReleaseWindow:
        """
        Read what :func:`window` gives, or the same as JSON text (a rendered template).

        :raises ArgumentError: a wrong shape, name, time or zone, or a week that never opens. Whether freezes
            cover everything depends on the time: :meth:`look` says it.
        """
        known = ("weekly", "freezes")
        given = check_keys(from_json(value, name="window"), name="window", needed=("weekly",), known=known)
        weeks = tuple(read_week(one, name) for name, one in read_list(given["weekly"], "window.weekly"))
        if not weeks:
            raise ArgumentError(
                "window never opens: window.weekly is empty, expected at least one weekly window."
            )
        # "" and null are calendars that cannot be read, not empty ones.
        freezes = read_list(given.get("freezes", []), "window.freezes")
        return cls(weeks, tuple(read_freeze(one, name) for name, one in freezes))

    def look(self, now: datetime) -> Opening:
        """
        Say whether it is open now, and when that changes.

        :param now: any time with a zone.
        :raises ArgumentError: it is closed, and never opens within a year.
        """
        if now.tzinfo is None:
            raise ArgumentError(f"window: saw the time {now}, expected one with a zone.")
        now = now.astimezone(UTC)
        is_open, change = self._change(now, now + _SOON)
        if change is None:
            is_open, change = self._change(now, now + HORIZON)
        if is_open:
            return self._opened(change)
        why = self._why_closed(now)
        if change is None:
            raise ArgumentError(
                f"window never opens: {why}, and not within {HORIZON.days} days from {self._show(now)}. "
                "Expected a window that its freezes leave open at some time."
            )
        return Opening(False, f"{why}; opens {self._show(change)}", opens_at=change)

    def _change(self, now: datetime, until: datetime) -> tuple[bool, datetime | None]:
        """Tell whether it is open now, and the first moment up to ``until`` at which that changes."""
        weeks = [span for week in self.weeks for span in week.spans(now, until)]

        def is_open(at: datetime) -> bool:
            return any(span.holds(at) for span in weeks) and self._frozen(at) is None

        edges = {
            edge for span in (*weeks, *self.freezes) for edge in (span.start, span.end) if now < edge <= until
        }
        before = is_open(now)
        return before, next((edge for edge in sorted(edges) if is_open(edge) != before), None)

    def _opened(self, closes_at: datetime | None) -> Opening:
        if closes_at is None:
            return Opening(True, f"open, and does not close within {HORIZON.days} days")
        frozen = self._frozen(closes_at)
        why = f", then frozen{_because(frozen)}" if frozen else ""
        return Opening(True, f"open until {self._show(closes_at)}{why}", closes_at=closes_at)

    def _why_closed(self, now: datetime) -> str:
        if frozen := self._frozen(now):
            return f"frozen until {self._show(frozen.end, frozen.zone)}{_because(frozen)}"
        return f"closed outside {'; '.join(map(str, self.weeks))}"

    def _frozen(self, at: datetime) -> Span | None:
        """Give the freeze that holds ``at`` and lasts longest; None when there is none."""
        return max((one for one in self.freezes if one.holds(at)), key=lambda one: one.end, default=None)

    def _show(self, moment: datetime, zone: ZoneInfo | None = None) -> str:
        zone = zone or self.weeks[0].zone
        return f"{moment.astimezone(zone):%a %Y-%m-%d %H:%M} {zone.key}"


def _because(span: Span) -> str:
    return f" ({span.reason})" if span.reason else ""
