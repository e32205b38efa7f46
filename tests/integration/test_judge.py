"""A judge as the gate of a canary on the real cluster: by Prometheus, and by the pods' own pages."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from cd_provider.core.access import DELIVERY_PERMISSIONS, DIRECT_PERMISSIONS, role
from cd_provider.core.gate import parse_gates
from cd_provider.core.judge_gate import judge
from cd_provider.exceptions import MetricsRefusedError
from cd_provider.triggers.canary import run_order
from cd_provider.triggers.promote import run_promotion
from tests.integration.deliveries import Shop, connections, observed
from tests.stack.access import service_account
from tests.stack.load import Load

BY_PROMETHEUS, DIRECT = judge(preset="demo"), judge(preset="demo", source="direct")


def gates(*given: dict[str, object]) -> list[dict[str, object]]:
    return [gate.as_dict() for gate in parse_gates(given)]


@pytest.fixture
def direct_shop(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """The same shop, by an account that may also read pods' pages."""
    rules = role(shop.namespace, (*DELIVERY_PERMISSIONS, *DIRECT_PERMISSIONS))["rules"]
    account = service_account(shop.stack, shop.namespace, "reader", role_yaml_rules=rules)
    known = connections(shop.stack, account)["kubernetes_default"]
    monkeypatch.setenv("AIRFLOW_CONN_KUBERNETES_DEFAULT", json.dumps(known))
    return replace(shop, kubeconfig=account)


async def test_a_bad_candidate_is_sent_away_returns_once_and_has_failed(
    shop: Shop, load: Load, v1: str, bad: str
) -> None:
    order = shop.order(
        bad, steps=[(10, 60), (50, 60)], gates=gates(BY_PROMETHEUS), candidate_min=2, max_s=600
    )

    async with observed(shop) as seen:
        event = await run_order(order)

    assert event["kind"] == "FAIL"
    assert "the second trip" in event["line"]
    assert seen.distinct_weights() == [0, 10, 0, 10, 0]
    assert seen.stable_images == {v1}
    away = [at for at, (_, weight) in seen.weights if weight == 0 and at > first(seen.weights, 10)]
    back = first([one for one in seen.weights if one[0] > away[0]], 10)
    assert back - away[0] >= 29.0
    assert load.record().last_seen("bad") <= event["off_at"] + 1


async def test_a_candidate_that_has_lost_routes_fails_by_what_its_clients_are_told(
    shop: Shop, load: Load, lost: str
) -> None:
    routes = judge("routes", preset="demo", ratio="client_errors", on_trip="fail")
    order = shop.order(lost, steps=[(10, 60)], gates=gates(BY_PROMETHEUS, routes), candidate_min=2, max_s=600)

    async with observed(shop) as seen:
        event = await run_order(order)

    assert event["kind"] == "FAIL"
    assert event["line"].startswith("routes: TRIP")
    assert "client errors" in event["line"]
    assert seen.distinct_weights() == [0, 10, 0]
    assert load.record().last_seen("lost") <= event["off_at"] + 1


@pytest.mark.usefixtures("impatient")
async def test_a_candidate_like_stable_passes_and_goes_on_being_judged(
    shop: Shop, tmp_path: Path, v1: str, v2: str
) -> None:
    order = shop.order(v2, steps=[(25, 5), (50, 5)], gates=gates(BY_PROMETHEUS), candidate_min=2, max_s=900)

    with shop.load(tmp_path, rate_per_s=200) as load:
        async with observed(shop) as seen:
            event = await run_order(order)
            line = await run_promotion(order, drain_s=1)

    assert event["kind"] == "PASS"
    assert event["line"].startswith("judge: PASS 00:0")
    assert seen.distinct_weights() == [0, 25, 50, 0]
    assert shop.images() == {v2}
    assert "3 of 3 ready pods" in line
    assert load.record().failed() == 0


async def test_pods_own_pages_stop_a_bad_candidate_without_a_metrics_server(
    direct_shop: Shop, load: Load, bad: str
) -> None:
    once = judge(preset="demo", source="direct", on_trip="fail")
    order = direct_shop.order(
        bad, steps=[(10, 60)], gates=gates(once), candidate_min=2, prometheus_conn_id="nowhere"
    )

    async with observed(direct_shop) as seen:
        event = await run_order(order)

    assert event["kind"] == "FAIL"
    assert seen.distinct_weights() == [0, 10, 0]
    assert load.record().last_seen("bad") <= event["off_at"] + 1


async def test_requests_of_our_own_show_what_no_user_has_met_yet(direct_shop: Shop, bad: str) -> None:
    probed = judge(
        preset="demo",
        source="direct",
        on_trip="fail",
        low_traffic="probe",
        probe={"path": "/", "per_second": 10},
    )
    order = direct_shop.order(bad, steps=[(10, 60)], gates=gates(probed), candidate_min=2)

    event = await run_order(order)

    assert event["kind"] == "FAIL"
    assert "judge: FAIL" in event["line"] or "judge: TRIP" in event["line"]
    assert direct_shop.weights()["shop-candidate"] == 0


async def test_a_judge_that_may_not_read_is_silence_and_silence_is_no_pass(
    shop: Shop, load: Load, v2: str
) -> None:
    event = await run_order(shop.order(v2, steps=[(10, 2)], gates=gates(DIRECT), no_data_s=8.0))

    assert event["kind"] == "INCONCLUSIVE"
    assert "get on pods/proxy" in event["line"]
    assert shop.weights()["shop-candidate"] == 0
    assert MetricsRefusedError.__name__ not in event["line"]


def first(weights: list[tuple[float, tuple[int, int]]], wanted: int) -> float:
    return next(at for at, (_, weight) in weights if weight == wanted)
