"""Where gates get what they look at; only what they need is opened."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field

from cd_provider.core.gate import Gate
from cd_provider.core.health_order import HealthGate
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
    Open those of a canary, and close them at the end.

    :raises ConnectionFaultError: a connection is missing or cannot be used.
    """
    opened = open_for(
        order.plan().gates,
        prometheus_conn_id=order.prometheus_conn_id,
        kubernetes_conn_id=order.where.kubernetes_conn_id,
    )
    async with opened as sources:
        yield sources


@asynccontextmanager
async def open_for(
    gates: Sequence[HealthGate], *, prometheus_conn_id: str, kubernetes_conn_id: str
) -> AsyncIterator[Sources]:
    """Open what these gates look at; errors as :func:`open_sources`."""
    from cd_provider.adapters.metrics import open_counter_source, open_metric_source

    counters = {}
    async with AsyncExitStack() as stack:
        numbers = None
        if any(isinstance(gate, Gate) for gate in gates):
            numbers = await stack.enter_async_context(open_metric_source("prometheus", prometheus_conn_id))
        for gate in gates:
            if isinstance(gate, Gate):
                continue
            conn_id = gate.connection(prometheus=prometheus_conn_id, kubernetes=kubernetes_conn_id)
            opened = open_counter_source(gate.source, conn_id, gate.counters(), **gate.reading())
            counters[gate.name] = await stack.enter_async_context(opened)
        yield Sources(numbers, counters)
