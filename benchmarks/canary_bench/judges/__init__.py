"""
The judges, by name. To try yours: a class with ``step``, and a line here.

The reference judges are ours, written from what their projects publish: documentation, and what their sources do.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from benchmarks.canary_bench.generate import Record
from benchmarks.canary_bench.judges.ablations import ABLATIONS
from benchmarks.canary_bench.judges.kayenta import kayenta
from benchmarks.canary_bench.judges.ours import OurEntry
from benchmarks.canary_bench.judges.peeking import MixtureSprt, PeekingZ
from benchmarks.canary_bench.judges.thresholds import Argo, Flagger
from benchmarks.canary_bench.outcome import Scrapes
from benchmarks.canary_bench.samples import Feed, Judge, Maker, Samples, Setting


class Door(Protocol):
    """A judge that can be asked for; ``history_s``: seconds of stable alone that it wants to see before."""

    @property
    def history_s(self) -> float: ...

    def begin(self, record: Record, setting: Setting) -> tuple[Judge[Any], Feed[Any]]:
        """Give the judge of one run, and what it is shown."""
        ...


@dataclass(frozen=True)
class Entry:
    """
    A judge that looks at scrapes.

    :param make: makes one for each run. :param history_s: seconds of stable alone that it is shown before.
    """

    make: Maker
    history_s: float = 0.0

    def begin(self, record: Record, setting: Setting) -> tuple[Judge[Samples], Scrapes]:
        """Give the judge of one run, and what it is shown."""
        return self.make(setting), Scrapes(record.scrapes(self.history_s))


REFERENCES: dict[str, Entry] = {
    "kayenta5": Entry(kayenta(every_s=300.0)),
    "kayenta5_p50": Entry(kayenta(every_s=300.0, quantiles=(0.5, 0.99))),
    "kayenta_end": Entry(kayenta(every_s=1800.0)),
    "kayenta1": Entry(kayenta(every_s=60.0)),
    "flagger": Entry(Flagger),
    "argo": Entry(Argo),
    "peeking_z": Entry(PeekingZ),
    "msprt": Entry(MixtureSprt),
}
DEFAULT = ("ours", *REFERENCES)
JUDGES: dict[str, Door] = {"ours": OurEntry(), **REFERENCES, **ABLATIONS}
