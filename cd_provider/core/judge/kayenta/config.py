"""Import of Kayenta's canary config: what the judge takes over, what is shown only, and a line for all that is lost."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from cd_provider.core.judge.kayenta.bounds import Bounds, fall, rise
from cd_provider.core.judge.kayenta.metric import Direction, EffectSize, Metric
from cd_provider.core.judge.kayenta.query import prometheus
from cd_provider.core.judge.kayenta.read import Notes, Reader
from cd_provider.exceptions import ArgumentError

JUDGE = "NetflixACAJudge-v1.0"
TOP = (
    "id", "name", "description", "configVersion", "applications", "judge", "metrics", "templates", "classifier",
    "createdTimestamp", "createdTimestampIso", "updatedTimestamp", "updatedTimestampIso",
)  # fmt: skip
CANARY = ("direction", "nanStrategy", "critical", "muted", "mustHaveData", "effectSize", "outliers")
EFFECT = ("measure", "allowedIncrease", "allowedDecrease", "criticalIncrease", "criticalDecrease")
METRIC = ("name", "query", "groups", "analysisConfigurations", "scopeName")


@dataclass(frozen=True)
class ImportedMetric:
    """
    One metric, for the judge and for the shadow.

    :param query: PromQL for the candidate, with a gate's placeholders; None: to be written anew.
    :param rise: None: a rise is no harm. :param fall: the same for a fall.
    :param critical: it takes a part of alpha and may stop the canary; else it is advisory.
    :param must_have_data: without data it is NO_DATA, and the canary is not passed.
    :param missing_is_zero: a counter that is not there has counted nothing.
    :param shadow: the same as Kayenta understands it.
    """

    name: str
    query: str | None
    rise: Bounds | None
    fall: Bounds | None
    critical: bool
    must_have_data: bool
    missing_is_zero: bool
    shadow: Metric

    @property
    def stable_query(self) -> str | None:
        """The same query for stable."""
        return self.query.replace("$candidate", "$stable") if self.query else None


@dataclass(frozen=True)
class Thresholds:
    """Limits of the score, 0–100; they move nothing but the shadow's word."""

    pass_at: float
    marginal_at: float


@dataclass(frozen=True)
class Imported:
    """
    A canary config, read.

    :param weights: group → its part of 100, for the report and the shadow; the judge has no use for them.
    :param warnings: one line for each thing that is not taken over, key first.
    """

    name: str
    metrics: tuple[ImportedMetric, ...]
    weights: Mapping[str, float]
    thresholds: Thresholds | None
    warnings: tuple[str, ...]


def read_config(value: Any, *, bindings: Mapping[str, str] | None = None) -> Imported:
    """
    Read a canary config.

    :param value: JSON text, or what it says. :param bindings: variable → value for templates, such as
        ``{"quantile": "0.99", "namespace": "$namespace"}``; scope and location are known.
    :raises ArgumentError: all faults at once, each with key, value and expectation. Kayenta takes a word it does not
        know for a default; here that is a fault.

    Source: Kayenta, ``docs/canary-config.md``.
    """
    notes = Notes()
    top = Reader.of("", _parsed(value), notes)
    name = top.needed("name")
    _judge(top)
    metrics = _metrics(top, bindings or {})
    weights, thresholds = _classifier(top, {group for one in metrics for group in one.shadow.groups})
    if notes.faults:
        lines = "\n".join(f"  {number}. {fault}" for number, fault in enumerate(notes.faults, 1))
        raise ArgumentError(
            f"canary config {name!r}: {len(notes.faults)} fault(s), nothing was imported:\n{lines}"
        )
    return Imported(name, metrics, weights, thresholds, tuple(notes.warnings))


def _parsed(value: Any) -> Any:
    if not isinstance(value, str | bytes):
        return value
    try:
        return json.loads(value)
    except ValueError as err:
        raise ArgumentError(
            f"canary config: saw a text that is no JSON ({err}), expected an object."
        ) from err


def _judge(top: Reader) -> None:
    for key in top.unknown(TOP):
        top.warn(key, "not known, not taken over")
    judge = top.child("judge")
    name = judge.text("name", JUDGE)
    if name != JUDGE:
        judge.warn("name", f"{name!r} is not taken over; the shadow is always {JUDGE}")
    if judge.child("judgeConfigurations").value:
        judge.warn("judgeConfigurations", f"not taken over; {JUDGE} has none")


def _metrics(top: Reader, bindings: Mapping[str, str]) -> tuple[ImportedMetric, ...]:
    templates = _templates(top.child("templates"))
    found = tuple(_metric(one, templates, bindings) for one in top.children("metrics"))
    if not found:
        top.fault("metrics", "a list with one metric at least")
    names = [one.name for one in found if one.name]
    for twice in sorted({name for name in names if names.count(name) > 1}):
        top.notes.faults.append(
            f"metrics: saw {twice!r} {names.count(twice)} times, expected different names."
        )
    return found


def _templates(templates: Reader) -> dict[str, str]:
    return {key: templates.text(key) for key in templates.value}


def _metric(one: Reader, templates: Mapping[str, str], bindings: Mapping[str, str]) -> ImportedMetric:
    for key in one.unknown(METRIC):
        one.warn(key, "not known, not taken over")
    if one.text("scopeName", "default") != "default":
        one.warn("scopeName", "not taken over; there is one scope, the candidate")
    canary = one.child("analysisConfigurations").child("canary")
    effect = canary.child("effectSize")
    shadow = _shadow(one, canary, effect)
    _warn_of_lost(canary, shadow)
    return ImportedMetric(
        name=shadow.name,
        query=_query(one.child("query"), templates, bindings),
        rise=rise(effect, shadow) if shadow.direction != "decrease" else None,
        fall=fall(effect, shadow) if shadow.direction != "increase" else None,
        critical=shadow.critical and not shadow.muted,
        must_have_data=shadow.must_have_data,
        missing_is_zero=shadow.nan == "replace",
        shadow=shadow,
    )


def _shadow(one: Reader, canary: Reader, effect: Reader) -> Metric:
    """Read a metric as Kayenta understands it."""
    outliers = canary.child("outliers")
    for reader, known in ((canary, CANARY), (effect, EFFECT), (outliers, ("strategy", "outlierFactor"))):
        for key in reader.unknown(known):
            reader.fault(key, f"no such key, but some of {', '.join(known)}")
    return Metric(
        name=one.needed("name"),
        groups=one.texts("groups"),
        direction=cast(Direction, canary.choice("direction", ("either", "increase", "decrease"))),
        nan="replace" if canary.choice("nanStrategy", ("remove", "replace")) == "replace" else "remove",
        outliers="remove" if outliers.choice("strategy", ("keep", "remove")) == "remove" else "keep",
        outlier_factor=outliers.number("outlierFactor") or 3.0,
        critical=canary.flag("critical"),
        must_have_data=canary.flag("mustHaveData"),
        muted=canary.flag("muted"),
        effect=_effect(effect),
    )


def _effect(effect: Reader) -> EffectSize:
    cles = effect.choice("measure", ("meanRatio", "cles")) == "cles"
    given = [effect.number(key, least=0.0, most=1.0) if cles else effect.number(key) for key in EFFECT[1:]]
    return EffectSize(
        measure="cles" if cles else "meanRatio",
        allowed_increase=given[0],
        allowed_decrease=given[1],
        critical_increase=given[2],
        critical_decrease=given[3],
    )


def _warn_of_lost(canary: Reader, shadow: Metric) -> None:
    if shadow.muted:
        canary.warn("muted", "it is taken for advisory")
    if shadow.outliers == "remove":
        canary.warn("outliers", "not taken over; the judge keeps every sample, and no single minute convicts")
    if shadow.nan == "replace":
        canary.warn(
            "nanStrategy", "missing values of counters are 0; a side without any data is NO_DATA, not a pass"
        )


def _query(query: Reader, templates: Mapping[str, str], bindings: Mapping[str, str]) -> str | None:
    kind = query.needed("type")
    if kind == "prometheus":
        return prometheus(query, templates, bindings)
    if kind:
        query.warn("type", f"{kind!r} is not Prometheus; write the query anew")
    return None


def _classifier(top: Reader, groups: set[str]) -> tuple[dict[str, float], Thresholds | None]:
    classifier = top.child("classifier")
    weights = classifier.child("groupWeights")
    found = {group: weights.number(group, least=0.0, most=100.0) or 0.0 for group in weights.value}
    if found:
        classifier.warn("groupWeights", "shown, without effect: the judge adds up no scores")
        _warn_of_weights(weights, found, groups)
    return found, _thresholds(classifier)


def _warn_of_weights(weights: Reader, found: Mapping[str, float], groups: set[str]) -> None:
    for group in sorted(set(found) - groups):
        weights.warn(group, "no metric is in this group, so that Kayenta's score cannot reach 100 either")
    if groups <= set(found) and abs(sum(found.values()) - 100.0) > 0.01:
        weights.notes.warnings.append(
            f"{weights.where}: together {sum(found.values()):g}, where Kayenta wants 100."
        )


def _thresholds(classifier: Reader) -> Thresholds | None:
    limits = classifier.child("scoreThresholds")
    if not limits.value:
        return None
    passing, marginal = (limits.number(key, least=0.0, most=100.0) for key in ("pass", "marginal"))
    if passing is None or marginal is None:
        if not {"pass", "marginal"} <= set(limits.value):
            limits.fault("pass" if "pass" not in limits.value else "marginal", "a number from 0 to 100")
        return None
    if marginal > passing:
        limits.fault("marginal", f"at most pass, {passing:g}")
    classifier.warn("scoreThresholds", "ignored by the judge; they are the limits of the shadow's word alone")
    return Thresholds(passing, marginal)
