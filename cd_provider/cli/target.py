"""Whose counters, in which words of the judge, from which server: the arguments that the commands share."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cd_provider.core.judge.presets import PRESETS, Preset
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge_gate import WORDS, JudgeGate, judge
from cd_provider.core.judge_numbers import SENSITIVITY
from cd_provider.core.names import candidate_name
from cd_provider.core.units import number, whole
from cd_provider.exceptions import ArgumentError

_HASH = "[bcdfghjklmnpqrstvwxz2456789]"  # the letters that a ReplicaSet's and a pod's name end in
POD_PATTERNS = {
    "deployment": "{name}-" + _HASH + "{1,10}-" + _HASH + "{5}",
    "statefulset": "{name}-[0-9]+",
}


def add_server(parser: argparse.ArgumentParser) -> None:
    """Add what says where the server is."""
    group = parser.add_argument_group(
        "server",
        "credentials come from the environment: CD_PROMETHEUS_TOKEN, or CD_PROMETHEUS_USER and …_PASSWORD",
    )
    one = group.add_mutually_exclusive_group(required=True)
    one.add_argument("--prometheus-url", metavar="URL", help="such as http://prometheus.monitoring:9090")
    one.add_argument("--conn-id", metavar="ID", help="an Airflow connection of the type Prometheus")
    group.add_argument("--ca-file", metavar="PEM", help="what signs the certificate behind --prometheus-url")
    group.add_argument("--timeout-s", metavar="S", default="60", help="seconds for one answer (default: 60)")
    group.add_argument("--matchers", default="", help="further PromQL matchers, such as 'cluster=\"prod\"'")
    group.add_argument("--replica-label", metavar="LABEL", help="by which copies of two servers differ")


def add_target(parser: argparse.ArgumentParser) -> None:
    """Add what says whose counters are read, and how."""
    group = parser.add_argument_group("service")
    group.add_argument("-n", "--namespace", required=True, help="where stable runs")
    group.add_argument(
        "--workload",
        metavar="KIND/NAME",
        help="stable's workload: deployment/shop or statefulset/shop; its pods' names follow",
    )
    group.add_argument(
        "--pods", metavar="PATTERN", help="stable's pods instead, by a pattern of the whole name"
    )
    group.add_argument("--service", metavar="NAME", help="stable's Service (default: the workload's name)")
    group = parser.add_argument_group("judge")
    group.add_argument("--preset", required=True, help=f"which counters: {', '.join(PRESETS)}, or custom")
    group.add_argument(
        "--option",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="of the preset custom; may be repeated",
    )
    group.add_argument(
        "--ratio", default="errors", choices=WORDS["ratio"], help="what is bad (default: errors)"
    )
    group.add_argument("--sensitivity", default="normal", choices=sorted(SENSITIVITY))
    group.add_argument("--errors", metavar="A,B", help="ignore and unacceptable (default: 1.25,2)")
    group.add_argument("--latency", metavar="A,B", help="the same of latency (default: 1.05,1.25)")
    group.add_argument("--min-s", metavar="S", help="seconds before which nothing passes (default: 3m)")
    group.add_argument(
        "--among",
        default="1",
        metavar="N",
        help="judges of the canary, this one among them, which share a chance to be wrong (default: 1)",
    )


@dataclass(frozen=True)
class Target:
    """
    What the commands look at.

    :param service: stable's Service. :param pattern: of the whole names of stable's pods; empty: the preset's counters
        are a gateway's, which knows Services.
    """

    namespace: str
    service: str
    pattern: str
    gate: JudgeGate

    @property
    def preset(self) -> Preset:
        """Which counters."""
        return self.gate.counters()

    @property
    def by_pod(self) -> bool:
        """Whether every pod has counters of its own."""
        return self.preset.unit == "backend_pod"

    def sides(self, pods: Sequence[str] = ()) -> Sides:
        """Give stable's side alone; nobody is the candidate."""
        return Sides(self.namespace, candidate_name(self.service), self.service, (), tuple(pods))

    @property
    def title(self) -> str:
        """Name it for people."""
        return f"{self.namespace}/{self.service}, preset {self.preset.name}"


def read_target(given: argparse.Namespace) -> Target:
    """
    Read what :func:`add_target` takes.

    :raises ArgumentError: too little to find the counters by, or a word, number or pattern that makes no sense.
    """
    gate = JudgeGate.parse(
        judge(
            preset=given.preset,
            ratio=given.ratio,
            sensitivity=given.sensitivity,
            errors=_bounds(given.errors, "--errors"),
            latency=_bounds(given.latency, "--latency"),
            min_s=given.min_s,
            options=_options(given.option),
        )
    ).sharing(whole(given.among, name="--among", least=1))
    kind, name = _workload(given.workload)
    service = given.service or name
    if gate.counters().unit == "backend_pod":
        pattern = given.pods or (POD_PATTERNS[kind].replace("{name}", re.escape(name)) if name else "")
        if not pattern:
            raise ArgumentError(
                f"preset {given.preset!r} reads each pod's own counters: give --workload deployment/NAME, or --pods "
                "with a pattern of their names."
            )
        return Target(given.namespace, service or "stable", _pattern(pattern), gate)
    if not service:
        raise ArgumentError(
            f"preset {given.preset!r} reads a gateway's counters by Service: give --service NAME (or --workload, "
            "where they have the same name)."
        )
    return Target(given.namespace, service, "", gate)


def _workload(text: str | None) -> tuple[str, str]:
    if text is None:
        return "", ""
    kind, slash, name = text.partition("/")
    if not slash:
        kind, name = "deployment", text
    if kind not in POD_PATTERNS or not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", name):
        raise ArgumentError(
            f"--workload: saw {text!r}, expected deployment/NAME or statefulset/NAME; of another kind name the pods "
            "by --pods PATTERN."
        )
    return kind, name


def _pattern(text: str) -> str:
    try:
        re.compile(text)
    except re.error as err:
        raise ArgumentError(f"--pods: saw {text!r}, expected a pattern such as 'shop-.*': {err}.") from err
    return text


def _bounds(text: str | None, name: str) -> Mapping[str, float] | None:
    if text is None:
        return None
    parts = text.split(",")
    if len(parts) != 2:
        raise ArgumentError(f"{name}: saw {text!r}, expected two numbers such as 1.25,2.")
    return {
        key: number(part, name=f"{name}, {key}")
        for key, part in zip(("ignore", "unacceptable"), parts, strict=True)
    }


def _options(given: Sequence[str]) -> dict[str, Any] | None:
    found: dict[str, Any] = {}
    for one in given:
        key, sign, value = one.partition("=")
        if not sign:
            raise ArgumentError(
                f"--option: saw {one!r}, expected KEY=VALUE such as total=http_requests_total."
            )
        found[key] = number(value, name=f"--option {key}") if key == "per_second" else value
    return found or None
