"""From a gate's words to the numbers that a judge goes by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from cd_provider.core.judge.settings import METRICS, JudgeSettings, Metric, Tolerance
from cd_provider.core.judge_bounds import ROLES

if TYPE_CHECKING:
    from cd_provider.core.judge_gate import JudgeGate

SENSITIVITY: Mapping[str, float] = {"calm": 0.03, "normal": 0.06, "keen": 0.15}  # alpha
CLIENT_FLOOR = 0.02  # of the requests: so many unknown addresses and refused logins are any day's


def settings_of(gate: JudgeGate, *, max_s: float) -> JudgeSettings:
    """Give the judge's numbers."""
    settings = JudgeSettings(
        alpha=SENSITIVITY[gate.sensitivity] / gate.among, min_s=gate.min_s, max_s=max_s, fresh=gate.fresh
    )
    worst = settings.unacceptable
    if gate.of_clients:
        settings = _of_clients(settings, gate.errors.ignore)
        worst = replace(worst, share=CLIENT_FLOOR)
    return replace(
        settings,
        never_above=gate.errors.never_above,
        alone=gate.first_release == "pods_and_floor",
        pods_only=gate.low_traffic == "pods_only",
        asks=gate.asks,
        errors=gate.errors.role == "critical",
        latency=gate.latency.role == "critical" and bool(gate.counters().latency),
        aside=_aside(gate),
        ignore=Tolerance(errors=gate.errors.ignore, latency=gate.latency.ignore),
        unacceptable=Tolerance(
            errors=gate.errors.unacceptable, latency=gate.latency.unacceptable, share=worst.share
        ),
        clear_at=replace(
            settings.clear_at,
            errors=max(settings.clear_at.errors, gate.errors.ignore),
            latency=max(settings.clear_at.latency, gate.latency.ignore),
        ),
    )


def _aside(gate: JudgeGate) -> dict[Metric, str]:
    roles = zip(METRICS, (gate.errors.role, gate.latency.role), strict=True)
    return {metric: ROLES[role] for metric, role in roles if role != "critical"}


def _of_clients(settings: JudgeSettings, ignore: float) -> JudgeSettings:
    """Let no lane speak of fewer than ``CLIENT_FLOOR`` of the requests."""
    seconds = settings.emergency
    return replace(
        settings,
        called="client errors",
        floor=CLIENT_FLOOR,
        clear_at=replace(settings.clear_at, share=CLIENT_FLOOR),
        cold_at=replace(settings.cold_at, share=CLIENT_FLOOR),
        emergency=replace(
            seconds,
            times=max(ignore, seconds.times),
            floor=CLIENT_FLOOR,
            without_alike=seconds.without,  # nobody's service is down: there is time to be sure of a second pod
        ),
    )
