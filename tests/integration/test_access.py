"""What the documented role grants, and how a missing verb is found, asked of the real API server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cd_provider.adapters.access import missing
from cd_provider.core.access import DELIVERY_PERMISSIONS, allow, role
from cd_provider.hooks.cluster import ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient
from tests.stack.access import service_account

if TYPE_CHECKING:
    from pathlib import Path

    from tests.stack import Stack


def opened(kubeconfig: Path) -> ClusterClient:
    login = ClusterLogin(kube_config_path=str(kubeconfig))
    return ClusterClient(lambda: load(login, conn_id="k8s"))


async def test_the_documented_role_lacks_nothing_here_and_grants_nothing_elsewhere(
    stack: Stack, namespace: str
) -> None:
    account = service_account(stack, namespace, "cd", role_yaml_rules=role(namespace)["rules"])
    more = allow("", "secrets", "get list", "nothing of ours")

    async with opened(account) as client:
        here = await missing(client, namespace, [*DELIVERY_PERMISSIONS, *more])
        elsewhere = await missing(client, "default", DELIVERY_PERMISSIONS)

    assert here == more
    assert elsewhere == DELIVERY_PERMISSIONS


@pytest.mark.parametrize("first", [pytest.param(0, id="one half"), pytest.param(1, id="the other")])
async def test_each_verb_that_is_missing_is_named_and_no_other(
    stack: Stack, namespace: str, first: int
) -> None:
    granted = DELIVERY_PERMISSIONS[first::2]
    account = service_account(stack, namespace, "cd", role_yaml_rules=role(namespace, granted)["rules"])

    async with opened(account) as client:
        found = await missing(client, namespace, DELIVERY_PERMISSIONS)

    assert found == DELIVERY_PERMISSIONS[1 - first :: 2]
