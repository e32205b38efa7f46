"""What else in a namespace speaks of stable's pods, and will not speak of the candidate's: worth knowing before."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cd_provider.core.template import selects
from cd_provider.core.traffic import Step
from cd_provider.core.workload import candidate_replicas

Json = Mapping[str, Any]


@dataclass(frozen=True)
class Sides:
    """The labels of both sides: of their pods, and of their Services."""

    stable: Mapping[str, str]
    candidate: Mapping[str, str]
    stable_service: Mapping[str, str]
    candidate_service: Mapping[str, str]

    def misses(self, selector: Any) -> bool:
        """Whether a selector of pods matches stable's and not the candidate's; one that is absent matches neither."""
        return _tells_apart(selector, self.stable, self.candidate)

    def misses_service(self, selector: Any) -> bool:
        """Likewise, of Services."""
        return _tells_apart(selector, self.stable_service, self.candidate_service)


def network_policies(found: Sequence[Json], sides: Sides) -> Iterator[str]:
    """Name those that select stable's pods alone, or let others speak with stable's pods alone."""
    for policy in found:
        name, spec = policy["metadata"]["name"], policy["spec"]
        if sides.misses(spec.get("podSelector")):
            yield (
                f"NetworkPolicy {name} selects stable's pods and not the candidate's: what it allows does not hold for "
                "them. Select by a label that stable's own spec.selector does not use."
            )
        elif any(sides.misses(peer.get("podSelector")) for peer in _peers(spec)):
            yield (
                f"NetworkPolicy {name} lets its pods speak with stable's pods and not with the candidate's. Name a "
                "label that stable's own spec.selector does not use."
            )


def pod_monitors(found: Sequence[Json], sides: Sides) -> Iterator[str]:
    """Name those that scrape stable's pods alone."""
    for name in _selecting(found, sides.misses):
        yield (
            f"PodMonitor {name} scrapes stable's pods and not the candidate's: gates on their metrics stay silent. "
            "Select by a label that stable's own spec.selector does not use."
        )


def service_monitors(found: Sequence[Json], sides: Sides) -> Iterator[str]:
    """Name those that scrape behind stable's Service alone."""
    for name in _selecting(found, sides.misses_service):
        yield (
            f"ServiceMonitor {name} selects stable's Service and not the candidate's: gates on metrics of its pods "
            "stay silent. Scrape the candidate's pods by a PodMonitor on the label cd-provider/side."
        )


def disruption_budgets(found: Sequence[Json], sides: Sides) -> Iterator[str]:
    """Name those that guard stable's pods alone."""
    for name in _selecting(found, sides.misses):
        yield (
            f"PodDisruptionBudget {name} guards stable's pods and not the candidate's: a node that is drained may take "
            "all of these at once."
        )


def autoscalers(found: Sequence[Json], *, kind: str, name: str) -> Iterator[str]:
    """Name the one that sets stable's size."""
    for scaler in found:
        spec = scaler["spec"]
        if (spec["scaleTargetRef"]["kind"].lower(), spec["scaleTargetRef"]["name"]) == (kind, name):
            yield (
                f"HorizontalPodAutoscaler {scaler['metadata']['name']} sets stable's replicas "
                f"({spec.get('minReplicas', 1)} to {spec['maxReplicas']}); the candidate is sized by stable's and its "
                "share of the traffic, and not scaled by load."
            )


def fresh_baseline(stable: int, steps: Sequence[Step], *, autoscalers: bool) -> Iterator[str]:
    """
    Say what room a fresh baseline takes, and what its last step does to stable.

    :param stable: replicas that stable wants now. :param autoscalers: whether its replicas are set by one.
    """
    last = max(steps, key=lambda step: step.weight)
    pods = candidate_replicas(stable, weight=last.weight, least=1)
    yield (
        f"a fresh baseline doubles the room that the canary takes: at {last.weight} % {pods} pod(s) of the candidate "
        f"and {pods} of the baseline, or as many as candidate_min says, beside stable's {stable}."
    )
    left = 100 - 2 * last.weight
    if autoscalers and left < 50:
        yield (
            f"at {last.weight} % for candidate and baseline each {left} % is left for stable's own pods, and its "
            f"autoscaler may shrink them; the promotion gives them {100 - last.weight} % at once. A lower last step is "
            "kinder."
        )


def _selecting(found: Sequence[Json], misses: Callable[[Any], bool]) -> Iterator[str]:
    """Give the names of those whose ``spec.selector`` misses the candidate's side."""
    return (one["metadata"]["name"] for one in found if misses(one["spec"].get("selector")))


def _tells_apart(selector: Any, stable: Mapping[str, str], candidate: Mapping[str, str]) -> bool:
    return isinstance(selector, Mapping) and selects(selector, stable) and not selects(selector, candidate)


def _peers(spec: Json) -> Iterable[Json]:
    for rule in spec.get("ingress") or []:
        yield from rule.get("from") or []
    for rule in spec.get("egress") or []:
        yield from rule.get("to") or []
