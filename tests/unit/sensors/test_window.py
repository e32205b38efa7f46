from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.providers.standard.triggers.temporal import DateTimeTrigger
from airflow.sdk.exceptions import AirflowFailException, AirflowSensorTimeout, TaskDeferred

from cd_provider.core.window import freeze, weekly, window
from cd_provider.exceptions import ArgumentError
from cd_provider.sensors import window as module
from cd_provider.sensors.window import ReleaseWindowSensor

OFFICE = window(weekly("mon-thu", "09:00", "16:00", "Europe/Berlin"))


class Clock:
    """Stands still until it is moved."""

    def __init__(self, at: str) -> None:
        self.at = datetime.fromisoformat(at).replace(tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock("2025-11-25T08:30")
    monkeypatch.setattr(module, "utcnow", clock)
    return clock


def sensor(value: Any = OFFICE, **more: Any) -> ReleaseWindowSensor:
    return ReleaseWindowSensor(task_id="window", window=value, **more)


def deferred(task: ReleaseWindowSensor, **kwargs: Any) -> TaskDeferred:
    with pytest.raises(TaskDeferred) as raised:
        task.execute_complete({}, **kwargs) if kwargs else task.execute({})
    return raised.value


@pytest.mark.parametrize("deferrable", [True, False])
def test_an_open_window_lets_pass_at_once(clock: Clock, deferrable: bool) -> None:
    assert sensor(deferrable=deferrable).execute({}) == {
        "open": True,
        "closes_at": "2025-11-25T15:00:00+00:00",
    }


def test_a_closed_one_waits_in_the_triggerer_for_the_moment_it_opens(clock: Clock) -> None:
    clock.at += timedelta(hours=8)

    request = deferred(sensor(timeout=86400.0))

    assert isinstance(request.trigger, DateTimeTrigger)
    assert request.trigger.moment == datetime(2025, 11, 26, 8, tzinfo=UTC)
    assert request.method_name == "execute_complete"
    assert request.timeout == timedelta(days=1)


def test_it_waits_in_the_triggerer_unless_told_otherwise() -> None:
    assert sensor().deferrable


def test_on_waking_it_looks_again(clock: Clock) -> None:
    clock.at = datetime(2025, 11, 26, 7, 59, 59, tzinfo=UTC)  # this machine's clock is behind the triggerer's

    request = deferred(sensor(), event=None, until="2025-12-01T00:00:00+00:00")

    assert isinstance(request.trigger, DateTimeTrigger)
    assert request.trigger.moment == datetime(2025, 11, 26, 8, 0, 6, tzinfo=UTC)  # see triggers/settled.py


def test_waiting_twice_does_not_double_the_timeout(clock: Clock) -> None:
    clock.at += timedelta(hours=8)
    first = deferred(sensor(timeout=86400.0))
    clock.at += timedelta(hours=10)

    second = deferred(sensor(timeout=86400.0), **first.kwargs or {})

    assert second.timeout == timedelta(hours=14)


def test_it_gives_up_after_its_timeout(clock: Clock) -> None:
    with pytest.raises(AirflowSensorTimeout, match=r"Waited .*, which is closed outside sat 09:00"):
        sensor(window(weekly("sat", "09:00", "16:00", "UTC"))).execute_complete(
            {}, until=clock.at.isoformat()
        )


def test_without_deferring_it_gives_up_too(clock: Clock) -> None:
    clock.at += timedelta(hours=8)

    with pytest.raises(AirflowSensorTimeout):
        sensor(deferrable=False, timeout=0.0, poke_interval=0.0).execute({})


@pytest.mark.parametrize("calendar", ["", "[{", "[{}]", "null"], ids=["empty", "cut-off", "no-dates", "null"])
def test_an_unreadable_calendar_counts_as_closed(clock: Clock, calendar: str) -> None:
    task = sensor({**OFFICE, "freezes": "{{ var.value.freezes }}"})
    task.window = {**OFFICE, "freezes": calendar}  # as rendered

    with pytest.raises(AirflowFailException, match=r"window.freezes.* The window counts as closed"):
        task.execute({})


def test_a_window_that_never_opens_fails_instead_of_waiting(clock: Clock) -> None:
    year = freeze("2025-01-01T00:00Z", "2027-06-01T00:00Z", "sold")

    with pytest.raises(AirflowFailException, match=r"window never opens: frozen until .*\(sold\)"):
        sensor({**OFFICE, "freezes": [year]}).execute({})


def test_a_wrong_window_is_refused_when_the_dag_is_parsed() -> None:
    with pytest.raises(ArgumentError, match="expected days such as"):
        sensor(window(weekly("mo", "09:00", "16:00", "Europe/Berlin")))


def test_templates_are_checked_when_they_are_rendered() -> None:
    assert "window" in ReleaseWindowSensor.template_fields
    assert sensor(window(weekly("{{ params.days }}", "09:00", "16:00", "Europe/Berlin")))
