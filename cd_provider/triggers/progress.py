"""What people see of a canary while it runs."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cd_provider.core.finding import sentence
from cd_provider.core.situation import CanaryPlan, Situation, Stop
from cd_provider.triggers.gate_watch import GateWatch
from cd_provider.triggers.judge_watch import JudgeWatch

log = logging.getLogger(__name__)
Watch = GateWatch | JudgeWatch


@dataclass(frozen=True)
class Progress:
    """What people see while it runs."""

    step: int
    steps: int
    weight: int
    line: str
    left_s: float | None = None
    findings: tuple[str, ...] = ()  # of each gate, once users are on the candidate
    asks: bool = False  # it is a question, and somebody has to answer


class Teller:
    """Makes progress out of what was seen; before the first look there is nothing to tell."""

    def __init__(
        self, plan: CanaryPlan, watches: Sequence[Watch], report: Callable[[Progress], None]
    ) -> None:
        self.plan, self.watches, self.report = plan, watches, report
        self._asked = False

    def tell(
        self,
        seen: Situation | None,
        reason: str,
        left_s: float | None = None,
        *,
        step: int | None = None,
        news: bool = False,
        asks: bool = False,
    ) -> None:
        """
        Report.

        :param step: when it is another than that of the last look. :param news: say it in the task's log, too.
        :param asks: it is a question; said in the log when it is put.
        """
        if seen is None:
            return
        at = seen.step if step is None else step
        looked = [(watch.gate, watch.state) for watch in self.watches if seen.step_started is not None]
        said = [sentence(*one) for one in looked]
        line, steps = "; ".join([reason, *(one for one in said if one not in reason)]), self.plan.steps
        if news or (asks and not self._asked):
            log.info("%s%s", f"step {at + 1} of {len(steps)}: " if at >= 0 else "", line)
        findings = tuple(state.finding for _, state in looked)
        self._asked = asks
        weight = steps[at].weight if at >= 0 else 0
        self.report(Progress(at, len(steps), weight, line, left_s, findings, asks))

    def tell_stop(self, seen: Situation | None, stop: Stop) -> None:
        """Report that the candidate is being taken off, before it is."""
        if seen is None:
            return
        line = f"{stop.kind}: {stop.line}; the candidate is taken off traffic"
        findings = tuple(watch.state.finding for watch in self.watches)
        self.report(Progress(seen.step, len(self.plan.steps), 0, line, None, findings))
