"""What a canary works on, and the one act that every way back begins with: stable gets all the traffic."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from cd_provider.core.ports import Candidate, PodLogs, Pods, TrafficRouter, Workload
from cd_provider.core.traffic import ALL_STABLE
from cd_provider.exceptions import LeaseLostError, PermanentError, TransientError

log = logging.getLogger(__name__)
RETRY_S = 0.2


@dataclass
class Scene:
    """
    What a canary works on: the doors, and the clock. ``guard`` raises unless the lock is still ours.

    :param baseline: needed where the plan asks for a fresh one.
    """

    stable: Workload
    candidate: Candidate
    router: TrafficRouter
    pods: Pods
    logs: PodLogs
    images: dict[str, str]  # container → the asked image
    guard: Callable[[], Awaitable[None]]
    clock: Callable[[], float]
    baseline: Candidate | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)


async def take_off(scene: Scene, patience_s: float) -> float | None:
    """
    Give stable all the traffic, and confirm it; repeated through outages.

    :param patience_s: how long an error that is no outage is retried.
    :returns: when it was confirmed, epoch seconds; None when it could not be: the error is in the log.
    :raises LeaseLostError: somebody else holds the lock; taking off is theirs now.
    """
    until = scene.clock() + patience_s
    while True:
        try:
            await scene.guard()
            if not await _is_off(scene):
                await scene.router.shift(ALL_STABLE)
            return scene.clock()
        except LeaseLostError:
            raise
        except TransientError as err:
            log.warning("could not take the candidate off traffic yet: %s", err)
        except PermanentError as err:
            log.error("could not take the candidate off traffic: %s", err)
            if scene.clock() >= until:
                return None
        await asyncio.sleep(RETRY_S)


async def _is_off(scene: Scene) -> bool:
    """Say whether nobody is sent to the candidate; a gateway that has not settled is no reason not to write."""
    try:
        return await scene.router.weights() == ALL_STABLE
    except TransientError:
        return False
