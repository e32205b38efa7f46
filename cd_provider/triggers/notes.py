"""What a canary notes down on its candidate, so that whoever goes on with it knows how far it got."""

from __future__ import annotations

from cd_provider.core import names
from cd_provider.core.release import Release

SILENT_SINCE = names.PREFIX + "silent-since"
EXPOSED = names.PREFIX + "exposed"
TRIPPED = names.PREFIX + "tripped"  # how often it was taken off to return, and when it may
ATTEMPT_STARTED = names.PREFIX + "attempt-started"


def birth_notes(release: Release, attempt: int, *, at: float) -> dict[str, str]:
    """Give the annotations with which an attempt begins; ``at`` in epoch seconds."""
    return {
        names.RELEASE: release.id, names.DELIVERY: release.delivery, names.ATTEMPT: str(attempt),
        names.IMAGE: release.image, names.STEP: "-1", names.STEP_STARTED: "", names.VERDICT: "",
        SILENT_SINCE: "", EXPOSED: "", TRIPPED: "", ATTEMPT_STARTED: f"{at:.3f}",
    }  # fmt: skip


def trips_note(trips: int, back_at: float) -> str:
    """Write what :func:`read_trips` reads."""
    return f"{trips};{back_at:.3f}"


def read_trips(note: str | None) -> tuple[int, float]:
    """Read how often the candidate was taken off traffic to return, and when it may, epoch seconds."""
    count, _, back_at = (note or "").partition(";")
    return (int(count), float(back_at)) if back_at else (0, 0.0)
