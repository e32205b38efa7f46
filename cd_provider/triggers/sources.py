"""Where the gates of one canary get what they look at; only what they need is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from cd_provider.core.gate import Gate
from cd_provider.core.judge_gate import JudgeGate
from cd_provider.core.order import CanaryOrder
from cd_provider.core.ports import CounterSource, MetricSource


@dataclass(frozen=True)
class Sources:
    """
    What is open.

    :param numbers: of bounds; None where no gate is one. :param counters: judge's name → where it reads.
    """

    numbers: MetricSource | None = None
    counters: Mapping[str, CounterSource] = field(default_factory=dict)


@asynccontextmanager
async def open_sources(order: CanaryOrder) -> AsyncIterator[Sources]:
    """
    Open them, and close them at the end.

    :raises ConnectionFaultError: a connection is missing or cannot be used.
    """
    from cd_provider.adapters.metrics import open_counter_source, open_metric_source

    gates, counters = order.plan().gates, {}
    async with AsyncExitStack() as stack:
        numbers = None
        if any(isinstance(gate, Gate) for gate in gates):
            numbers = await stack.enter_async_context(
                open_metric_source("prometheus", order.prometheus_conn_id)
            )
        for gate in gates:
            if isinstance(gate, JudgeGate):
                opened = open_counter_source(gate.source, _connection(order, gate), gate.counters())
                counters[gate.name] = await stack.enter_async_context(opened)
        yield Sources(numbers, counters)


def _connection(order: CanaryOrder, gate: JudgeGate) -> str:
    return gate.connection(prometheus=order.prometheus_conn_id, kubernetes=order.where.kubernetes_conn_id)
