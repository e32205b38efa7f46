"""One label set of a metric: whose counter it is, and what it counts. Every source asks here."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cd_provider.core.judge.presets import ERRORS, GRPC_ERRORS, PROBES, Preset, Ratio
from cd_provider.core.judge.series import Series, Side
from cd_provider.core.judge.sides import Sides
from cd_provider.exceptions import ArgumentError

Labels = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Told:
    """What a label set says; the fields are those of a :class:`Series`."""

    side: Side
    pod: str
    bad: bool = False
    edge: float | None = None
    counted: bool = False

    def series(self, id: str, samples: tuple[tuple[float, float], ...], *, old: bool = False) -> Series:
        """Make the series of it."""
        return Series(id, self.side, self.pod, samples, self.bad, self.edge, self.counted, old)


def tell(preset: Preset, sides: Sides, name: str, labels: Labels, *, ratio: Ratio = "errors") -> Told | None:
    """
    Say what one series is; None: it is not ours.

    :param name: the metric's full name. :param labels: its own and those of where it was read (``pod``, ``namespace``).
    :param ratio: what counts as bad: ``errors``, or ``client_errors`` (4xx but 429 and 499).
    :raises ArgumentError: a bucket without a bound.

    A gateway's series belongs to the gateway's pod, or to its ``instance`` where nobody says which pod that is.
    """
    if name not in preset.names or not all(_fits(pattern, labels.get(key)) for key, pattern in preset.where):
        return None
    if preset.path and _fits(PROBES, labels.get(preset.path)):
        return None
    if (whose := _whose(preset, sides, labels)) is None:
        return None
    if name == preset.errors:
        # An own counter knows one kind of error: the server's.
        return Told(*whose, bad=True, counted=True) if ratio == "errors" else None
    if name == preset.total:
        if not all(_fits(pattern, labels.get(key)) for key, pattern in preset.single):
            return None
        return Told(*whose, bad=_is_bad(preset, labels, ratio))
    return Told(*whose, edge=_edge(name, labels) / preset.per_second)


def selector(preset: Preset, sides: Sides, *, matchers: str = "") -> str:
    """
    Give the PromQL selector of everything that :func:`tell` may take.

    :param matchers: further ones, as PromQL writes them: ``cluster="prod"``.

    A histogram's bare name is in it too, since that is how a native histogram is stored.
    """
    names = [*preset.names, *([preset.latency] if preset.latency else [])]
    wanted = [_matches("__name__", "|".join(names))]
    if preset.unit == "backend_pod":
        pods = "|".join(re.sub(r"\.", r"\\.", pod) for pod in (*sides.candidate_pods, *sides.stable_pods))
        wanted += [f"{preset.namespace}={json.dumps(sides.namespace)}"] if preset.namespace else []
        wanted.append(_matches(preset.pod, pods))
    else:
        both = (preset.backend_pattern(sides.namespace, name) for name in (sides.candidate, sides.stable))
        wanted.append(_matches(str(preset.backend), "|".join(both)))
    wanted += [_matches(key, pattern) for key, pattern in preset.where]
    return "{" + ", ".join([*wanted, *([matchers] if matchers else [])]) + "}"


def needles(preset: Preset, sides: Sides) -> tuple[str, ...]:
    """
    Give texts of which every line of ours on a page has one; empty: any line may be ours.

    A gateway's page speaks of every Service behind it, and to look for a text is a hundred times cheaper than to parse.
    """
    if preset.unit == "backend_pod":
        return ()
    return tuple(_plain_part(preset, sides.namespace, name) for name in (sides.candidate, sides.stable))


def _plain_part(preset: Preset, namespace: str, service: str) -> str:
    """Give the longest text with the Service's name that every label of its backend has."""
    text = preset.backend_is.replace("{namespace}", namespace).replace("{service}", service)
    return max((part for part in re.split(r"[^\w@-]", text) if service in part), key=len)


def _whose(preset: Preset, sides: Sides, labels: Labels) -> tuple[Side, str] | None:
    if preset.unit == "backend_pod":
        pod = labels.get(preset.pod, "")
        side = sides.side_of(pod)
        elsewhere = preset.namespace and labels.get(preset.namespace, sides.namespace) != sides.namespace
        return None if side is None or elsewhere else (side, pod)
    backend, where = labels.get(str(preset.backend)), sides.namespace
    gateway = labels.get(preset.pod) or labels.get("instance") or ""
    unit = gateway if preset.unit == "gateway" else "all"
    if _fits(_backend(preset, where, sides.candidate), backend):
        return "candidate", unit
    return ("stable", unit) if _fits(_backend(preset, where, sides.stable), backend) else None


def _is_bad(preset: Preset, labels: Labels, ratio: Ratio) -> bool:
    status = labels.get(preset.status) if preset.status else None
    if _fits(ERRORS[ratio], status):
        return True
    if ratio != "errors":
        return False
    faulty = bool(preset.fault and not status and labels.get(preset.fault))
    return faulty or bool(preset.grpc and _fits(GRPC_ERRORS, labels.get(preset.grpc)))


def _edge(name: str, labels: Labels) -> float:
    try:
        return float(labels["le"])
    except (KeyError, ValueError) as err:
        raise ArgumentError(
            f"{name}: saw the bound {labels.get('le')!r}, expected a bucket with le as a number."
        ) from err


def _matches(label: str, pattern: str) -> str:
    return f"{label}=~{json.dumps(pattern)}"


def _fits(pattern: str, text: str | None) -> bool:
    return text is not None and _compiled(pattern).fullmatch(text) is not None


@lru_cache(maxsize=256)  # asked for each line of a page
def _backend(preset: Preset, namespace: str, service: str) -> str:
    return preset.backend_pattern(namespace, service)


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
