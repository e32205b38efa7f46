"""Whose servers are used: the user's where an address is given, else the stack's own."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.stack import preflight, settings
from tests.stack.errors import StackError
from tests.stack.stack import addresses, up

VARIABLES = ("CD_KUBECONFIG", "CD_REGISTRY", "CD_PROMETHEUS_URL", "CD_GATEWAY_URL", "CD_DOCKER_HOST")


@pytest.fixture(autouse=True)
def nothing_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CD_STACK_DIR", str(tmp_path))
    for variable in VARIABLES:
        monkeypatch.delenv(variable, raising=False)


def test_a_given_address_takes_the_place_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CD_REGISTRY", "registry.example.com")

    assert addresses()["CD_REGISTRY"] == "registry.example.com"


def test_our_own_address_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CD_REGISTRY", settings.REGISTRY)

    assert settings.given("CD_REGISTRY", settings.REGISTRY) is None


def test_with_everything_given_nothing_is_started(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable in VARIABLES:
        monkeypatch.setenv(variable, f"/given/{variable}")

    stack = up()

    assert stack.docker_host == "/given/CD_DOCKER_HOST"
    assert list(tmp_path.iterdir()) == []


def test_a_cluster_of_the_users_needs_its_gateway_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CD_KUBECONFIG", "/home/me/.kube/config")

    with pytest.raises(StackError, match="CD_GATEWAY_URL must be given"):
        up()


def test_an_unknown_part_is_refused() -> None:
    with pytest.raises(StackError, match="unknown part 'istio'"):
        up(["istio"])


def test_a_taken_port_is_named_before_anything_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server((settings.HOST, 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(preflight, "_PORTS", {port: "registry"})

        with pytest.raises(StackError, match=rf"port {port} on 127.0.0.1 \(registry\) is taken"):
            preflight.check()


def test_a_user_without_root_is_sent_to_docker_compose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)

    with pytest.raises(StackError, match=r"docker-compose\.yml"):
        up()
