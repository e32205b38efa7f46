"""What a judge's keys mean together: what cannot fail, and what asks for something that is not there."""

from __future__ import annotations

import re
from dataclasses import asdict
from typing import TYPE_CHECKING

from cd_provider.core.judge_bounds import LATENCY
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.judge_gate import JudgeGate


def check(gate: JudgeGate) -> None:
    """
    Refuse what makes no sense together.

    :raises ArgumentError: says which gate and key, what was seen, and what to do.
    """
    _check_roles(gate)
    _check_ratio(gate)
    _check_gateways(gate)
    _check_probe(gate)


def _check_roles(gate: JudgeGate) -> None:
    if "critical" not in (gate.errors.role, gate.latency.role):
        raise ArgumentError(
            f"gate {gate.name!r} cannot fail: errors are {gate.errors.role}, latency is {gate.latency.role}. "
            "Make one of them critical, or say mode='observe' to stop nothing."
        )


def _check_ratio(gate: JudgeGate) -> None:
    if not gate.of_clients:
        return
    if gate.latency != LATENCY or gate.errors.role != "critical":
        raise ArgumentError(
            f"gate {gate.name!r}, ratio: a judge of client errors judges nothing else; leave latency and the errors' "
            "role out, and put a second judge beside it."
        )
    if not gate.counters().status:
        raise ArgumentError(
            f"gate {gate.name!r}, ratio: preset {gate.counters().name} has no HTTP status, which tells a client's "
            "error; take ratio='errors', or a preset with `status`."
        )


def _check_gateways(gate: JudgeGate) -> None:
    from cd_provider.core.judge.gateways import gateways_of  # whoever has no judge loads none of it

    known, where = gate.counters(), f"gate {gate.name!r}, gateways"
    if gate.source == "direct":
        gateways_of(known, gate.gateways, where=where)
    elif gate.gateways is not None:
        raise ArgumentError(
            f"{where}: saw {gate.gateways!r}, but source is {gate.source!r}, which needs none; say "
            "source='direct', or leave it out."
        )


def _check_probe(gate: JudgeGate) -> None:
    from cd_provider.core.judge.presets import PROBES

    where, known = f"gate {gate.name!r}, probe", gate.counters()
    if (gate.low_traffic == "probe") != (gate.probe is not None):
        raise ArgumentError(
            f"{where}: saw {gate.probe and asdict(gate.probe)} with low_traffic {gate.low_traffic!r}, expected "
            "low_traffic='probe' with a path, such as probe={'path': '/'}, or neither."
        )
    if gate.probe is None:
        return
    if known.unit != "backend_pod":
        raise ArgumentError(
            f"{where}: preset {known.name} counts in the gateway, where requests to one side alone cannot be sent; "
            "take a preset that counts in the pods."
        )
    if known.path and re.fullmatch(PROBES, gate.probe.path.partition("?")[0]):
        raise ArgumentError(
            f"{where}, path: saw {gate.probe.path!r}, which preset {known.name} leaves out of what it counts; name "
            "one that users ask for."
        )
