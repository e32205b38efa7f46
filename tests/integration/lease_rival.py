"""One of several processes that race for locks. Says "ready", waits for the starting time, tells what it won."""

from __future__ import annotations

import asyncio
import json
import sys
import time

from cd_provider.adapters.lease import Lease
from cd_provider.core.workload import WorkloadRef
from cd_provider.exceptions import ReleaseBusyError
from cd_provider.hooks.cluster import ClusterLogin, load
from cd_provider.hooks.cluster_client import ClusterClient

EVERY_S = 0.1


async def main(kubeconfig: str, namespace: str, me: str, rounds: int) -> None:
    """Race for the locks ``web-0``, ``web-1``, … one after the other, each begun at the same moment by all."""
    login = ClusterLogin(kube_config_path=kubeconfig)
    async with ClusterClient(lambda: load(login, conn_id="k8s")) as client:
        await Lease.read(client, WorkloadRef("deployment", namespace, "warm-up"))
        print("ready", flush=True)
        start = float(sys.stdin.readline())
        outcomes = {}
        for number in range(rounds):
            ref = WorkloadRef("deployment", namespace, f"web-{number}")
            lease = Lease(client, ref, delivery=me, attempt=1, instance=me, clock=time.time)
            await asyncio.sleep(max(0.0, start + number * EVERY_S - time.time()))
            try:
                outcomes[ref.name] = f"won, from {await lease.acquire()}"
            except ReleaseBusyError as err:
                outcomes[ref.name] = str(err)
    print(json.dumps(outcomes), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
