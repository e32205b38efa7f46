"""Say what is being done, and how long the same took last time."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.stack import settings

_STARTED = time.monotonic()


def say(text: str) -> None:
    """Print one line of progress to stderr, so that stdout stays for what programs read."""
    print(f"[stack {time.monotonic() - _STARTED:6.1f} s] {text}", file=sys.stderr, flush=True)


def human(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def last_duration(step: str) -> float | None:
    """Seconds that ``step`` took the last time on this machine; None when it never ran."""
    value = _durations().get(step)
    return float(value) if value is not None else None


@contextmanager
def timed(step: str, what: str) -> Iterator[None]:
    """Announce a step of some length, and remember its duration once it succeeded."""
    last = last_duration(step)
    say(
        f"{what} …" + (f" ({human(last)} last time)" if last is not None else " (first time on this machine)")
    )
    began = time.monotonic()
    yield
    took = time.monotonic() - began
    _remember(step, took)
    say(f"{what}: done in {human(took)}")


def _durations() -> dict[str, float]:
    with suppress(OSError, ValueError):
        found = json.loads((settings.cache_dir() / "durations.json").read_text())
        if isinstance(found, dict):
            return found
    return {}


def _remember(step: str, seconds: float) -> None:
    settings.cache_dir().mkdir(parents=True, exist_ok=True)
    kept = _durations() | {step: round(seconds, 1)}
    (settings.cache_dir() / "durations.json").write_text(json.dumps(kept, indent=1, sort_keys=True))
