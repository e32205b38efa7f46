"""
The gate that compares: candidate beside stable or a baseline, from raw counters, with a stated chance to be wrong.

Kept as plain JSON (``judge(…)`` makes it), read into a :class:`JudgeGate` at the border. What it decides is in
:mod:`cd_provider.core.judge`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from cd_provider.core.gate_head import gate_name
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge_bounds import CLIENT_ERRORS, ERRORS, LATENCY, Bounds, ErrorBounds
from cd_provider.core.judge_checks import check
from cd_provider.core.judge_numbers import SENSITIVITY, settings_of
from cd_provider.core.probe import Probe
from cd_provider.core.units import MODES, seconds, whole, word
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.judge.presets import Preset

WORDS: Mapping[str, tuple[str, ...]] = {
    "source": ("prometheus", "direct"),
    "ratio": ("errors", "client_errors"),
    "sensitivity": tuple(SENSITIVITY),
    "mode": MODES,
    "on_trip": ("retry_once", "fail"),
    "first_release": ("refuse", "pods_and_floor"),
    "low_traffic": ("refuse", "pods_only", "probe"),
    "on_inconclusive": ("hold_then_abort", "ask"),
    "shadow": ("none", "kayenta"),
    "baseline": ("stable", "fresh"),
}
LEAST_EVERY_S, LEAST_ASK_S, ASK_S = 0.5, 60.0, 900.0
EVERY_S: Mapping[str, float] = {"prometheus": 2.0, "direct": 1.0}


def judge(
    name: str = "judge",
    *,
    preset: str,
    source: str = "prometheus",
    gateways: str | None = None,
    ratio: str = "errors",
    sensitivity: str = "normal",
    baseline: str = "stable",
    errors: Mapping[str, Any] | None = None,
    latency: Mapping[str, Any] | None = None,
    mode: str = "enforce",
    on_trip: str = "retry_once",
    first_release: str = "refuse",
    low_traffic: str = "refuse",
    probe: Mapping[str, Any] | None = None,
    on_inconclusive: str = "hold_then_abort",
    ask_s: float | str | None = None,
    shadow: str = "none",
    min_s: float | str | None = None,
    every_s: float | str | None = None,
    options: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """
    Compare the candidate's errors and latencies with stable's, in the same seconds.

    :param name: what people call it.
    :param preset: which counters: ``envoy``, ``traefik``, ``istio_gateway``, ``otel_http_server``, ``demo``;
        experimental: ``istio``, and ``custom`` with ``options``.
    :param source: ``prometheus``; or ``direct``: the pods' (or the gateway's) own pages, once a second, through the API
        server; needs the RBAC verb ``get`` on ``pods/proxy``.
    :param gateways: ``direct`` with a gateway's preset: namespace and labels of the gateway's pods, such as
        ``projectcontour/app=envoy``; needs ``list`` on ``pods`` there, too.
    :param ratio: what is bad. ``errors``: statuses 5xx, gRPC's errors, connections that fail. ``client_errors``: 4xx
        but 429 and 499, against stable's, beyond 2 % of the requests; 2x is ignored then, 3x unacceptable, and latency
        is another judge's. For a version that has lost its routes or refuses every login.
    :param sensitivity: ``calm``, ``normal`` or ``keen``: 3, 6 or 15 % chance to fail a candidate that is exactly
        at ``ignore``; one like stable is failed far more seldom.
    :param baseline: ``stable``: stable's own pods. ``fresh``: pods of stable's image that are started with the
        candidate, as many, with the same share of the traffic, and removed with it; both are as cold, so that a PASS
        may come a minute earlier. It takes twice the pods, and steps up to 50.
    :param errors: ``{"ignore": 1.25, "unacceptable": 2.0, "never_above": 0.02}``: times stable's error share, up to the
        first a difference is ignored, from the second on it does not pass; and the share of the requests, 0–1, beyond
        which a version fails whatever the difference. :param latency: ``{"ignore": 1.05, "unacceptable": 1.25}``.
        Either may have a ``role``: ``critical`` decides; ``advisory`` and ``dry_run`` change nothing, and the line says
        what they would have done; a dry run is told of as well when that is nothing.
    :param mode: ``observe`` tells what it would have done and stops nothing.
    :param on_trip: many errors within seconds take the candidate off traffic at once; ``retry_once`` lets it return
        once, ``fail`` does not.
    :param first_release: stable has no requests to compare with: ``refuse``, by plan, and by a canary that meets it at
        its end; ``pods_and_floor``: pass by the pods' health and the candidate's own share of errors.
    :param low_traffic: there will be too few requests by ``max_s``: ``refuse``, by plan; ``pods_only``: watch it until
        then, and pass when nothing else is missing; ``probe``: send some of our own, to both sides alike.
    :param probe: what those are: ``{"path": "/", "per_second": 2, "port": 8080}``, the second number to each side, at
        most 20, and the port the one of the pods' metrics unless given; needs ``get`` on ``pods/proxy``.
    :param on_inconclusive: it cannot decide in time, or hears nothing for ``no_data_s``: ``hold_then_abort`` takes the
        candidate off traffic; ``ask`` asks a person first, who answers in Airflow, and goes on watching meanwhile.
    :param ask_s: seconds that the person has, of those up to ``max_s``; default: 15 minutes.
    :param shadow: ``kayenta`` runs Kayenta's judge on the same counters, every five minutes, and tells what it would
        have said; it decides nothing.
    :param min_s: seconds before which nothing passes; default: three minutes, two beside a fresh
        baseline.
    :param every_s: seconds between two reads; default 2, direct 1.
    :param options: of the preset ``custom``: fields of :class:`~cd_provider.core.judge.presets.Preset`.
    """
    given = {
        "kind": "judge", "name": name, "preset": preset, "source": source, "gateways": gateways,
        "ratio": ratio if ratio != "errors" else None, "sensitivity": sensitivity,
        "errors": dict(errors) if errors else None, "latency": dict(latency) if latency else None, "mode": mode,
        "on_trip": on_trip, "first_release": first_release, "low_traffic": low_traffic, "shadow": shadow,
        "probe": dict(probe) if probe else None,
        "on_inconclusive": on_inconclusive if on_inconclusive != "hold_then_abort" else None, "ask_s": ask_s,
        "min_s": min_s, "baseline": baseline if baseline != "stable" else None,
        "every_s": every_s, "options": dict(options) if options else None,
    }  # fmt: skip
    return {key: value for key, value in given.items() if value is not None}


@dataclass(frozen=True)
class JudgeGate:
    """One judge; times in seconds."""

    name: str
    preset: str
    source: str = "prometheus"
    gateways: str | None = None
    ratio: str = "errors"
    sensitivity: str = "normal"
    errors: ErrorBounds = ERRORS
    latency: Bounds = LATENCY
    mode: str = "enforce"
    on_trip: str = "retry_once"
    first_release: str = "refuse"
    low_traffic: str = "refuse"
    probe: Probe | None = None
    on_inconclusive: str = "hold_then_abort"
    ask_s: float = field(default=ASK_S, metadata={"minimum": LEAST_ASK_S})
    shadow: str = "none"
    min_s: float | None = field(default=None, metadata={"minimum": 0})
    every_s: float = field(default=2.0, metadata={"minimum": LEAST_EVERY_S})
    baseline: str = "stable"
    options: Mapping[str, Any] = field(default_factory=dict)
    among: int = field(default=1, metadata={"minimum": 1})
    """How many judges share the chance to be wrong, itself included: a list of gates sets it as it is read."""
    kind: str = "judge"

    @classmethod
    def parse(cls, value: Any) -> JudgeGate:
        """
        Read what :func:`judge` gives, or the same as JSON; numbers may be texts (rendered templates).

        :raises ArgumentError: a wrong shape, name, word or number.
        """
        name = gate_name(value, kind="judge", such_as="judge", known={one.name for one in fields(cls)})
        where = f"gate {name!r}"
        value = {key: one for key, one in value.items() if one is not None}
        usual = {one.name: one.default for one in fields(cls)}
        words = {key: word(value, key, some, where, usual=str(usual[key])) for key, some in WORDS.items()}

        def time(key: str, usual: Any, least: float = 0.0) -> Any:
            given = value.get(key)
            return usual if given is None else seconds(given, name=f"{where}, {key}", least=least)

        gate = cls(
            name=name,
            preset=str(value.get("preset")),
            gateways=None if value.get("gateways") is None else str(value["gateways"]),
            errors=ErrorBounds.parse(
                value.get("errors"),
                ERRORS if words["ratio"] == "errors" else CLIENT_ERRORS,
                where=f"{where}, errors",
            ),
            latency=Bounds.parse(value.get("latency"), LATENCY, where=f"{where}, latency"),
            min_s=time("min_s", None),
            every_s=time("every_s", EVERY_S[words["source"]], LEAST_EVERY_S),
            ask_s=time("ask_s", ASK_S, LEAST_ASK_S),
            probe=Probe.parse(value["probe"], where=f"{where}, probe") if "probe" in value else None,
            options=_mapping(value.get("options"), where),
            among=_among(value.get("among", 1), where),
            **words,
        )
        if "ask_s" in value and not gate.asks:
            raise ArgumentError(
                f"{where}, ask_s: nobody is asked; say on_inconclusive='ask', or leave it out."
            )
        check(gate)
        return gate

    def reading(self) -> dict[str, Any]:
        """Give what its source of counters has to know besides the preset."""
        found: dict[str, Any] = {"gateways": self.gateways} if self.gateways else {}
        return {**found, "ratio": self.ratio} if self.of_clients else found

    def counters(self) -> Preset:
        """Give the preset; an error names the gate."""
        from cd_provider.core.judge.presets import preset

        try:
            found = preset(self.preset, **self.options)
            return replace(found, latency=None) if self.of_clients else found
        except ArgumentError as err:
            raise ArgumentError(f"gate {self.name!r}: {err}") from err

    def connection(self, *, prometheus: str, kubernetes: str) -> str:
        """Say which of the two connections it reads by."""
        return kubernetes if self.source == "direct" else prometheus

    def settings(self, *, max_s: float) -> JudgeSettings:
        """Give the judge's numbers."""
        return settings_of(self, max_s=max_s)

    @property
    def of_clients(self) -> bool:
        """Whether it judges what clients are told that they did wrong, not what the server did."""
        return self.ratio == "client_errors"

    @property
    def asks(self) -> bool:
        """Whether a person is asked where it cannot decide."""
        return self.on_inconclusive == "ask"

    @property
    def asking_s(self) -> float:
        """How much of the canary's time is kept for asking."""
        return self.ask_s if self.asks else 0.0

    @property
    def fresh(self) -> bool:
        """Whether it compares with a baseline that is started together with the candidate."""
        return self.baseline == "fresh"

    @property
    def enforced(self) -> bool:
        """Whether it can stop a canary."""
        return self.mode == "enforce"

    def sharing(self, among: int) -> JudgeGate:
        """Give the same as one of so many that share a chance to be wrong; who only observes takes none from others."""
        return replace(self, among=among) if self.enforced else self

    @property
    def bound(self) -> str:
        """What is allowed, as people read it."""
        both: tuple[tuple[Bounds, str], ...] = ((self.errors, "errors"), (self.latency, "latency"))
        if self.of_clients:
            both = ((self.errors, "client errors"),)
        told = (f"{one.ignore:g}x the {name}" for one, name in both if one.role == "critical")
        other = "the baseline" if self.fresh else "stable"
        return f"up to {' and '.join(told)} of {other}"

    def as_dict(self) -> dict[str, Any]:
        """Give plain JSON that :meth:`parse` reads back; what older gates could not say only where it is said."""
        unsaid = {} if self.fresh else {"baseline": None}
        unsaid |= {} if self.asks else {"on_inconclusive": None, "ask_s": None}
        unsaid |= {} if self.among > 1 else {"among": None}
        unsaid |= {} if self.of_clients else {"ratio": None}
        return {key: value for key, value in {**asdict(self), **unsaid}.items() if value is not None}


def _among(value: Any, where: str) -> int:
    if isinstance(value, str):
        raise ArgumentError(
            f"{where}, among: saw {value!r}, expected a whole number; reading a list sets it."
        )
    return whole(value, name=f"{where}, among", least=1)


def _mapping(value: Any, where: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise ArgumentError(f"{where}, options: saw {value!r}, expected a mapping of a preset's fields.")
    return dict(value)
