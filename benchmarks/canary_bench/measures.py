"""What one run counts as: detected, passed, stopped, and after how long."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from statistics import fmean

from benchmarks.canary_bench.outcome import Outcome
from benchmarks.canary_bench.regressions import REGRESSIONS
from benchmarks.canary_bench.samples import HORIZON_S


def failed(one: Outcome) -> bool:
    """Whether a canary was stopped as a bad one: a FAIL, passed before or not."""
    return one.fail_s is not None


def not_promoted(one: Outcome) -> bool:
    return one.first != "PASS" or failed(one)


def unclear(one: Outcome) -> bool:
    return one.first == "INCONCLUSIVE"


def tripped(one: Outcome) -> bool:
    return one.trips > 0


def passed(one: Outcome) -> bool:
    return one.first == "PASS"


def seconds_to_fail(one: Outcome, regression: str) -> float | None:
    """
    Give how long it took to detect a regression since it began; None when that was not done.

    A FAIL after a PASS is not one, and neither is a FAIL before there was anything to detect.
    """
    onset = REGRESSIONS[regression].from_s
    found = one.first == "FAIL" and one.fail_s is not None and one.fail_s > onset
    return one.fail_s - onset if found and one.fail_s is not None else None


def seconds_to_off(one: Outcome, regression: str) -> float | None:
    """Give the same to the first time that the candidate was taken off traffic, for a while or for good."""
    onset = REGRESSIONS[regression].from_s
    passed_s = math.inf if one.pass_s is None else one.pass_s
    if one.trip_s is not None and onset < one.trip_s < passed_s:
        return one.trip_s - onset
    return seconds_to_fail(one, regression)


def detected(regression: str) -> Callable[[Outcome], bool]:
    """Ask whether a run was failed while it was bad, and not passed before."""
    return lambda one: seconds_to_fail(one, regression) is not None


def ever_detected(regression: str) -> Callable[[Outcome], bool]:
    """Ask whether it was failed while it was bad, passed before or not."""
    return lambda one: one.fail_s is not None and one.fail_s > REGRESSIONS[regression].from_s


def pass_times(runs: Sequence[Outcome]) -> list[float]:
    """Give the second of each PASS that ended a canary; infinity for a run without."""
    return [math.inf if one.pass_s is None else one.pass_s for one in runs]


def censored_s(runs: Sequence[Outcome], regression: str) -> float:
    whole = HORIZON_S - REGRESSIONS[regression].from_s
    found = [seconds_to_fail(one, regression) for one in runs]
    return fmean(whole if time is None else time for time in found)
