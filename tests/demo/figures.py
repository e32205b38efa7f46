"""What a delivery cost its users, counted at their end; plain functions of what was recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.demo.observer import Sample, restarts
from tests.stack.load_record import Record

GAP_S = 1.0  # two looks are never further apart: a request in between belongs to the exposure
PROMOTED, ABORTED = "promoted", "aborted"
EXPECTED = {"v2": PROMOTED, "v3": ABORTED}


@dataclass(frozen=True, kw_only=True)
class ReleaseFigures:
    """
    One release.

    :param on_traffic_s: from the first look that saw the candidate's weight above 0 to the last.
    :param requests: answered by the candidate, or by nobody, while it was on traffic; ``failed_requests`` of them.
    :param first_bad_to_zero_s: from its first bad answer to its weight 0; None when it was promoted, or never bad.
    :param stable_restarts: stable's pods and containers that did not live through a release that was taken back;
        None when it was promoted, which replaces every pod.
    :param dag_run_s: as Airflow counts it.
    """

    version: str
    verdict: str
    on_traffic_s: float
    requests: int
    failed_requests: int
    first_bad_to_zero_s: float | None
    stable_restarts: int | None
    dag_run_s: float


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """
    What was recorded of one delivery.

    :param verdict: ``promoted`` or ``aborted``; what it means is for the caller to know.
    :param decided_at: when the canary's verdict fell, epoch seconds; None when there was none.
    :param line: what the judge said.
    """

    version: str
    verdict: str
    run: Mapping[str, Any]
    samples: list[Sample]
    record: Record
    decided_at: float | None = None
    line: str = ""

    def exposed(self) -> tuple[float, float] | None:
        """Since when and until when the candidate was on traffic, epoch seconds; None when it never was."""
        moments = [sample.at for sample in self.samples if sample.weight > 0]
        return (moments[0], moments[-1]) if moments else None

    def zero_at(self) -> float | None:
        """The first look after the exposure that saw weight 0, epoch seconds."""
        exposed = self.exposed()
        if exposed is None:
            return None
        return next((s.at for s in self.samples if s.at > exposed[1] and s.weight == 0), None)


def measure(seen: Evidence) -> ReleaseFigures:
    """Count what a delivery cost."""
    exposed, zero_at = seen.exposed(), seen.zero_at()
    promoted = seen.verdict == PROMOTED
    candidate, unanswered = _requests(seen)
    first_bad = candidate.first_bad()
    return ReleaseFigures(
        version=seen.version,
        verdict=seen.verdict,
        on_traffic_s=round(exposed[1] - exposed[0], 1) if exposed else 0.0,
        requests=candidate.count() + unanswered.count(),
        failed_requests=candidate.failed() + unanswered.failed(),
        first_bad_to_zero_s=None
        if promoted or not first_bad or not zero_at
        else round(zero_at - first_bad, 1),
        stable_restarts=None if promoted else restarts(seen.samples),
        dag_run_s=round(run_s(seen.run), 1),
    )


def _requests(seen: Evidence) -> tuple[Record, Record]:
    """
    Give those that the candidate answered, and those that nobody did while it was on traffic.

    Once it is promoted stable answers under the same version, so that the verdict ends the count; one that was taken
    back answers nowhere else, so that its late answers count.
    """
    exposed = seen.exposed()
    if exposed is None:
        return Record([]), Record([])
    since, until = exposed[0] - GAP_S, exposed[1] + GAP_S
    last = (seen.decided_at or exposed[1]) if seen.verdict == PROMOTED else float("inf")
    return seen.record.between(since, last).of(seen.version), seen.record.between(since, until).of(None)


def run_s(run: Mapping[str, Any]) -> float:
    """How long a run took, by its own dates."""
    began, ended = (datetime.fromisoformat(run[key]) for key in ("start_date", "end_date"))
    return (ended - began).total_seconds()


def faults(releases: Sequence[ReleaseFigures]) -> list[str]:
    """Say what did not go as it has to: good promoted, bad on traffic and aborted. Empty when all did."""
    verdicts = {release.version: release.verdict for release in releases}
    wrong = [
        f"{version} should have been {wanted}, but "
        + (f"was {seen}" if (seen := verdicts.get(version)) else "is missing")
        for version, wanted in EXPECTED.items()
        if verdicts.get(version) != wanted
    ]
    idle = [f"{one.version} was never on traffic" for one in releases if one.requests == 0]
    hurt = [
        f"{one.version} cost {one.stable_restarts} of stable's pods"
        for one in releases
        if one.stable_restarts
    ]
    return [*wrong, *idle, *hurt]


def write_report(path: Path, releases: Sequence[ReleaseFigures], *, setup_s: float) -> None:
    """Write the figures as JSON."""
    content = {"releases": [asdict(release) for release in releases], "setup_s": round(setup_s, 1)}
    path.write_text(json.dumps(content, indent=2) + "\n")
