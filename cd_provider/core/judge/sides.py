"""Who is compared with whom, and what one read of their counters gave."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cd_provider.core.names import baseline_name, candidate_name
from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.judge.presets import Preset
    from cd_provider.core.judge.series import Series, Side

PORT = 8080  # of a pod's page where the preset names none


@dataclass(frozen=True, slots=True)
class Page:
    """Where a pod shows its counters: a port of the pod itself, not of its Service."""

    namespace: str
    pod: str
    port: int
    path: str = "/metrics"


@dataclass(frozen=True, slots=True)
class Sides:
    """
    The two sides at one moment.

    :param candidate: name of its Service. :param stable: the same.
    :param candidate_pods: names of those that are ready: one that is not has a reason to be silent.
    :param stable_pods: those of the old digest alone, so that nobody is compared with itself during a promotion.
    :param pages: pod → where its counters are, for reading without a metrics server.
    :param against: what people call the second side: ``stable``, or ``baseline``.
    :raises ArgumentError: the sides share a Service or a pod.
    """

    namespace: str
    candidate: str
    stable: str
    candidate_pods: tuple[str, ...] = ()
    stable_pods: tuple[str, ...] = ()
    pages: Mapping[str, Page] = field(default_factory=dict)
    against: str = "stable"

    def __post_init__(self) -> None:
        both = sorted({self.candidate} & {self.stable} | set(self.candidate_pods) & set(self.stable_pods))
        if both:
            raise ArgumentError(
                f"{self.namespace}/{both[0]} is on both sides, expected each Service and pod on one."
            )

    def side_of(self, pod: str) -> Side | None:
        """Whose pod it is; None: nobody's, such as one that an earlier candidate left."""
        if pod in self.candidate_pods:
            return "candidate"
        return "stable" if pod in self.stable_pods else None


def sides_of(
    preset: Preset,
    namespace: str,
    stable: str,
    *,
    candidate: str | None = None,
    candidate_pods: Sequence[str],
    stable_pods: Sequence[str],
) -> Sides:
    """
    Give both sides, with the pages that a preset has as a rule.

    :param stable: name of its Service. :param candidate: the same; None: as a delivery calls it.
    :raises ArgumentError: the sides share a Service or a pod.
    """
    pages = _pages(preset, namespace, (*candidate_pods, *stable_pods))
    ours = candidate or candidate_name(stable)
    return Sides(namespace, ours, stable, tuple(candidate_pods), tuple(stable_pods), pages)


def fresh_sides_of(
    preset: Preset,
    namespace: str,
    stable: str,
    *,
    candidate_pods: Sequence[str],
    baseline_pods: Sequence[str],
) -> Sides:
    """Give the same where a baseline of its own takes stable's place."""
    pages = _pages(preset, namespace, (*candidate_pods, *baseline_pods))
    return Sides(
        namespace, candidate_name(stable), baseline_name(stable), tuple(candidate_pods), tuple(baseline_pods),
        pages, against="baseline",
    )  # fmt: skip


def _pages(preset: Preset, namespace: str, pods: Sequence[str]) -> dict[str, Page]:
    return {pod: Page(namespace, pod, preset.port or PORT, preset.page) for pod in pods}


@dataclass(frozen=True, slots=True)
class Reading:
    """
    What one read gave.

    :param series: every counter of both sides; may overlap with what earlier readings gave.
    :param unreachable: ready candidate pods that did not answer twice in a row while stable's did: evidence.
    :param missing: sentences on what was asked for and is not there, by side and selector. Silence is no health.
    :param remarks: what the source said besides; changes nothing.
    """

    series: tuple[Series, ...] = ()
    unreachable: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
