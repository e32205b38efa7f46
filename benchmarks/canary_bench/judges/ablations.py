"""Our judge with one part taken away: what is lost without it is what the part is worth."""

from __future__ import annotations

import math
from dataclasses import replace

from benchmarks.canary_bench.judges.ours import OurEntry
from cd_provider.core.judge.settings import JudgeSettings

_WHOLE = JudgeSettings()
_ANY_POD = replace(
    _WHOLE,
    weakest=0.0,
    weakest_few=0.0,
    weakest_part=-math.inf,
    emergency=replace(_WHOLE.emergency, without=1.0, without_alike=1.0),
)
ABLATIONS: dict[str, OurEntry] = {
    "ours_page": OurEntry(history_s=0.0),  # no hour before, only what counters stand at
    "ours_any_pod": OurEntry(_ANY_POD),  # a single pod, or a host, convicts
    "ours_no_emergency": OurEntry(replace(_WHOLE, emergency=replace(_WHOLE.emergency, share=2.0))),
    "ours_no_clear": OurEntry(replace(_WHOLE, clear=math.inf)),
    "ours_no_subtle": OurEntry(replace(_WHOLE, alpha=1e-12)),
}
