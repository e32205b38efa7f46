from __future__ import annotations

from typing import Any

import pytest

from cd_provider.core import surroundings
from cd_provider.core.surroundings import Sides, fresh_baseline
from cd_provider.core.traffic import Step

OURS = {"matchLabels": {"app": "shop"}}
BOTH = {"matchLabels": {"team": "web"}}
SIDES = Sides(
    stable={"app": "shop", "team": "web"},
    candidate={"app": "shop-candidate", "team": "web", "cd-provider/side": "candidate"},
    stable_service={"app": "shop"},
    candidate_service={"cd-provider/side": "candidate"},
)


def named(**spec: Any) -> list[dict[str, Any]]:
    return [{"metadata": {"name": "x"}, "spec": spec}]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        pytest.param(
            {"podSelector": OURS}, "NetworkPolicy x selects stable's pods", id="selects stable alone"
        ),
        pytest.param(
            {"podSelector": {"matchLabels": {"app": "db"}}, "ingress": [{"from": [{"podSelector": OURS}]}]},
            "NetworkPolicy x lets its pods speak with stable's pods",
            id="lets stable alone in",
        ),
        pytest.param(
            {
                "podSelector": {"matchLabels": {"app": "front"}},
                "egress": [{}, {"to": [{"podSelector": OURS}]}],
            },
            "NetworkPolicy x lets its pods speak with stable's pods",
            id="lets out to stable alone",
        ),
    ],
)
def test_a_policy_that_knows_stable_alone_is_named(spec: dict[str, Any], said: str) -> None:
    (hint,) = surroundings.network_policies(named(**spec), SIDES)

    assert hint.startswith(said)


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param({"podSelector": {}}, id="everybody"),
        pytest.param({"podSelector": BOTH}, id="a label of both"),
        pytest.param({"podSelector": {"matchLabels": {"app": "till"}}}, id="others"),
        pytest.param(
            {"podSelector": BOTH, "ingress": [{"from": [{"ipBlock": {"cidr": "10.0.0.0/8"}}]}]}, id="addresses"
        ),
        pytest.param({"podSelector": BOTH, "ingress": [{}], "egress": None}, id="rules for everybody"),
    ],
)  # fmt: skip
def test_a_policy_that_makes_no_difference_is_not(spec: dict[str, Any]) -> None:
    assert list(surroundings.network_policies(named(**spec), SIDES)) == []


def test_monitors_and_budgets_of_stable_alone_are_named() -> None:
    for read, kind in (
        (surroundings.pod_monitors, "PodMonitor"),
        (surroundings.service_monitors, "ServiceMonitor"),
        (surroundings.disruption_budgets, "PodDisruptionBudget"),
    ):
        (hint,) = read(named(selector=OURS), SIDES)
        assert hint.startswith(f"{kind} x ")
        assert list(read(named(selector={"matchLabels": {"app": "till"}}), SIDES)) == []
        assert list(read(named(), SIDES)) == []


def test_an_autoscaler_is_named_when_it_is_stables() -> None:
    target = {"kind": "Deployment", "name": "shop"}
    (hint,) = surroundings.autoscalers(
        named(scaleTargetRef=target, maxReplicas=9), kind="deployment", name="shop"
    )

    assert "(1 to 9)" in hint
    for kind, name in (("statefulset", "shop"), ("deployment", "till")):
        assert not list(
            surroundings.autoscalers(named(scaleTargetRef=target, maxReplicas=9), kind=kind, name=name)
        )


def test_a_fresh_baseline_says_what_room_it_takes() -> None:
    (said,) = fresh_baseline(10, [Step(10, 60), Step(40, 60)], autoscalers=False)

    assert "at 40 % 4 pod(s) of the candidate and 4 of the baseline" in said


def test_an_autoscaler_that_sees_stable_lose_its_users_is_named() -> None:
    _, said = fresh_baseline(10, [Step(50, 60)], autoscalers=True)

    assert "0 % is left for stable's own pods" in said
    assert len(list(fresh_baseline(10, [Step(25, 60)], autoscalers=True))) == 1
