"""The stack itself: up again whatever was killed, started once however often it is asked, no request lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.stack import Stack, probes, up
from tests.stack.access import service_account
from tests.stack.cluster import kubectl
from tests.stack.errors import NotReadyError, StackError
from tests.stack.images import push_shop
from tests.stack.load import Load
from tests.stack.processes import all_running, running, start_time, strays, wait_until
from tests.stack.shop import answers, deploy_shop
from tests.stack.stack import status

ROOT = Path(__file__).parents[2]


def kill(name: str) -> int:
    """Kill a program of the stack as hard as can be, and wait until it is gone; its old pid."""
    process = running(name)
    assert process is not None, f"{name} does not run"

    def gone() -> None:
        if start_time(process.pid) is not None:
            raise NotReadyError(f"{name} ({process.pid}) is still there")

    os.kill(process.pid, signal.SIGKILL)
    wait_until(gone, timeout_s=10, what=f"the end of {name}")
    return process.pid


def up_elsewhere() -> subprocess.CompletedProcess[bytes]:
    """Run ``up`` in a process of its own: what it starts must outlive it."""
    argv = [sys.executable, "-m", "tests.stack", "up"]
    return subprocess.run(argv, cwd=ROOT, check=False, capture_output=True)


def pods(stack: Stack, namespace: str) -> str:
    """Name and restarts of each pod."""
    columns = "NAME:.metadata.name,RESTARTS:.status.containerStatuses[*].restartCount"
    return stack.kubectl("get", "pods", "-n", namespace, "--no-headers", "-o", f"custom-columns={columns}")


@pytest.fixture(scope="module")
def image(stack: Stack) -> str:
    return push_shop(stack, "v1")


@pytest.mark.alone
@pytest.mark.parametrize(
    "name", ["etcd", "kube-apiserver", "containerd", "kubelet", "contour", "envoy", "docker"]
)
def test_a_killed_program_comes_back_and_the_pods_never_stopped(
    stack: Stack, namespace: str, image: str, name: str
) -> None:
    deploy_shop(stack, namespace, image, replicas=1)
    before = pods(stack, namespace)
    old = kill(name)

    repaired = up_elsewhere()

    assert repaired.returncode == 0, repaired.stderr.decode()
    process = running(name)
    assert process is not None
    assert process.pid != old
    assert all("serving" in state for state in status().values())
    assert pods(stack, namespace) == before
    wait_until(lambda: answers(stack, namespace), timeout_s=20, what="the shop")


@pytest.mark.alone
def test_a_second_up_starts_nothing(stack: Stack) -> None:
    before = {process.name: process.pid for process in all_running()}

    up()

    assert {process.name: process.pid for process in all_running()} == before


@pytest.mark.alone
def test_several_ups_at_once_start_one_process(stack: Stack) -> None:
    kill("prometheus")

    with ThreadPoolExecutor(3) as pool:
        ended = list(pool.map(lambda _: up_elsewhere(), range(3)))

    assert [process.returncode for process in ended] == [0, 0, 0]
    assert len(list(strays("prometheus"))) == 1


def test_an_account_may_do_what_its_rules_say_and_nothing_else(stack: Stack, namespace: str) -> None:
    rules = "- {apiGroups: [''], resources: [pods], verbs: [list]}"
    account = service_account(stack, namespace, "reader", role_yaml_rules=rules)

    kubectl(account, "get", "pods")

    with pytest.raises(StackError, match="forbidden"):
        kubectl(account, "get", "secrets")


def test_prometheus_scrapes_the_pods_of_a_shop(stack: Stack, namespace: str, image: str) -> None:
    deploy_shop(stack, namespace, image, replicas=1)
    query = (
        f"{stack.prometheus_url}/api/v1/query?query=shop_requests_total%7Bnamespace%3D%22{namespace}%22%7D"
    )

    def scraped() -> None:
        _, body = probes.get(query)
        if b'"version":"v1"' not in body:
            raise NotReadyError(body.decode()[:200])

    wait_until(scraped, timeout_s=30, what="a sample of the new pod")


def test_replacing_every_pod_costs_no_request(
    stack: Stack, namespace: str, image: str, tmp_path: Path
) -> None:
    deploy_shop(stack, namespace, image, replicas=2)

    def replaced() -> None:
        left = pods(stack, namespace).splitlines()
        if len(left) != 2 or left == old:
            raise NotReadyError(f"pods: {left}")

    old = pods(stack, namespace).splitlines()
    load = Load(
        url=stack.gateway_url, host_header=f"{namespace}.local", rate_per_s=40, out=tmp_path / "load.jsonl"
    )
    with load:
        stack.kubectl("rollout", "restart", "deployment/shop", "-n", namespace)
        stack.kubectl("rollout", "status", "deployment/shop", "-n", namespace, "--timeout=60s")
        wait_until(replaced, timeout_s=30, what="the end of the old pods")
    record = load.record()

    assert record.count("v1") > 50
    assert record.failed() == 0
