"""
The gate that compares one thing with itself: its counters before a moment, and after it.

Time is confounded there: what else changed at that moment looks like its doing. So it is weak, and says so. Kept as
plain JSON (``before_after(…)`` makes it), read into a :class:`BeforeAfter` at the border. What it decides is in
:mod:`cd_provider.core.judge.weak`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from typing import TYPE_CHECKING, Any

from cd_provider.core.gate_head import gate_name
from cd_provider.core.judge.settings import UNACCEPTABLE, JudgeSettings, Tolerance
from cd_provider.core.judge_bounds import Bounds
from cd_provider.core.units import MODES, number, seconds
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.judge.presets import Preset
    from cd_provider.core.judge.sides import Sides

LEAST_IGNORED = 3.0
BOUNDS = Bounds(LEAST_IGNORED, 6.0)
BEFORE = "(before)"  # no Service, job or pod is called so


def before_after(
    name: str = "before/after",
    *,
    total: str,
    bad: str | None = None,
    status: str | None = None,
    label: str = "job",
    moment: float | str | None = None,
    before_s: float | str = "1h",
    after_s: float | str | None = None,
    errors: Mapping[str, float] | None = None,
    matchers: str = "",
    every_s: float | str = 5,
    mode: str = "enforce",
) -> dict[str, Any]:
    """
    Compare one thing's share of bad events after a moment with its share before it, from raw Prometheus counters.

    :param name: what people call it.
    :param total: counter of all events, each once, such as ``rows_read_total``.
    :param bad: counter of the bad ones among them, such as ``rows_rejected_total``; or ``status``, the label of
        ``total`` that holds an HTTP status. Exactly one of both.
    :param label: label of both counters that says whose they are; its value is the sensor's ``candidate``.
    :param moment: (templated) epoch seconds, or ISO 8601 with a zone; default: when the sensor begins.
    :param before_s: how long before it counts as before. :param after_s: how long after it counts as after, at most
        until the sensor's ``max_s`` is over, which is the default; in the past it is judged at once.
    :param errors: ``{"ignore": 3.0, "unacceptable": 6.0}``: times the share before. Never less than 3 is ignored: so
        much changes with time alone.
    :param matchers: further label matchers, as PromQL writes them.
    :param every_s: seconds between two reads.
    :param mode: ``observe`` tells what it would have done and stops nothing.
    """
    given = {
        "kind": "before_after", "name": name, "total": total, "bad": bad, "status": status, "label": label,
        "moment": moment, "before_s": before_s, "after_s": after_s, "errors": dict(errors) if errors else None,
        "matchers": matchers, "every_s": every_s, "mode": mode,
    }  # fmt: skip
    return {key: value for key, value in given.items() if value is not None}


@dataclass(frozen=True)
class BeforeAfter:
    """One comparison of a thing with itself; ``moment`` in epoch seconds, the rest in seconds."""

    name: str
    total: str
    bad: str | None = None
    status: str | None = None
    label: str = "job"
    moment: float | None = None
    before_s: float = 3600.0
    after_s: float | None = None
    errors: Bounds = BOUNDS
    matchers: str = ""
    every_s: float = 5.0
    mode: str = "enforce"
    kind: str = "before_after"

    source = "prometheus"

    @classmethod
    def parse(cls, value: Any) -> BeforeAfter:
        """
        Read what :func:`before_after` gives, or the same as JSON; numbers may be texts (rendered templates).

        :raises ArgumentError: a wrong shape, name, word or number.
        """
        known = {one.name for one in fields(cls)}
        where = f"gate {gate_name(value, kind='before_after', such_as='rejected rows', known=known)!r}"
        return cls(**{key: _read(where, key, given) for key, given in value.items() if given is not None})

    def __post_init__(self) -> None:
        where = f"gate {self.name!r}"
        if (self.bad is None) == (self.status is None):
            raise ArgumentError(
                f"{where}: saw bad={self.bad!r} and status={self.status!r}, expected one of them: the counter of bad "
                "events, or the label that holds the status."
            )
        if self.errors.ignore < LEAST_IGNORED:
            raise ArgumentError(
                f"{where}, errors: saw ignore {self.errors.ignore:g}, expected {LEAST_IGNORED:g} or more: between "
                "before and after so much changes with time alone."
            )
        if self.mode not in MODES:
            raise ArgumentError(f"{where}, mode: saw {self.mode!r}, expected one of {', '.join(MODES)}.")

    def counters(self) -> Preset:
        """Give how its counters are read."""
        from cd_provider.core.judge.presets import Preset

        return Preset(
            name="before_after", unit="none", total=self.total, errors=self.bad, status=self.status,
            backend=self.label, backend_is="{service}",
        )  # fmt: skip

    def reading(self) -> dict[str, Any]:
        """Give what its source of counters has to know besides what it counts."""
        return {"matchers": self.matchers}

    def connection(self, *, prometheus: str, kubernetes: str) -> str:
        """Say which of the two connections it reads by."""
        return prometheus

    def sides(self, thing: str) -> Sides:
        """Give who is asked for: the thing alone."""
        from cd_provider.core.judge.sides import Sides

        return Sides("", thing, BEFORE)

    def settings(self) -> JudgeSettings:
        """Give the clear lane's numbers: it tolerates what is ignored, cold or warm."""
        usual = JudgeSettings()
        tolerated = Tolerance(errors=self.errors.ignore, latency=1.0, share=usual.clear_at.share)
        worst = Tolerance(errors=self.errors.unacceptable, latency=1.0, share=UNACCEPTABLE.share)
        return JudgeSettings(clear_at=tolerated, cold_at=tolerated, unacceptable=worst, latency=False)

    @property
    def enforced(self) -> bool:
        """Whether it can fail a task."""
        return self.mode == "enforce"

    @property
    def bound(self) -> str:
        """What is allowed, as people read it."""
        return f"up to {self.errors.ignore:g}x the share before"

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON that :meth:`parse` reads back."""
        return {key: value for key, value in asdict(self).items() if value is not None}


def _read(where: str, key: str, value: Any) -> Any:
    if key in ("before_s", "after_s", "every_s"):
        return seconds(value, name=f"{where}, {key}", least=0.5 if key == "every_s" else 1)
    if key == "errors":
        return Bounds.parse(value, BOUNDS, where=f"{where}, errors")
    if key == "moment":
        return epoch(value, name=f"{where}, moment")
    if not isinstance(value, str) or (key != "matchers" and not value.strip()):
        raise ArgumentError(f"{where}, {key}: saw {value!r}, expected a text.")
    return value


def epoch(value: Any, *, name: str) -> float:
    """
    Read a moment: epoch seconds, or ISO 8601 with a zone.

    :raises ArgumentError: neither, or a time without a zone: nobody knows whose noon it is.
    """
    try:
        at = value if isinstance(value, datetime) else datetime.fromisoformat(str(value).strip())
    except ValueError:
        return number(value, name=name, least=0)
    if at.tzinfo is None:
        raise ArgumentError(
            f"{name}: saw {value!r}, expected a time with its zone, such as …T12:00:00+00:00."
        )
    return at.timestamp()
