"""Which pods Prometheus is told to scrape."""

from __future__ import annotations

from typing import Any

import pytest

from tests.stack.discovery import targets


def pod(**changes: Any) -> dict[str, Any]:
    port = {"name": changes.get("port", "http"), "containerPort": 8080}
    return {
        "metadata": {"namespace": "shop", "name": "web-1", "labels": changes.get("labels", {})},
        "spec": {"containers": [{"name": "sidecar"}, {"name": "web", "ports": [port]}]},
        "status": {"phase": changes.get("phase", "Running"), "podIP": changes.get("address", "10.244.0.9")},
    }


def test_a_running_pod_is_scraped_under_its_name() -> None:
    assert targets({"1": pod()}) == [
        {"targets": ["10.244.0.9:8080"], "labels": {"namespace": "shop", "pod": "web-1"}}
    ]


def test_the_side_of_a_candidate_becomes_a_label() -> None:
    found = targets({"1": pod(labels={"cd-provider/side": "candidate"})})

    assert found[0]["labels"]["side"] == "candidate"


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"phase": "Pending"}, id="not running"),
        pytest.param({"phase": "Succeeded"}, id="ended"),
        pytest.param({"address": None}, id="no address yet"),
        pytest.param({"port": "grpc"}, id="no port named http"),
    ],
)
def test_other_pods_are_left_out(changes: dict[str, Any]) -> None:
    assert targets({"1": pod(**changes)}) == []
