"""An image that a plan cannot have: not there, no image, or a registry that does not answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cd_provider.exceptions import PlanUnavailableError
from tests.integration.deliveries import Shop
from tests.integration.plan.plans import (
    plan,
    the_fault,
    untouched,
)
from tests.loopback import self_signed
from tests.registries.double import RegistryDouble, error, on
from tests.stack.oci_push import image

HTTP = {"insecure_http": True}


def registry(monkeypatch: pytest.MonkeyPatch, host: str, **extra: Any) -> None:
    told = {"conn_type": "oci_registry", "host": host, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_REGISTRY_DEFAULT", json.dumps(told))


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        pytest.param(404, "MANIFEST_UNKNOWN", "MANIFEST_UNKNOWN", id="not found"),
        pytest.param(401, "UNAUTHORIZED", "401", id="401"),
    ],
)
async def test_what_the_registry_says_is_told(
    kept: Shop, monkeypatch: pytest.MonkeyPatch, status: int, code: str, said: str
) -> None:
    with RegistryDouble(on("manifests", error(status, code))) as double:
        registry(monkeypatch, double.host, **HTTP)

        fault = await the_fault(kept, f"{double.host}/shop:v2")

    assert said in fault
    assert double.host in fault


@pytest.mark.parametrize("status", [429, 503])
async def test_a_registry_that_is_busy_or_down_is_worth_another_try(
    kept: Shop, monkeypatch: pytest.MonkeyPatch, status: int
) -> None:
    with RegistryDouble(on("manifests", error(status, "LATER"))) as double:
        registry(monkeypatch, double.host, **HTTP)

        with untouched(kept), pytest.raises(PlanUnavailableError) as caught:
            await plan(kept, f"{double.host}/shop:v2")

    (fault,) = caught.value.faults
    assert str(status) in fault
    assert double.host in fault


async def test_a_registry_without_tls_is_told(kept: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    with RegistryDouble() as double:
        registry(monkeypatch, double.host)

        fault = await the_fault(kept, f"{double.host}/shop:v2")

    assert "insecure_http" in fault
    assert double.requests == []


async def test_a_registry_whose_certificate_nobody_vouches_for_is_told(
    kept: Shop, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with RegistryDouble(certificate=self_signed(tmp_path)) as double:
        registry(monkeypatch, double.host)

        fault = await the_fault(kept, f"{double.host}/shop:v2")

    assert "certificate" in fault.lower()
    assert double.requests == []


async def test_an_image_of_another_host_is_refused_and_nothing_is_sent(
    kept: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RegistryDouble() as double, RegistryDouble() as other:
        registry(monkeypatch, double.host, **HTTP)
        name = other.hold("shop", "v2", image())

        fault = await the_fault(kept, name)

    assert other.host in fault
    assert double.host in fault
    assert double.requests == other.requests == []


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("shop@sha256:beef", "sha256:beef", id="short digest"),
        pytest.param("127.0.0.1:5000/Shop:v2", "Shop", id="capitals"),
        pytest.param("", "image: saw ''", id="empty"),
    ],
)
async def test_what_is_no_image_is_told(kept: Shop, name: str, said: str) -> None:
    assert said in await the_fault(kept, name)
