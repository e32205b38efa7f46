"""One question to Prometheus' query API, and what its answers mean: data out, or our errors."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cd_provider.exceptions import (
    MetricQueryError,
    MetricsRefusedError,
    MetricsTooLargeError,
    MetricsUnavailableError,
)

if TYPE_CHECKING:
    import httpx

MIB = 1024 * 1024
LATER = (408, 425, 429, 499)  # besides 5xx: the server asks for patience
TOO_MANY = "too many samples"  # words of Prometheus' own limit (--query.max-samples)


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """
    A successful answer without warnings.

    :param kind: ``vector``, ``matrix``, ``scalar`` or ``string``. :param result: as Prometheus gives it.
    :param infos: remarks of the server that change nothing.
    """

    kind: str
    result: Any
    infos: tuple[str, ...] = ()


class PrometheusQuery:
    """
    Runs instant queries.

    :param client: what ``PrometheusHook(…).client()`` gives; closed by whoever opened it.
    :param name: what messages call the server.
    :param timeout_s: seconds for one whole answer; the server is told, and gives up as well.
    :param max_bytes: of one answer; read piece by piece, and left when it gets larger.
    :param too_large: what a message says was expected instead, such as ``one number``.
    """

    def __init__(
        self, client: httpx.AsyncClient, *, name: str, timeout_s: float, max_bytes: int, too_large: str
    ) -> None:
        self.client, self.name, self.timeout_s = client, name, timeout_s
        self.max_bytes, self.too_large = max_bytes, too_large

    async def ask(self, query: str, *, at: float | None = None) -> QueryAnswer:
        """
        Run ``query`` now, or as it would have been at a moment.

        :param at: that moment, epoch seconds by the server's clock.
        :raises MetricsUnavailableError: no answer within ``timeout_s``, 429, 5xx, no Prometheus' answer, or
            one with warnings: those tell of data that was left out, and a part of the truth could pass.
        :raises MetricQueryError: the query is refused.
        :raises MetricsTooLargeError: its answer is larger than ``max_bytes``, or than the server reads for one query.
        :raises MetricsRefusedError: the server refuses the credentials, or has no query API at this address.

        Source: Prometheus HTTP API, "Format overview" and "Instant queries".
        """
        status, body = await self._post(query, at)
        answer = _mapping(body)
        if status != 200 or answer.get("status") != "success":
            raise self._fault(status, answer, query)
        if warnings := answer.get("warnings"):
            raise MetricsUnavailableError(
                f"{self.name}: it warns that its answer is partial: {short(warnings)}."
            )
        data, infos = answer.get("data"), answer.get("infos")
        if isinstance(data, dict) and isinstance(data.get("resultType"), str):
            remarks = tuple(str(one) for one in infos) if isinstance(infos, list) else ()
            return QueryAnswer(data["resultType"], data.get("result"), remarks)
        raise self.no_result()

    def no_result(self) -> MetricsUnavailableError:
        """Word what has the form of an answer, and holds none."""
        return MetricsUnavailableError(f"{self.name}: status 200, but no result of a query in its answer.")

    async def _post(self, query: str, at: float | None = None) -> tuple[int, bytes]:
        """Give status and body; Prometheus takes a query as a form too, so that it may be long."""
        import httpx

        form = {"query": query, "timeout": f"{self.timeout_s:g}"}
        if at is not None:
            form["time"] = f"{at:.3f}"
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                # Asked for as it is: what is compressed could be large beyond what came over the wire.
                self.client.stream(
                    "POST", "api/v1/query", data=form, headers={"Accept-Encoding": "identity"}
                ) as answer,
            ):
                return answer.status_code, await self._body(answer, query)
        except (TimeoutError, httpx.TimeoutException) as err:
            raise MetricsUnavailableError(f"{self.name}: no answer within {self.timeout_s:g} s.") from err
        except httpx.HTTPError as err:
            raise MetricsUnavailableError(
                f"{self.name}: no answer: {str(err) or type(err).__name__}."
            ) from err

    async def _body(self, answer: httpx.Response, query: str) -> bytes:
        body = bytearray()
        async for piece in answer.aiter_raw():
            body += piece
            if len(body) <= self.max_bytes:
                continue
            if answer.status_code != 200:
                return b""
            raise MetricsTooLargeError(
                f"{self.name}: the answer is larger than {self.max_bytes / MIB:g} MiB, expected "
                f"{self.too_large}. Query: {short(query)}"
            )
        return bytes(body)

    def _fault(self, status: int, answer: Mapping[str, Any], query: str) -> Exception:
        said = short(answer.get("error") or "no reason given")
        if status in (401, 403):
            return MetricsRefusedError(
                f"{self.name}: it refuses the credentials (status {status}); mend the connection."
            )
        if status in (400, 422) or (status == 200 and answer.get("errorType") == "bad_data"):
            kind = MetricsTooLargeError if TOO_MANY in said else MetricQueryError
            return kind(f"{self.name}: it refuses the query: {said}. Query: {short(query)}")
        if status == 200 or status in LATER or status >= 500:
            return MetricsUnavailableError(f"{self.name}: no result, status {status}: {said}.")
        return MetricsRefusedError(
            f"{self.name}: status {status}, expected a query's result; look at the connection's host, schema "
            "and path_prefix."
        )


def short(value: Any) -> str:
    """Give a value as a message repeats it: 300 characters at most."""
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 300 else text[:299] + "…"


def series_named(result: Sequence[Any]) -> str:
    """Name the first two series of a result by their labels."""
    return " and ".join(short(one.get("metric") if isinstance(one, dict) else one) for one in result[:2])


def _mapping(body: bytes) -> Mapping[str, Any]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return answer if isinstance(answer, dict) else {}
