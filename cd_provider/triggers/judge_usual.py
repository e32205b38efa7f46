"""What is usual of a service before its canary: stable's last hour, or all that its counters have seen."""

from __future__ import annotations

import logging
from dataclasses import replace

from cd_provider.core.judge.history import USUAL_INTERVAL_S, before, by_unit, interval, lifetime
from cd_provider.core.judge.past import Past, look_back
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Reading, Sides
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.ports import CounterSource
from cd_provider.exceptions import CdProviderError, MetricsUnavailableError

log = logging.getLogger(__name__)
HISTORY_S = 3600.0


async def hour_before(
    source: CounterSource, sides: Sides, gate: JudgeGate, *, began_at: float, waits: bool
) -> tuple[Past, float]:
    """
    Read the hour before the first user, and the seconds between samples.

    Without one the judge goes by what is assumed of any service.

    :param waits: an outage is raised, so that this is asked again.
    :raises MetricsUnavailableError: there is an outage, and it is waited for.
    """
    try:
        reading = await source.read(sides, since=began_at - HISTORY_S)
    except CdProviderError as err:
        if waits and isinstance(err, MetricsUnavailableError):
            raise
        log.warning("%s: no history: %s", gate.name, err)
        return Past(), USUAL_INTERVAL_S
    stable = [_until(one, began_at) for one in reading.series if one.side == "stable"]
    interval_s = interval(stable)
    return look_back(before(stable, interval_s, gate.counters().unit)), interval_s


def life_of(reading: Reading, gate: JudgeGate) -> Past:
    """Say what is usual by what stable's counters stand at."""
    stable = [one for one in reading.series if one.side == "stable"]
    return lifetime(by_unit(stable, gate.counters().unit))


def _until(series: Series, at: float) -> Series:
    return replace(series, samples=[sample for sample in series.samples if sample[0] <= at])
