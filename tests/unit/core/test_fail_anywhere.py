"""A broken gate ends a canary wherever it stands: while it waits for whatever it waits for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cd_provider.core.canary import AHEAD_S, decide
from cd_provider.core.finding import Finding
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.core.situation import Hold, Resize, Shift, Situation, Stop
from cd_provider.core.traffic import Weights
from tests.unit.core.canary_seen import PLAN, candidate, pod, seen, verdict

TWO = (PLAN.gates[0], JudgeGate.parse(judge(preset="demo")))
WAITS: dict[str, dict[str, Any]] = {
    "a step's time": {"now": 1000.0},
    "the next step's pods": {"now": 1031.0, "candidate": candidate(2)},
    "the next step's pods, asked for ahead": {"now": 1030.0 - AHEAD_S + 1.0},
    "its own pods": {"candidate": candidate(1, ready=0), "pods": [pod(ready=False), pod("b")]},
    "the other gate, which is silent": {"now": 1031.0, "candidate": candidate(2), "pods": [pod("a"), pod("b")]},
    "the way back after a trip": {
        "weights": Weights.of(0), "step_started": None, "trips": 1, "back_at": 1020.0,
    },
    "the gateway": {"weights": Weights.of(0), "step_started": None, "ready_since": 999.9},
    "the split that somebody else changed": {"weights": Weights.of(30)},
    "the cluster": {"blind_since": 999.0},
    "a verdict in the last step": {
        "step": 1, "weights": Weights.of(50), "candidate": candidate(2), "pods": [pod("a"), pod("b")], "now": 1090.0,
    },
}  # fmt: skip


def waiting(changed: dict[str, Any], *, broken: bool) -> Situation:
    it = seen(**changed)
    states = [
        verdict(Finding.BLIND, at=it.now),
        verdict(Finding.FAILED if broken else Finding.GOING, at=it.now),
    ]
    return replace(it, gates=states)


@pytest.mark.parametrize("changed", WAITS.values(), ids=WAITS)
def test_a_failed_judge_stops_a_canary_that_waits(changed: dict[str, Any]) -> None:
    plan = replace(PLAN, gates=TWO)

    assert isinstance(decide(plan, waiting(changed, broken=False)), Hold | Resize | Shift)
    assert decide(plan, waiting(changed, broken=True)) == Stop("FAIL", "judge: errors 30 % vs 0 %")
