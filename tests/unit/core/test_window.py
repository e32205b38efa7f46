from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.week import DAYS
from cd_provider.core.window import ReleaseWindow, freeze, weekly, window
from cd_provider.exceptions import ArgumentError

BERLIN = "Europe/Berlin"
OFFICE = weekly("mon-thu", "09:00", "16:00", BERLIN)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def look(value: Any, at: str) -> Any:
    return ReleaseWindow.parse(value).look(utc(at))


# --- what people read ---------------------------------------------------------------------------------------


def test_an_open_window_says_when_it_closes() -> None:
    opening = look(window(OFFICE), "2025-11-25T08:30")

    assert opening.open
    assert opening.closes_at == utc("2025-11-25T15:00")
    assert opening.opens_at is None
    assert opening.reason == "open until Tue 2025-11-25 16:00 Europe/Berlin"


def test_a_closed_window_says_when_it_opens_and_why_it_is_closed() -> None:
    opening = look(window(OFFICE), "2025-11-27T15:00")

    assert not opening.open
    assert opening.opens_at == utc("2025-12-01T08:00")
    assert opening.closes_at is None
    assert opening.reason == (
        "closed outside mon,tue,wed,thu 09:00–16:00 Europe/Berlin; opens Mon 2025-12-01 09:00 Europe/Berlin"
    )


def test_a_freeze_closes_an_open_window_and_says_its_reason() -> None:
    value = window(OFFICE, freezes=[freeze("2025-11-25T10:00", "2025-12-02T12:00", "fair", zone=BERLIN)])

    before, within = look(value, "2025-11-25T08:59"), look(value, "2025-11-25T09:00")

    assert before.open
    assert before.closes_at == utc("2025-11-25T09:00")
    assert before.reason == "open until Tue 2025-11-25 10:00 Europe/Berlin, then frozen (fair)"
    assert not within.open
    assert within.opens_at == utc("2025-12-02T11:00")
    assert within.reason.startswith(
        "frozen until Tue 2025-12-02 12:00 Europe/Berlin (fair); opens Tue 2025-12-02"
    )


def test_the_longest_of_two_freezes_counts() -> None:
    frozen = [
        freeze("2025-11-25T00:00Z", "2025-11-26T00:00Z", "a"),
        freeze("2025-11-25T12:00Z", "2025-11-27T00:00Z", "b"),
    ]

    opening = look(window(OFFICE, freezes=frozen), "2025-11-25T13:00")

    assert opening.opens_at == utc("2025-11-27T08:00")
    assert "(b)" in opening.reason


def test_windows_of_different_zones_add_up() -> None:
    value = window(OFFICE, weekly("tue", "09:00", "17:00", "America/New_York"))

    opening = look(value, "2025-11-25T14:30")

    assert opening.closes_at == utc("2025-11-25T22:00")  # Berlin's until 15:00, New York's from 14:00


def test_a_window_across_midnight_belongs_to_the_day_on_which_it_opens() -> None:
    value = window(weekly("fri", "22:00", "02:00", "UTC"))

    assert look(value, "2025-11-29T01:59").open
    assert not look(value, "2025-11-28T01:59").open
    assert not look(value, "2025-11-29T02:00").open


def test_a_window_that_is_always_open_has_no_end() -> None:
    opening = look(window(weekly("daily", "00:00", "24:00", BERLIN)), "2025-11-25T08:30")

    assert opening.open
    assert opening.closes_at is None


# --- the nights on which clocks change ----------------------------------------------------------------------

CHANGES = [  # zone, from, to, the day of the change, opens (UTC), closes (UTC)
    pytest.param(
        BERLIN, "02:30", "05:00", "2025-03-30", "01:00", "03:00", id="berlin-spring-opens-at-the-leap"
    ),
    pytest.param(
        BERLIN, "01:00", "02:30", "2025-03-30", "00:00", "01:00", id="berlin-spring-closes-at-the-leap"
    ),
    pytest.param(
        BERLIN, "02:30", "05:00", "2025-10-26", "00:30", "04:00", id="berlin-autumn-opens-at-the-first"
    ),
    pytest.param(
        BERLIN, "01:00", "02:30", "2025-10-26", "23:00", "01:30", id="berlin-autumn-closes-at-the-last"
    ),
    pytest.param(
        BERLIN, "02:00", "03:00", "2025-10-26", "00:00", "02:00", id="berlin-autumn-the-hour-that-is-two"
    ),
    pytest.param("America/New_York", "02:30", "05:00", "2025-03-09", "07:00", "09:00", id="new-york-spring"),
    pytest.param("America/New_York", "01:30", "05:00", "2025-11-02", "05:30", "10:00", id="new-york-autumn"),
    pytest.param(
        "Asia/Kolkata", "02:30", "05:00", "2025-03-30", "21:00", "23:30", id="a-zone-without-changes"
    ),
]


@pytest.mark.parametrize(("zone", "start", "end", "day", "opens", "closes"), CHANGES)
def test_a_change_of_the_clock(zone: str, start: str, end: str, day: str, opens: str, closes: str) -> None:
    value = window(weekly("daily", start, end, zone))
    midnight = datetime.fromisoformat(day).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)

    closed = ReleaseWindow.parse(value).look(midnight)
    opening = ReleaseWindow.parse(value).look(closed.opens_at)  # type: ignore[arg-type]

    assert f"{closed.opens_at:%H:%M}" == opens
    assert f"{opening.closes_at:%H:%M}" == closes


def test_a_window_that_lies_in_the_leap_is_left_out_that_day() -> None:
    opening = look(window(weekly("daily", "02:10", "02:50", BERLIN)), "2025-03-29T12:00")

    assert opening.opens_at == utc("2025-03-31T00:10")


# --- against an oracle that walks minute by minute ----------------------------------------------------------

MINUTE = timedelta(minutes=1)
NIGHTS = [
    (BERLIN, "2025-03-27"), (BERLIN, "2025-10-23"), ("America/New_York", "2025-03-06"),
    ("America/New_York", "2025-10-30"), ("Australia/Lord_Howe", "2025-04-03"), ("Asia/Kolkata", "2025-03-27"),
    ("Pacific/Apia", "2011-12-27"),  # went without the 30th
]  # fmt: skip


@lru_cache
def walls(zone: str, start: str) -> tuple[datetime, ...]:
    """What the clock shows, minute by minute, for nine days."""
    return tuple(
        (utc(start) + n * MINUTE).astimezone(ZoneInfo(zone)).replace(tzinfo=None) for n in range(9 * 1440)
    )


def first_from(shown: Sequence[datetime], wall: datetime) -> int:
    return next((n for n, seen in enumerate(shown) if seen >= wall), len(shown))


def last_at(shown: Sequence[datetime], wall: datetime) -> int:
    return max((n for n, seen in enumerate(shown) if seen == wall), default=first_from(shown, wall))


def naive(shown: Sequence[datetime], week: dict[str, Any]) -> Iterator[range]:
    """Which minutes are open, found by reading the clock of each."""
    hours, minutes = zip(*(map(int, week[key].split(":")) for key in ("from", "to")), strict=True)
    begin, end = (timedelta(hours=h, minutes=m) for h, m in zip(hours, minutes, strict=True))
    for n in range(-2, 10):
        day = shown[0].replace(hour=0, minute=0) + timedelta(days=n)
        if DAYS[day.weekday()] in week["days"]:
            stop = day + end + (timedelta(days=1) if end < begin else timedelta())
            yield range(first_from(shown, day + begin), last_at(shown, stop))


times = st.integers(0, 1439).map(lambda n: f"{n // 60:02}:{n % 60:02}") | st.sampled_from(
    ["01:30", "02:00", "02:30", "03:00"]
)
weeks = st.tuples(st.lists(st.sampled_from(DAYS), min_size=1, max_size=7, unique=True), times, times)


@settings(max_examples=120, deadline=None)
@given(
    night=st.sampled_from(NIGHTS),
    drawn=st.lists(weeks.filter(lambda week: week[1] != week[2]), min_size=1, max_size=2),
    frozen=st.lists(st.tuples(st.integers(0, 9 * 1440), st.integers(1, 3000)), max_size=2),
    at=st.integers(2 * 1440, 7 * 1440),
)
def test_each_minute_is_as_the_clock_shows_it(
    night: tuple[str, str], drawn: list[Any], frozen: list[tuple[int, int]], at: int
) -> None:
    zone, start = night
    given_weeks = [weekly(days, begin, end, zone) for days, begin, end in drawn]
    freezes = [
        freeze(str(utc(start) + n * MINUTE), str(utc(start) + (n + m) * MINUTE), "f") for n, m in frozen
    ]
    open_minutes = {n for week in given_weeks for span in naive(walls(zone, start), week) for n in span}
    open_minutes -= {n for begin, length in frozen for n in range(begin, begin + length)}

    opening = ReleaseWindow.parse(window(*given_weeks, freezes=freezes)).look(utc(start) + at * MINUTE)

    assert opening.open == (at in open_minutes)
    change = next((n for n in range(at, 8 * 1440) if (n in open_minutes) != opening.open), None)
    if change is not None:
        assert (opening.closes_at or opening.opens_at) == utc(start) + change * MINUTE


@settings(max_examples=100, deadline=None)
@given(
    week=weeks.filter(lambda week: week[1] != week[2]),
    zone=st.sampled_from([BERLIN, "America/New_York", "Asia/Kolkata"]),
    at=st.datetimes(datetime(2025, 1, 1), datetime(2027, 1, 1)),
)
def test_it_is_open_at_the_moment_it_names_and_not_just_before(
    week: tuple[list[str], str, str], zone: str, at: datetime
) -> None:
    days, start, end = week
    parsed = ReleaseWindow.parse(window(weekly(days, start, end, zone)))

    opening = parsed.look(at.replace(tzinfo=UTC))
    change = opening.opens_at or opening.closes_at

    assert change is not None
    assert parsed.look(change).open != opening.open
    assert parsed.look(change - timedelta(seconds=1)).open == opening.open


# --- what is refused ----------------------------------------------------------------------------------------


def test_a_year_of_freeze_never_opens() -> None:
    value = window(OFFICE, freezes=[freeze("2025-01-01T00:00Z", "2027-01-01T00:00Z", "sold")])

    with pytest.raises(ArgumentError, match=r"never opens: frozen until .* \(sold\)"):
        look(value, "2025-11-25T08:30")


def frozen(start: str, end: str, **more: Any) -> dict[str, Any]:
    return window(OFFICE, freezes=[freeze(start, end, "x", **more)])


def on(days: Any, start: str = "09:00", end: str = "16:00", zone: str = BERLIN) -> dict[str, Any]:
    return window(weekly(days, start, end, zone))


REFUSED = [
    pytest.param({"weekly": []}, "never opens: window.weekly is empty", id="no-week"),
    pytest.param(on("mon", "09:00", "09:00"), "never opens: from 09:00 to 09:00", id="no-time"),
    pytest.param(on("mon", "24:00", "16:00"), "never opens: from 24:00 to 16:00", id="from-the-end"),
    pytest.param(on(""), r"weekly\[0\]: days is missing", id="no-days"),
    pytest.param(on([]), r"weekly\[0\].days: names no day", id="no-day-listed"),
    pytest.param(on("mon-thur"), "saw 'mon-thur', expected days", id="day"),
    pytest.param(on("mon", "9"), r"weekly\[0\].from: saw '9'", id="time"),
    pytest.param(on("mon", "09:00", "24:01"), r"weekly\[0\].to: saw '24:01'", id="after-midnight"),
    pytest.param(on("mon", zone="Berlin"), r"weekly\[0\].zone: saw 'Berlin'", id="zone"),
    pytest.param(on("mon", zone="Europe"), r"weekly\[0\].zone: saw 'Europe'", id="zone-folder"),
    pytest.param({"weekly": [{**OFFICE, "tz": "UTC"}]}, r"weekly\[0\]: unknown key 'tz'", id="key-of-a-week"),
    pytest.param({"weekly": [OFFICE], "frozen": []}, "window: unknown key 'frozen'", id="key"),
    pytest.param({"weekly": OFFICE}, "window.weekly: saw .*, expected a list", id="no-list"),
    pytest.param(window(OFFICE, freezes=""), "freezes: saw the text '', expected JSON", id="empty-calendar"),
    pytest.param(
        window(OFFICE, freezes="<html>"), "freezes: saw the text '<html>'", id="unreadable-calendar"
    ),
    pytest.param({"weekly": [OFFICE], "freezes": None}, "window.freezes: saw None", id="no-calendar"),
    pytest.param(frozen("2025-12-24", "2025-12-26T00:00Z"), "expected date and time", id="bare-date"),
    pytest.param(frozen("2025-12-24T00:00", "2025-12-26T00:00Z"), "has no offset", id="no-offset"),
    pytest.param(frozen("2025-12-24T00:00Z", "2025-12-24T00:00Z"), "end after", id="empty-freeze"),
    pytest.param(frozen("2025-12-24T00:00Z", "9999-12-31T23:59-11:00"), "freezes.*expected date", id="far"),
    pytest.param(window(OFFICE, freezes=[{"from": "2025-12-24T00:00Z"}]), "to is missing", id="no-end"),
    pytest.param("daily", "window: saw the text 'daily', expected JSON", id="text"),
    pytest.param(None, "window: saw None", id="nothing"),
]


@pytest.mark.parametrize(("value", "message"), REFUSED)
def test_it_refuses(value: Any, message: str) -> None:
    with pytest.raises(ArgumentError, match=message):
        ReleaseWindow.parse(value)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ArgumentError, match="expected one with a zone"):
        ReleaseWindow.parse(window(OFFICE)).look(datetime(2025, 11, 25))


SAME_DAYS = ["mon-thu", "Monday - Thursday", "mon,tue,wed,thu", ["mon", "tue-thu"], ["Mon,tue", "wed", "THU"]]


@pytest.mark.parametrize("days", SAME_DAYS)
def test_days_are_written_in_many_ways(days: Any) -> None:
    assert ReleaseWindow.parse(window(weekly(days, "09:00", "16:00", BERLIN))).weeks[0].days == (0, 1, 2, 3)


def test_days_run_over_the_weekend() -> None:
    assert ReleaseWindow.parse(window(weekly("fri-mon", "09:00", "16:00", BERLIN))).weeks[0].days == (
        0,
        4,
        5,
        6,
    )


def test_json_text_reads_like_the_value() -> None:
    value = window(OFFICE, freezes=[freeze("2025-12-24T00:00", "2025-12-27T00:00", "x", zone=BERLIN)])
    texts = {key: json.dumps(one) for key, one in value.items()}

    assert ReleaseWindow.parse(json.dumps(value)) == ReleaseWindow.parse(texts) == ReleaseWindow.parse(value)
