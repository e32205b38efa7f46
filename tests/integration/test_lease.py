"""The lock on the real API server, between real processes."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cd_provider.adapters.lease import Lease
from cd_provider.core.access import LOCK_PERMISSIONS, role
from cd_provider.core.workload import WorkloadRef
from cd_provider.exceptions import ClusterForbiddenError, LeaseLostError, ReleaseBusyError
from cd_provider.hooks.cluster import ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient
from tests.stack.access import service_account

if TYPE_CHECKING:
    from tests.stack import Stack

ROUNDS, RIVALS = 20, 2


@pytest.fixture
def kubeconfig(stack: Stack, namespace: str) -> Path:
    """An account that may do with leases what the documented role says, and nothing else."""
    rules = role(namespace, LOCK_PERMISSIONS)["rules"]
    return service_account(stack, namespace, "cd", role_yaml_rules=rules)


@pytest.fixture
async def client(kubeconfig: Path) -> AsyncIterator[ClusterClient]:
    login = ClusterLogin(kube_config_path=str(kubeconfig))
    async with ClusterClient(lambda: load(login, conn_id="k8s")) as client:
        yield client


def lease(
    client: ClusterClient,
    namespace: str,
    *,
    name: str = "web",
    attempt: int = 1,
    late_s: float = 0.0,
    delivery: str = "d-1",
) -> Lease:
    ref = WorkloadRef("deployment", namespace, name)
    return Lease(
        client,
        ref,
        delivery=delivery,
        attempt=attempt,
        instance=f"i-{attempt}",
        clock=lambda: time.time() + late_s,
    )


async def test_a_lock_lives_through_its_states(stack: Stack, client: ClusterClient, namespace: str) -> None:
    first, second = lease(client, namespace), lease(client, namespace, attempt=2)
    other = lease(client, namespace, delivery="d-2")
    heir = lease(client, namespace, delivery="d-3", late_s=121)

    await first.acquire()
    await first.check()
    with pytest.raises(ReleaseBusyError, match="delivery d-1#1 holds its lock"):
        await other.acquire()
    assert await second.acquire() is None
    with pytest.raises(LeaseLostError, match="held by delivery d-1#2"):
        await first.check()
    await first.release()
    await second.renew()
    seen = json.loads(
        stack.kubectl("get", "lease", "cd-provider-deployment-web", "-n", namespace, "-o", "json")
    )
    assert await heir.acquire() == "d-1#2"
    await heir.release()
    await heir.release()

    assert seen["spec"]["holderIdentity"] == "d-1#2"
    assert seen["spec"]["leaseTransitions"] == 1
    assert await Lease.read(client, first.ref) is None


async def test_without_the_permission_the_verb_is_named(stack: Stack, namespace: str) -> None:
    rules = [{"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["get"]}]
    account = service_account(stack, namespace, "reader", role_yaml_rules=rules)
    login = ClusterLogin(kube_config_path=str(account))

    async with ClusterClient(lambda: load(login, conn_id="k8s")) as client:
        with pytest.raises(ClusterForbiddenError, match=r"create leases.coordination.k8s.io in namespace"):
            await lease(client, namespace).acquire()


@pytest.mark.parametrize("held_before", [pytest.param(False, id="free"), pytest.param(True, id="expired")])
async def test_of_processes_that_race_for_a_lock_exactly_one_wins(
    client: ClusterClient, namespace: str, kubeconfig: Path, held_before: bool
) -> None:
    if held_before:
        for number in range(ROUNDS):
            await lease(client, namespace, name=f"web-{number}", late_s=-200, delivery="d-old").acquire()

    outcomes = race(kubeconfig, namespace)

    won = f"won, from {'d-old#1' if held_before else None}"
    for number in range(ROUNDS):
        of_this_round = [outcome[f"web-{number}"] for outcome in outcomes]
        assert of_this_round.count(won) == 1, of_this_round
        assert sum("is busy: delivery rival-" in one for one in of_this_round) == RIVALS - 1, of_this_round


def race(kubeconfig: Path, namespace: str) -> list[dict[str, str]]:
    """Let processes race, each round begun by all at the same moment; give what each says of each lock."""
    arguments = [sys.executable, "-m", "tests.integration.lease_rival", str(kubeconfig), namespace]
    rivals = [
        subprocess.Popen(
            [*arguments, f"rival-{number}", str(ROUNDS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(RIVALS)
    ]
    try:
        for rival in rivals:
            assert rival.stdout is not None
            assert rival.stdout.readline() == "ready\n"
        said = f"{time.time() + 1.0}\n"
        for rival in rivals:
            assert rival.stdin is not None
            rival.stdin.write(said)
            rival.stdin.flush()
        return [json.loads(rival.communicate(timeout=120)[0]) for rival in rivals]
    finally:
        for rival in rivals:
            rival.kill()
            rival.communicate()
