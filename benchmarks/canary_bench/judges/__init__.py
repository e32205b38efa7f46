"""
The judges, by name. To try yours: a class with ``step``, and a line here.

The reference judges are ours, written from what their projects publish: documentation, and what their sources do.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.canary_bench.judges.kayenta import kayenta
from benchmarks.canary_bench.judges.ours import HISTORY_S, Ours
from benchmarks.canary_bench.judges.peeking import MixtureSprt, PeekingZ
from benchmarks.canary_bench.judges.thresholds import Argo, Flagger
from benchmarks.canary_bench.samples import Maker


@dataclass(frozen=True)
class Entry:
    """
    A judge that can be asked for.

    :param make: makes one for each run. :param history_s: seconds of stable alone that it is shown before.
    """

    make: Maker
    history_s: float = 0.0


JUDGES: dict[str, Entry] = {
    "ours": Entry(Ours, history_s=HISTORY_S),
    "kayenta5": Entry(kayenta(every_s=300.0)),
    "kayenta5_p50": Entry(kayenta(every_s=300.0, quantiles=(0.5, 0.99))),
    "kayenta_end": Entry(kayenta(every_s=1800.0)),
    "kayenta1": Entry(kayenta(every_s=60.0)),
    "flagger": Entry(Flagger),
    "argo": Entry(Argo),
    "peeking_z": Entry(PeekingZ),
    "msprt": Entry(MixtureSprt),
}
