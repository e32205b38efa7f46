"""Numbers as people write them, read once at the border."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from cd_provider.exceptions import ArgumentError

MODES = ("enforce", "observe")
"""Of a gate."""
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_BYTES = {"": 1, "K": 1000, "M": 1000**2, "G": 1000**3, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def number(value: Any, *, name: str, least: float = -math.inf, most: float = math.inf) -> float:
    """
    Read a finite number, also from text (a rendered template).

    :param name: the argument's name, for the message.
    :raises ArgumentError: no number, NaN, infinite, a boolean, or outside ``least`` … ``most`` (both allowed).
    """
    try:
        seen = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        seen = math.nan
    if not math.isfinite(seen) or not least <= seen <= most:
        raise ArgumentError(f"{name}: saw {value!r}, expected a number{_between(least, most)}.")
    return seen


def whole(value: Any, *, name: str, least: int = 0, most: float = math.inf) -> int:
    """Read a whole number; errors as :func:`number`."""
    seen = number(value, name=name, least=least, most=most)
    if seen != int(seen):
        raise ArgumentError(f"{name}: saw {value!r}, expected a whole number{_between(least, most)}.")
    return int(seen)


def word(
    value: Mapping[str, Any], key: str, allowed: tuple[str, ...], where: str, *, usual: str | None = None
) -> str:
    """
    Read one of some words from a mapping.

    :param usual: taken when the key is missing; the first of ``allowed`` unless given.
    :raises ArgumentError: another word.
    """
    given = value.get(key, usual or allowed[0])
    if given not in allowed:
        raise ArgumentError(f"{where}, {key}: saw {given!r}, expected one of {', '.join(allowed)}.")
    return str(given)


def seconds(value: Any, *, name: str, least: float = 0.0) -> float:
    """
    Read a duration: a number of seconds, or a text such as ``"90"``, ``"5m"``, ``"1h30m"``.

    :returns: seconds, ``least`` or more.
    :raises ArgumentError: anything else.
    """
    if isinstance(value, str):
        text = value.strip()
        parts = _DURATION.findall(text)
        if parts and not _DURATION.sub("", text).strip():
            value = sum(float(count) * _SECONDS[unit] for count, unit in parts)
    try:
        return number(value, name=name, least=least)
    except ArgumentError as err:
        raise ArgumentError(
            f"{name}: saw {value!r}, expected seconds (a number of at least {least:g}, or a text such as '5m')."
        ) from err


def size_bytes(value: Any, *, name: str) -> int:
    """Read a size: bytes, or a text such as ``"512Mi"`` or ``"2G"``."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(|[KMG]i?)B?", str(value).strip())
    if match is None or isinstance(value, bool):
        raise ArgumentError(f"{name}: saw {value!r}, expected bytes (a number, or a text such as '512Mi').")
    return int(float(match[1]) * _BYTES[match[2]])


def from_json(value: Any, *, name: str) -> Any:
    """Read what a template rendered as JSON text; what is no text is given back as it is."""
    try:
        return json.loads(value) if isinstance(value, str) else value
    except ValueError as err:
        raise ArgumentError(f"{name}: saw the text {value[:80]!r}, expected JSON.") from err


def _between(least: float, most: float) -> str:
    if least > -math.inf and most < math.inf:
        return f" from {least:g} to {most:g}"
    if least > -math.inf:
        return f" of at least {least:g}"
    return f" of at most {most:g}" if most < math.inf else ""
