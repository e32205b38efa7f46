"""
The gate that compares: candidate beside stable or a baseline, from raw counters, with a stated chance to be wrong.

Kept as plain JSON (``judge(…)`` makes it), read into a :class:`JudgeGate` at the border. What it decides is in
:mod:`cd_provider.core.judge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from cd_provider.core.judge.presets import Preset, preset
from cd_provider.core.judge.settings import IGNORE, UNACCEPTABLE, JudgeSettings, Tolerance
from cd_provider.core.units import number, seconds
from cd_provider.exceptions import ArgumentError

SENSITIVITY: Mapping[str, float] = {"calm": 0.05, "normal": 0.10, "keen": 0.20}
MODES = ("enforce", "observe")
SOURCES = ("prometheus", "direct")
ON_TRIP = ("retry_once", "fail")
BASELINES = ("stable", "fresh")
EVERY_S: Mapping[str, float] = {"prometheus": 2.0, "direct": 1.0}


def judge(
    name: str = "judge",
    *,
    preset: str,
    source: str = "prometheus",
    sensitivity: str = "normal",
    baseline: str = "stable",
    errors: Mapping[str, float] | None = None,
    latency: Mapping[str, float] | None = None,
    mode: str = "enforce",
    on_trip: str = "retry_once",
    min_s: float | str | None = None,
    every_s: float | str | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Compare the candidate's errors and latencies with stable's, in the same seconds.

    :param name: what people call it.
    :param preset: which counters: ``envoy``, ``traefik``, ``otel_http_server``, ``demo``; ``custom`` with ``options``.
    :param source: ``prometheus``; or ``direct``: the pods' (or the gateway's) own pages, once a second, through the API
        server; needs the RBAC verb ``get`` on ``pods/proxy``.
    :param sensitivity: ``calm``, ``normal`` or ``keen``: 5, 10 or 20 % chance to fail a candidate that is exactly
        at ``ignore``; one like stable is failed far more seldom.
    :param baseline: ``stable``: stable's own pods. ``fresh``: pods of stable's image that are started with the
        candidate, as many, with the same share of the traffic, and removed with it; both are as cold, so that a PASS
        may come a minute earlier. It takes twice the pods, and steps up to 50.
    :param errors: ``{"ignore": 1.25, "unacceptable": 2.0}``: times stable's error share. Up to the first a difference
        is ignored, from the second on it does not pass. :param latency: ``{"ignore": 1.05, "unacceptable": 1.25}``.
    :param mode: ``observe`` tells what it would have done and stops nothing.
    :param on_trip: many errors within seconds take the candidate off traffic at once; ``retry_once`` lets it return
        once, ``fail`` does not.
    :param min_s: seconds before which nothing passes; default: three minutes, two beside a fresh baseline.
    :param every_s: seconds between two reads; default 2, direct 1.
    :param options: of the preset ``custom``: fields of :class:`~cd_provider.core.judge.presets.Preset`.
    """
    given = {
        "kind": "judge", "name": name, "preset": preset, "source": source, "sensitivity": sensitivity,
        "errors": dict(errors) if errors else None, "latency": dict(latency) if latency else None, "mode": mode,
        "on_trip": on_trip, "min_s": min_s, "every_s": every_s, "options": dict(options) if options else None,
        "baseline": baseline if baseline != "stable" else None,
    }  # fmt: skip
    return {key: value for key, value in given.items() if value is not None}


@dataclass(frozen=True)
class Bounds:
    """Two numbers of one metric, as times stable's."""

    ignore: float
    unacceptable: float

    @classmethod
    def parse(cls, value: Any, usual: Bounds, *, where: str) -> Bounds:
        """
        Read them; what is not given is as usual.

        :raises ArgumentError: another key, no number, or not 1 ≤ ignore < unacceptable.
        """
        if value is None:
            return usual
        if not isinstance(value, Mapping) or set(value) - {"ignore", "unacceptable"}:
            raise ArgumentError(
                f"{where}: saw {value!r}, expected numbers under 'ignore' and 'unacceptable'."
            )
        found = cls(
            **{
                key: number(value.get(key, getattr(usual, key)), name=f"{where}, {key}")
                for key in ("ignore", "unacceptable")
            }
        )
        if not 1.0 <= found.ignore < found.unacceptable:
            raise ArgumentError(
                f"{where}: saw ignore {found.ignore:g} and unacceptable {found.unacceptable:g}, expected 1 or "
                "more, and the second larger than the first: both are times stable's."
            )
        return found


ERRORS = Bounds(IGNORE.errors, UNACCEPTABLE.errors)
LATENCY = Bounds(IGNORE.latency, UNACCEPTABLE.latency)


@dataclass(frozen=True)
class JudgeGate:
    """One judge; times in seconds."""

    name: str
    preset: str
    source: str = "prometheus"
    sensitivity: str = "normal"
    errors: Bounds = ERRORS
    latency: Bounds = LATENCY
    mode: str = "enforce"
    on_trip: str = "retry_once"
    min_s: float | None = None
    every_s: float = 2.0
    baseline: str = "stable"
    options: Mapping[str, Any] = field(default_factory=dict)
    kind: str = "judge"

    @classmethod
    def parse(cls, value: Any) -> JudgeGate:
        """
        Read what :func:`judge` gives, or the same as JSON; numbers may be texts (rendered templates).

        :raises ArgumentError: a wrong shape, name, word or number.
        """
        if not isinstance(value, Mapping) or value.get("kind") != "judge":
            raise ArgumentError(f"gate: saw {value!r}, expected what judge(…) gives.")
        name = value.get("name")
        if not isinstance(name, str) or not name.strip():
            raise ArgumentError(f"gate: saw the name {name!r}, expected a text such as 'judge'.")
        where, known = f"gate {name!r}", {one.name for one in fields(cls)}
        if unknown := sorted(set(value) - known):
            raise ArgumentError(f"{where}: unknown key {unknown[0]!r}, expected some of {sorted(known)}.")
        source = _word(value, "source", SOURCES, where)
        every_s = value.get("every_s")
        min_s = value.get("min_s")
        gate = cls(
            name=name,
            preset=str(value.get("preset")),
            source=source,
            sensitivity=_word(value, "sensitivity", tuple(SENSITIVITY), where, usual="normal"),
            errors=Bounds.parse(value.get("errors"), ERRORS, where=f"{where}, errors"),
            latency=Bounds.parse(value.get("latency"), LATENCY, where=f"{where}, latency"),
            mode=_word(value, "mode", MODES, where),
            on_trip=_word(value, "on_trip", ON_TRIP, where),
            min_s=None if min_s is None else seconds(min_s, name=f"{where}, min_s"),
            every_s=EVERY_S[source]
            if every_s is None
            else seconds(every_s, name=f"{where}, every_s", least=0.5),
            baseline=_word(value, "baseline", BASELINES, where),
            options=dict(value.get("options") or {}),
        )
        gate.counters()
        return gate

    def counters(self) -> Preset:
        """Give the preset; an error names the gate."""
        try:
            return preset(self.preset, **self.options)
        except ArgumentError as err:
            raise ArgumentError(f"gate {self.name!r}: {err}") from err

    def connection(self, *, prometheus: str, kubernetes: str) -> str:
        """Say which of the two connections it reads by."""
        return kubernetes if self.source == "direct" else prometheus

    def settings(self, *, max_s: float) -> JudgeSettings:
        """Give the judge's numbers."""
        settings = JudgeSettings(
            alpha=SENSITIVITY[self.sensitivity], min_s=self.min_s, max_s=max_s, fresh=self.fresh
        )
        worst = settings.unacceptable
        return replace(
            settings,
            ignore=Tolerance(errors=self.errors.ignore, latency=self.latency.ignore),
            unacceptable=Tolerance(
                errors=self.errors.unacceptable, latency=self.latency.unacceptable, share=worst.share
            ),
            clear_at=replace(
                settings.clear_at,
                errors=max(settings.clear_at.errors, self.errors.ignore),
                latency=max(settings.clear_at.latency, self.latency.ignore),
            ),
        )

    @property
    def fresh(self) -> bool:
        """Whether it compares with a baseline that is started together with the candidate."""
        return self.baseline == "fresh"

    @property
    def enforced(self) -> bool:
        """Whether it can stop a canary."""
        return self.mode == "enforce"

    @property
    def bound(self) -> str:
        """What is allowed, as people read it."""
        other = "the baseline" if self.fresh else "stable"
        return f"up to {self.errors.ignore:g}x the errors and {self.latency.ignore:g}x the latency of {other}"

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON that :meth:`parse` reads back; a baseline that is stable's own pods is not named."""
        unsaid = {} if self.fresh else {"baseline": None}
        return {key: value for key, value in {**asdict(self), **unsaid}.items() if value is not None}


def _word(
    value: Mapping[str, Any], key: str, allowed: tuple[str, ...], where: str, *, usual: str | None = None
) -> str:
    given = value.get(key, usual or allowed[0])
    if given not in allowed:
        raise ArgumentError(f"{where}, {key}: saw {given!r}, expected one of {', '.join(allowed)}.")
    return str(given)
