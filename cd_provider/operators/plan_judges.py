"""What a plan asks for its judges: whether stable's counters are there, and whether requests will be enough."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from cd_provider.core.judge.forecast import LEAST_S, Forecast, forecast
from cd_provider.core.judge.history import before, interval
from cd_provider.core.judge.past import Past, look_back
from cd_provider.core.judge.sides import Sides, sides_of
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.kubelet import MOST_PROBES
from cd_provider.exceptions import CdProviderError, PlanError
from cd_provider.operators.plan_checks import Asked, Surroundings
from cd_provider.operators.plan_faults import Faults

if TYPE_CHECKING:
    from cd_provider.core.judge.presets import Unit
    from cd_provider.core.ports import CounterSource

TAKEN_ON = "a person takes it on (override)"
ASKED = "a person will be asked (on_inconclusive)"
NO_BASELINE = "so that there is nothing to compare with"


async def check_judges(asked: Asked, surroundings: Surroundings | None, faults: Faults) -> list[str]:
    """
    Look once for the counters of each judge, and at the last hour's traffic.

    Stable's counters have to be there, since the candidate's will look the same; what a gate itself excuses
    (``first_release``, ``low_traffic``) is a hint instead of a fault.
    """
    if surroundings is None or surroundings.service is None or asked.target is None:
        return []
    found = []
    for gate in asked.judges:
        hint = await faults.wait_for(_check_judge(gate, asked, surroundings))
        found += [f"gate {gate.name!r}: {hint}"] if hint else []
    return found


async def _check_judge(gate: JudgeGate, asked: Asked, around: Surroundings) -> str:
    """Give a hint; empty: nothing to say."""
    from cd_provider.adapters.metrics import open_counter_source

    target, known = asked.target, gate.counters()
    assert target is not None
    assert around.service is not None
    sides = sides_of(known, target.namespace, around.service, candidate_pods=(), stable_pods=around.pods)
    conn_id = gate.connection(prometheus=asked.prometheus_conn_id, kubernetes=target.kubernetes_conn_id)
    async with open_counter_source(gate.source, conn_id, known, **gate.reading()) as source:
        if fault := await source.probe(sides):
            if fault.startswith("stable") and (how := _without_baseline(gate, asked)):
                return f"{fault} {NO_BASELINE}: {how}"
            raise _fault(asked, f"gate {gate.name!r} (preset {gate.preset}, {gate.source}): {fault}")
        await _check_probe(gate, asked, sides)
        if gate.source == "direct" or not gate.enforced or not asked.steps or asked.max_s is None:
            return ""  # pages have no past; what only observes refuses nothing
        past, past_s = await _past(source, sides, known.unit) or (Past(), 0.0)
        if past_s < LEAST_S:
            return ""  # too short to tell
        told = (
            _check_probes(gate, asked, past.requests / past_s, around.probes_per_s),
            _check_traffic(gate, asked, past, past_s, max_s=asked.max_s),
        )
        return "; ".join(filter(None, told))


async def _check_probe(gate: JudgeGate, asked: Asked, sides: Sides) -> None:
    """Ask one of stable's pods what will be asked again and again."""
    if gate.probe is None or asked.target is None or not sides.stable_pods:
        return
    from cd_provider.adapters.prober import open_prober

    opened = open_prober(asked.target.kubernetes_conn_id, gate.probe, gate.counters(), sides)
    async with opened as prober:
        try:
            await prober.once(sides.namespace, sides.stable_pods[0])
        except CdProviderError as err:
            raise _fault(asked, f"gate {gate.name!r}, probe: stable does not answer it: {err}") from err


async def _past(source: CounterSource, sides: Sides, unit: Unit) -> tuple[Past, float] | None:
    """Read stable's last hour, and how long it is, seconds; None: it cannot be read, and the canary can do without."""
    from cd_provider.triggers.judge_usual import HISTORY_S

    try:
        reading = await source.read(sides, since=time.time() - HISTORY_S)
    except CdProviderError:
        return None
    stable = [one for one in reading.series if one.side == "stable"]
    if not any(one.samples for one in stable):
        return None
    interval_s = interval(stable)
    ticks = before(stable, interval_s, unit)
    return look_back(ticks), sum(tick.span_s for tick in ticks)


def _check_probes(gate: JudgeGate, asked: Asked, counted: float, probes: float) -> str:
    """
    Refuse counters of which too many may be the kubelet's: they dilute whatever users meet.

    :param counted: requests a second in the last hour. :param probes: what the kubelet sends of them, at most.
    """
    preset = gate.counters()
    told_apart = preset.unit != "backend_pod" or preset.path is not None or not preset.experimental
    if told_apart or not counted or probes <= MOST_PROBES * counted:
        return ""
    said = (
        f"of the {counted:.2g} requests a second that stable counted in the last hour up to {probes:.2g} are "
        "its own health checks, which nobody can tell from users' without a label"
    )
    if asked.override:
        return f"{said}; {TAKEN_ON}"
    raise _fault(
        asked,
        f"gate {gate.name!r} would judge health checks: {said}. Name the label that holds the path "
        "(options, `path`), count them apart, or point the probes at another port.",
    )


def _check_traffic(gate: JudgeGate, asked: Asked, past: Past, past_s: float, *, max_s: float) -> str:
    probes = gate.probe.per_second if gate.probe else 0.0
    if not (past.requests or probes):
        return _no_baseline(gate, asked, past_s)
    max_s -= gate.asking_s
    ahead = forecast(past, past_s, asked.steps, gate.settings(max_s=max_s), max_s=max_s, probes=probes)
    if ahead is None or ahead.enough:
        return ""
    said = _few(ahead, gate, max_s)
    if asked.override:
        return f"{said}; {TAKEN_ON}"
    if gate.asks:
        return f"{said}; {ASKED}"
    if gate.low_traffic == "pods_only":
        return f"{said}; it will be watched until then, and pass by its pods alone (low_traffic)"
    raise _fault(
        asked,
        f"gate {gate.name!r} cannot pass: {said}. Give the steps more weight, max_s more time, or say "
        "low_traffic='pods_only' to pass by the pods alone or 'probe' to send requests of our own, or "
        "on_inconclusive='ask' to ask a person.",
    )


def _no_baseline(gate: JudgeGate, asked: Asked, past_s: float) -> str:
    said = f"stable had no request in the last {past_s / 60:.0f} minutes, {NO_BASELINE}"
    if how := _without_baseline(gate, asked):
        return f"{said}: {how}"
    raise _fault(
        asked,
        f"gate {gate.name!r} cannot pass: {said}. Deliver while it has some, or say "
        "first_release='pods_and_floor' to pass by the pods and the candidate's own errors.",
    )


def _without_baseline(gate: JudgeGate, asked: Asked) -> str:
    """Say by what it goes instead; empty: by nothing."""
    if gate.first_release == "pods_and_floor":
        return "judged by the pods and a floor alone (first_release)"
    if asked.override:
        return TAKEN_ON
    return ASKED if gate.asks else ""


def _few(ahead: Forecast, gate: JudgeGate, max_s: float) -> str:
    until = "max_s less ask_s" if gate.asks else "max_s"
    ours = f" and {gate.probe.per_second:g} of our own to each side" if gate.probe else ""
    return (
        f"at {ahead.per_second:.2g} requests a second, as in the last hour{ours}, the candidate has about "
        f"{ahead.expected:,.0f} that count by {until} ({max_s:g} s), and it takes {ahead.needed:,.0f} at least"
    )


def _fault(asked: Asked, text: str) -> PlanError:
    return PlanError(app=asked.release.app, faults=[text])
