"""Kayenta's effect sizes as the judge's two numbers: what is ignored, and what is not acceptable."""

from __future__ import annotations

from dataclasses import dataclass

from cd_provider.core.judge.kayenta.metric import Metric
from cd_provider.core.judge.kayenta.read import Reader


@dataclass(frozen=True)
class Bounds:
    """
    How much worse one direction may be, as times stable: above 1 for a rise, below 1 for a fall.

    :param ignore: up to here a difference is nobody's business. :param unacceptable: from here on it is not passed.
        None: the judge's own default.
    """

    ignore: float | None = None
    unacceptable: float | None = None


def rise(effect: Reader, shadow: Metric) -> Bounds:
    """Give the bounds of a rise; ``effect`` is where warnings of what is not taken over go."""
    return _bounds(
        effect, shadow, "Increase", shadow.effect.allowed_increase, shadow.effect.critical_increase
    )


def fall(effect: Reader, shadow: Metric) -> Bounds:
    """Give the bounds of a fall, in the same way."""
    return _bounds(
        effect, shadow, "Decrease", shadow.effect.allowed_decrease, shadow.effect.critical_decrease
    )


def _bounds(
    effect: Reader, shadow: Metric, way: str, allowed: float | None, critical: float | None
) -> Bounds:
    """Take over what is a ratio and worse than equal; warn of the rest."""
    sign, kept = (1.0 if way == "Increase" else -1.0), dict[str, float | None]()
    for key, value in ((f"allowed{way}", allowed), (f"critical{way}", critical)):
        kept[key] = value
        why = _unusable(shadow, key, value, sign)
        if value is not None and why:
            kept[key] = None
            effect.warn(key, f"{value:g} is not taken over: {why}")
    ignore, unacceptable = kept.values()
    if ignore is not None and unacceptable is not None and sign * (unacceptable - ignore) <= 0:
        effect.warn(f"critical{way}", f"{unacceptable:g} is not taken over: {ignore:g} is allowed")
        unacceptable = None
    return Bounds(ignore, unacceptable)


def _unusable(shadow: Metric, key: str, value: float | None, sign: float) -> str:
    if shadow.effect.measure == "cles":
        return "a chance (cles) is no ratio; the judge's own default is used"
    if key.startswith("critical") and not shadow.critical:
        return "the metric is not critical"
    if value is not None and sign * (value - 1.0) <= 0:
        return "it asks for no difference at all; the judge's own default is used"
    return ""
