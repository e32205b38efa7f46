"""The health gate's trigger: gates looked at for a while, on any triggerer, restarted at any moment."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from cd_provider.core.before_after import BeforeAfter
from cd_provider.core.gate import Gate
from cd_provider.core.health import HealthRule, Outcome, Seen
from cd_provider.core.health_order import HealthGate, HealthOrder
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.exceptions import PermanentError, TransientError
from cd_provider.triggers.before_after_watch import BeforeAfterWatch
from cd_provider.triggers.gate_watch import GateWatch
from cd_provider.triggers.groups import Groups, open_groups
from cd_provider.triggers.judge_watch import JudgeWatch
from cd_provider.triggers.settled import settled
from cd_provider.triggers.sources import Sources, open_for

log = logging.getLogger(__name__)
Watch = GateWatch | JudgeWatch | BeforeAfterWatch
Clock = Callable[[], float]
TICK_S = 1.0
AGAIN_S = 2.0


class HealthGateTrigger(BaseTrigger):
    """
    Look at some gates until they say something, or their time is over.

    Ends with one event, an :class:`~cd_provider.core.health.Outcome` as plain JSON. A judge reads everything since the
    beginning again when this is restarted, and so stands where it stood.

    :param order: a :class:`~cd_provider.core.health_order.HealthOrder` as plain JSON.
    """

    def __init__(self, *, order: Mapping[str, Any]) -> None:
        super().__init__()
        self.order = dict(order)

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """Give what a triggerer needs to make this again."""
        return "cd_provider.triggers.health_gate.HealthGateTrigger", {"order": self.order}

    @settled
    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Watch to the end."""
        yield TriggerEvent(await watch_health(self.order))


async def watch_health(given: Mapping[str, Any], *, clock: Clock = time.time) -> dict[str, Any]:
    """
    Watch to the end; the trigger and the blocking path both run this.

    :returns: an :class:`~cd_provider.core.health.Outcome` as plain JSON. ERROR: a person has to act first. An outage
        of cluster or metrics server is waited out until the watch is over.
    """
    began = clock()
    try:
        order = HealthOrder.parse(given)
        while True:
            try:
                async with AsyncExitStack() as stack:
                    groups = await stack.enter_async_context(open_groups(order))
                    opened = open_for(
                        order.asked,
                        prometheus_conn_id=order.prometheus_conn_id,
                        kubernetes_conn_id=order.kubernetes_conn_id,
                    )
                    sources = await stack.enter_async_context(opened)
                    return (await HealthWatch(order, groups, sources, clock=clock).run()).as_dict()
            except TransientError as err:
                if clock() >= max(order.until, began + order.no_data_s):
                    return _event("NO_DATA", f"nothing could be opened: {err}", clock() - order.began_at)
                log.warning("the watch cannot begin yet: %s", err)
                await asyncio.sleep(AGAIN_S)
    except PermanentError as err:
        return _event("ERROR", str(err), clock() - began)


def _event(kind: Any, line: str, at: float) -> dict[str, Any]:
    need = "an answer" if kind == "NO_DATA" else "what the line says"
    reason = "no data" if kind == "NO_DATA" else "configuration"
    return Outcome(kind, f"{kind}: {line}", round(max(0.0, at), 3), reason=reason, need=need).as_dict()


@dataclass(frozen=True)
class HealthWatch:
    """Some gates, each looked at beside this loop."""

    order: HealthOrder
    groups: Groups
    sources: Sources
    clock: Clock = time.time

    async def run(self) -> Outcome:
        """
        Look until it is decided.

        An error that nobody foresaw ends it as such: what a watch that broke off saw last is no verdict.
        """
        wake, since, order = asyncio.Event(), self.clock(), self.order
        rule = HealthRule(order.began_at, order.until, order.no_data_s, order.weak_is_enough)
        watches, told = [self._watch(gate, wake, since) for gate in order.asked], ""
        async with _running(watches) as tasks:
            while True:
                wake.clear()
                _raise_if_broken(tasks)
                seen = [Seen(watch.gate, watch.state, _verdict(watch)) for watch in watches]
                if outcome := rule.decide(seen, now=self.clock(), looking_since=since):
                    log.info("%s", outcome.line)
                    return outcome
                if (findings := "; ".join(f"{one.gate.name} {one.state.finding}" for one in seen)) != told:
                    log.info("%s", "; ".join(one.line for one in seen))
                    told = findings
                try:
                    await asyncio.wait_for(wake.wait(), TICK_S)
                except TimeoutError:
                    continue

    def _watch(self, gate: HealthGate, wake: asyncio.Event, now: float) -> Watch:
        order, sources, clock = self.order, self.sources, self.clock
        if isinstance(gate, Gate):
            assert sources.numbers is not None  # opened for every gate of its kind
            bound = GateWatch(gate, sources.numbers, names=self.groups.names, clock=clock, wake=wake)
            bound.open(at=now, exposed_at=now - gate.window_s)  # what is watched is no newborn
            return bound
        source = sources.counters[gate.name]
        if isinstance(gate, BeforeAfter):
            moment = order.began_at if gate.moment is None else gate.moment
            return BeforeAfterWatch(
                gate, source, thing=order.candidate, moment=moment, until=order.after_until(gate), clock=clock,
                wake=wake,
            )  # fmt: skip
        return self._judge(gate, wake, now)

    def _judge(self, gate: JudgeGate, wake: asyncio.Event, now: float) -> JudgeWatch:
        watch = JudgeWatch(
            gate, self.sources.counters[gate.name], sides=lambda: self.groups.sides(gate), clock=self.clock,
            wake=wake, max_s=self.order.until - now,
        )  # fmt: skip
        # From the beginning on, so that it is the same after a restart.
        watch.settings = replace(watch.settings, max_s=self.order.max_s)
        watch.open(at=now, exposed_at=self.order.began_at)
        return watch


def _verdict(watch: Watch) -> Any:
    if isinstance(watch, GateWatch):
        return None
    if isinstance(watch, BeforeAfterWatch):
        return watch.verdict
    return watch.judge.verdict if watch.judge else None


@asynccontextmanager
async def _running(watches: Sequence[Watch]) -> AsyncIterator[list[asyncio.Task[None]]]:
    tasks = [asyncio.create_task(watch.run()) for watch in watches]
    try:
        yield tasks
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _raise_if_broken(tasks: Sequence[asyncio.Task[None]]) -> None:
    for task in tasks:
        if task.done() and (err := task.exception()):
            raise err
