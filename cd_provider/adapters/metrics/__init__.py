"""Where gates get their numbers, and the judge its raw counters."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Any

from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.judge.presets import Preset
    from cd_provider.core.ports import CounterSource, MetricSource


def open_metric_source(kind: str, conn_id: str) -> AbstractAsyncContextManager[MetricSource]:
    """
    Open a source of numbers by its short name.

    :param kind: one of :data:`METRIC_SOURCES`.
    :param conn_id: the Airflow connection that says how to reach it.
    :raises ArgumentError: the name is not known.
    :raises ConnectionFaultError: while opening: the connection is missing or cannot be used.
    """
    if kind not in METRIC_SOURCES:
        raise ArgumentError(
            f"metric source: saw {kind!r}, expected one of {', '.join(sorted(METRIC_SOURCES))}."
        )
    return METRIC_SOURCES[kind](conn_id)


@asynccontextmanager
async def _prometheus(conn_id: str) -> AsyncIterator[MetricSource]:
    from cd_provider.adapters.metrics.prometheus import PrometheusMetrics
    from cd_provider.hooks.prometheus import PrometheusHook

    async with PrometheusHook(conn_id).client() as client:
        yield PrometheusMetrics(client, name=f"Prometheus of connection {conn_id!r}")


METRIC_SOURCES: Mapping[str, Callable[[str], AbstractAsyncContextManager[MetricSource]]] = {
    "prometheus": _prometheus,
}


def open_counter_source(
    kind: str, conn_id: str, preset: Preset, **options: Any
) -> AbstractAsyncContextManager[CounterSource]:
    """
    Open a source of raw counters by its short name.

    :param kind: one of :data:`COUNTER_SOURCES`.
    :param conn_id: the Airflow connection: a Prometheus, or for ``direct`` the cluster.
    :param preset: which counters, see :mod:`cd_provider.core.judge.presets`.
    :param options: further keywords of :class:`PrometheusCounters` or :class:`DirectCounters`.
    :raises ArgumentError: the name is not known.
    :raises ConnectionFaultError: while opening: the connection is missing or cannot be used.
    """
    if kind not in COUNTER_SOURCES:
        raise ArgumentError(
            f"counter source: saw {kind!r}, expected one of {', '.join(sorted(COUNTER_SOURCES))}."
        )
    return COUNTER_SOURCES[kind](conn_id, preset, **options)


@asynccontextmanager
async def _prometheus_counters(conn_id: str, preset: Preset, **options: Any) -> AsyncIterator[CounterSource]:
    from cd_provider.adapters.metrics.counters_prometheus import PrometheusCounters
    from cd_provider.hooks.prometheus import PrometheusHook

    async with PrometheusHook(conn_id).client() as client:
        yield PrometheusCounters(client, preset, name=f"Prometheus of connection {conn_id!r}", **options)


@asynccontextmanager
async def _direct_counters(conn_id: str, preset: Preset, **options: Any) -> AsyncIterator[CounterSource]:
    from cd_provider.adapters.metrics.counters_direct import DirectCounters
    from cd_provider.hooks.cluster import ClusterHook

    async with ClusterHook(conn_id).client() as client:
        yield DirectCounters(client, preset, **options)


COUNTER_SOURCES: Mapping[str, Callable[..., AbstractAsyncContextManager[CounterSource]]] = {
    "direct": _direct_counters,
    "prometheus": _prometheus_counters,
}
