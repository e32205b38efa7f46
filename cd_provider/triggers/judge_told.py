"""What a judge's verdict means for the loop that acts, and the sentence that goes with it."""

from __future__ import annotations

from cd_provider.core.finding import Finding
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.kayenta.shadow import KayentaShadow
from cd_provider.core.judge.settings import AWAY_ALONE_S
from cd_provider.core.judge_gate import JudgeGate

PATIENCE_S = 10.0  # without news; a candidate that returned may show its first samples so much later


def finding_of(judge: Judge, gate: JudgeGate, *, gone: bool, unreachable: bool, lacking: bool) -> Finding:
    """
    Say what the loop has to know.

    :param gone: no pod of the candidate answers any more, while stable's do. :param unreachable: some do not.
    :param lacking: something that was asked for was not there.
    """
    kind = judge.verdict.kind if judge.verdict else ""
    if kind == "FAIL" or gone:
        return Finding.FAILED
    if unreachable:
        return Finding.BREACH
    if not judge.story.candidate.requests and (lacking or gate.low_traffic == "refuse"):
        return Finding.THIN
    if kind in ("INCONCLUSIVE", "NO_DATA"):
        return Finding.ASKED if gate.asks else Finding.BREACH
    if not judge.calm(judge.at):
        return Finding.BREACH
    return Finding.OK if kind == "PASS" else Finding.GOING


def told(judge: Judge, gate: JudgeGate) -> str:
    """Give the verdict's line, or how it stands so far."""
    verdict = judge.verdict
    over = verdict is not None and (verdict.kind != "TRIP" or gate.on_trip == "fail")
    return verdict.line if verdict and over else judge.story.line(judge, "so far", judge.at, "")


def beside(shadow: KayentaShadow | None) -> str:
    """Give what a shadow said last, to follow a judge's line; empty without one."""
    if shadow is None:
        return ""
    return f"; {shadow.last.reason if shadow.last else 'Kayenta has not looked yet'}"


def excused(judge: Judge) -> bool:
    """Whether nobody need speak: it has failed, or it tripped a moment ago and is off traffic."""
    away = bool(judge.trips) and judge.began_at + judge.at - judge.trips[-1].at < AWAY_ALONE_S + PATIENCE_S
    return away or (judge.verdict is not None and judge.verdict.kind == "FAIL")
