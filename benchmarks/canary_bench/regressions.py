"""What may be wrong with a candidate: eight ways, and the two that no judge should stop."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Regression:
    """
    How the candidate differs from stable.

    :param number: its place in the seed; never given to another one.
    :param errors_times: the error share, times this. :param errors_plus: and this much more, 0–1.
    :param errors_to: at least this share of requests fails, 0–1.
    :param slow_times: every latency, times this. :param tail_share: of the requests, 0–1, whose latency is
        ``tail_times`` what it would be.
    :param from_s: second of the canary in which it begins. :param min_s: before which the judge is told not to pass.
    """

    name: str
    number: int
    errors_times: float = 1.0
    errors_plus: float = 0.0
    errors_to: float = 0.0
    slow_times: float = 1.0
    tail_share: float = 0.0
    tail_times: float = 1.0
    from_s: float = 0.0
    min_s: float = 0.0


HEALTHY = Regression(name="healthy", number=0)
AT_IGNORE = Regression(name="at_ignore", number=9, errors_times=1.25, slow_times=1.05)
"""Exactly as much worse as is to be ignored: whoever stops it is wrong, whoever passes it is right."""

HARMFUL = (
    Regression(name="errors_x2", number=1, errors_times=2.0),
    Regression(name="errors_x10", number=2, errors_times=10.0),
    Regression(name="errors_plus_5", number=3, errors_plus=0.05),
    Regression(name="crash_loop", number=4, errors_to=0.60),
    Regression(name="latency_plus_10", number=5, slow_times=1.10),
    Regression(name="latency_plus_50", number=6, slow_times=1.50),
    Regression(name="slow_tail", number=7, tail_share=0.02, tail_times=6.0),
    Regression(name="late_errors_x10", number=8, errors_times=10.0, from_s=600.0, min_s=1800.0),
)
QUICK = (
    Regression(name="errors_30", number=10, errors_to=0.30),
    Regression(name="errors_5", number=11, errors_to=0.05),
)
"""How fast can it be? On the families that are read once a second; run when asked for."""
REGRESSIONS = {one.name: one for one in (HEALTHY, AT_IGNORE, *HARMFUL, *QUICK)}
DEFAULT = tuple(one.name for one in (HEALTHY, AT_IGNORE, *HARMFUL))
