"""Numbers from Prometheus, or from what speaks its query API."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from cd_provider.exceptions import MetricQueryError, MetricsUnavailableError
from cd_provider.hooks.prometheus_query import MIB, PrometheusQuery, series_named, short

if TYPE_CHECKING:
    import httpx

MAX_BYTES = MIB


class PrometheusMetrics:
    """
    A MetricSource over Prometheus' instant queries.

    :param client: what ``PrometheusHook(…).client()`` gives; closed by whoever opened it.
    :param name: what messages call the server.
    :param timeout_s: seconds for one whole answer; the server is told, and gives up as well.
    """

    def __init__(
        self, client: httpx.AsyncClient, *, name: str = "Prometheus", timeout_s: float = 5.0
    ) -> None:
        self.client, self.name, self.timeout_s = client, name, timeout_s

    async def value(self, query: str) -> float | None:
        """
        Run ``query`` now; give its one value.

        :returns: None when no series matched, and for NaN and ±Inf: they come from a division by zero, which
            says that nothing was counted, not that much was.
        :raises MetricsUnavailableError: no usable answer, see :meth:`PrometheusQuery.ask`.
        :raises MetricQueryError: the query is refused, gives several values, a histogram, a range, or more
            than 1 MiB.
        :raises MetricsRefusedError: the server refuses the credentials, or has no query API at this address.
        """
        server = PrometheusQuery(
            self.client,
            name=self.name,
            timeout_s=self.timeout_s,
            max_bytes=MAX_BYTES,
            too_large="one number",
        )
        answer = await server.ask(query)
        if answer.kind == "vector" and isinstance(answer.result, list):
            return self._one(answer.result, query)
        if answer.kind == "scalar":
            return self._number(answer.result)
        if answer.kind in ("matrix", "string"):
            raise MetricQueryError(
                f"{self.name}: the query gives a {answer.kind}, expected one number. Query: {short(query)}"
            )
        raise server.no_result()

    def _one(self, result: list[Any], query: str) -> float | None:
        if not result:
            return None
        if len(result) > 1:
            raise MetricQueryError(
                f"{self.name}: the query gives {len(result)} series, expected one, among them "
                f"{series_named(result)}; put sum(…) around it, or select one. Query: {short(query)}"
            )
        if isinstance(result[0], dict) and "histogram" in result[0]:
            raise MetricQueryError(
                f"{self.name}: the query gives a histogram, expected one number. Query: {short(query)}"
            )
        return self._number(result[0].get("value") if isinstance(result[0], dict) else None)

    def _number(self, sample: Any) -> float | None:
        try:
            _, text = sample
            value = float(text) if isinstance(text, str) else None
        except (TypeError, ValueError):
            value = None
        if value is None:
            raise MetricsUnavailableError(
                f"{self.name}: saw the sample {short(sample)}, expected [time, number]."
            )
        return value if math.isfinite(value) else None
