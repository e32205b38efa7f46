"""What was asked for and is not there, in sentences. Silence is not success."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cd_provider.core.judge.presets import Preset
from cd_provider.core.judge.series import Series, Side
from cd_provider.core.judge.sides import Sides

SIDES: tuple[Side, ...] = ("candidate", "stable")


def missing(preset: Preset, sides: Sides, found: Sequence[Series], *, where: str) -> tuple[str, ...]:
    """
    Name what each side lacks.

    :param found: series of both sides.
    :param where: what was asked, such as a selector.

    No series of errors is no lack: a counter with a label may be born with its first error. No series of requests is
    one, whatever else there is.
    """
    return tuple(line for side in SIDES for line in _of(side, preset, sides, found, where))


def _of(side: Side, preset: Preset, sides: Sides, found: Sequence[Series], where: str) -> Iterator[str]:
    mine = [series for series in found if series.side == side]
    who = side if side == "candidate" else sides.against
    total = {series.pod for series in mine if series.edge is None and not series.counted}
    service = sides.candidate if side == "candidate" else sides.stable
    pods = sides.candidate_pods if side == "candidate" else sides.stable_pods
    if not total:
        errors = f", though {preset.errors} is there" if any(series.counted for series in mine) else ""
        ready = f" Ready pods: {', '.join(pods) or 'none'}." if preset.unit == "backend_pod" else ""
        yield f"{who} {service}: no {preset.total}{errors}. Asked: {where}.{ready}"
        return
    if preset.unit == "backend_pod" and (silent := [pod for pod in pods if pod not in total]):
        yield f"{who} {service}: no {preset.total} of its pods {', '.join(silent)}. Asked: {where}."
    if preset.latency and not any(series.edge is not None for series in mine):
        yield f"{who} {service}: no {preset.latency}_bucket: latency cannot be judged. Asked: {where}."
