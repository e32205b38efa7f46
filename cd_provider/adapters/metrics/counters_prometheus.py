"""Raw counters from Prometheus, or from what speaks its query API."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from cd_provider.core.judge.copies import identity, one_of_each
from cd_provider.core.judge.presets import Preset, Ratio
from cd_provider.core.judge.series import Series, Side
from cd_provider.core.judge.sides import Reading, Sides
from cd_provider.core.judge.silence import missing
from cd_provider.core.judge.telling import Told, selector, tell
from cd_provider.exceptions import ArgumentError, CdProviderError, MetricQueryError, MetricsUnavailableError
from cd_provider.hooks.prometheus_query import MIB, PrometheusQuery, QueryAnswer, short

if TYPE_CHECKING:
    import httpx

MAX_BYTES, MAX_SERIES = 16 * MIB, 5000
# asked for beyond what is wanted: how far ahead of ours a clock is, is not known to the second
OVERLAP_S = 15.0
PROBED_S = 30.0  # how far back it is looked for anything at all: not everybody scrapes every few seconds


class PrometheusCounters:
    """
    A CounterSource over instant queries with a range: ``name{…}[65s]`` gives the samples as they were scraped.

    :param client: what ``PrometheusHook(…).client()`` gives; closed by whoever opened it.
    :param preset: which counters, and how to read them. :param ratio: what counts as bad.
    :param matchers: further label matchers, such as ``cluster="prod"``, where one server knows several clusters.
    :param replica_label: label by which copies of one series differ where two servers scrape the same pods, such as
        ``prometheus_replica``; one of them is read. Without it copies are an error: nothing is counted twice.
    :param name: what messages call the server. :param timeout_s: seconds for one whole answer.
    :param clock: seconds that pass, whatever they are counted from.

    Stamps are the samples' own. How far back to ask follows from the server's clock, asked for once, and from the
    seconds that have passed since: no clock of ours is compared with the samples.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        preset: Preset,
        *,
        ratio: Ratio = "errors",
        matchers: str = "",
        replica_label: str | None = None,
        name: str = "Prometheus",
        timeout_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.preset, self.ratio, self.matchers, self.replica_label = preset, ratio, matchers, replica_label
        self.name, self.clock = name, clock
        self.server = PrometheusQuery(
            client,
            name=name,
            timeout_s=timeout_s,
            max_bytes=MAX_BYTES,
            too_large="less; add matchers that narrow it",
        )
        self._ahead: float | None = None  # of the server's clock over ours
        self._replicas: dict[str, str] = {}
        self._first: float | None = None  # how far back the first read went
        self._known: set[tuple[Side, str]] = set()
        self._sides: Sides | None = None  # those of the last read: of whom label sets were told
        self._told_before: dict[tuple[tuple[str, str], ...], tuple[Told, str] | None] = {}

    async def read(self, sides: Sides, *, since: float, until: float | None = None) -> Reading:
        """
        Give every counter of both sides with all raw samples after ``since``, see :class:`CounterSource`.

        :param until: epoch seconds of the newest sample wanted; None: now. A read that ends in the past stands alone:
            it neither asks for what is older nor remembers who was there.
        :raises MetricQueryError: besides what the server refuses: more than 16 MiB or 5,000 series, copies of one
            series, a native histogram, a value below 0.
        """
        asked = selector(self.preset, sides, matchers=self.matchers)
        kept, remarks = await self._kept(sides, asked, since, until)
        if until is not None:
            found = tuple(_after(one, since) for one in kept)
            return Reading(found, missing=self._missing(sides, asked, kept), remarks=remarks)
        new = {_whose(series) for series in kept} - self._known
        if self._first is not None and self._first < since and new:
            # Whether a pod is young, or only was not ready until now, its past tells.
            kept, remarks = await self._kept(sides, asked, self._first)
        self._first = since if self._first is None else min(self._first, since)
        self._known |= new
        return Reading(
            tuple(_after(one, self._first if _whose(one) in new else since) for one in kept),
            missing=self._missing(sides, asked, kept),
            remarks=remarks,
        )

    async def probe(self, sides: Sides) -> str | None:
        """Say what is missing: an answer, a right, or counters of stable, whose pods are there already."""
        asked = selector(self.preset, sides, matchers=self.matchers)
        try:
            kept, _ = await self._kept(sides, asked, await self._now() - PROBED_S)
        except CdProviderError as err:
            return str(err)
        return next((one for one in self._missing(sides, asked, kept) if one.startswith("stable")), None)

    def _missing(self, sides: Sides, asked: str, found: Sequence[Series]) -> tuple[str, ...]:
        return missing(self.preset, sides, found, where=f"{self.name}: {asked}")

    async def _kept(
        self, sides: Sides, asked: str, since: float, until: float | None = None
    ) -> tuple[list[Series], tuple[str, ...]]:
        if self.preset.unit == "backend_pod" and not (sides.candidate_pods or sides.stable_pods):
            return [], ()  # asked for no pod at all, Prometheus gives what has no pod
        window_s = await self._window_s(since) if until is None else math.ceil(max(1.0, until - since))
        answer = await self.server.ask(f"{asked}[{window_s}s]", at=until)
        result = self._matrix(answer, asked)
        series = one_of_each(
            list(self._told(result, sides, asked)),
            replica_label=self.replica_label,
            chosen=self._replicas,
            name=self.name,
        )
        return series, answer.infos

    async def _window_s(self, since: float) -> int:
        return math.ceil(max(0.0, await self._now() - since) + OVERLAP_S)

    async def _now(self) -> float:
        """Give the server's clock."""
        if self._ahead is None:
            answer = await self.server.ask("time()")
            try:
                self._ahead = float(answer.result[1]) - self.clock()
            except (TypeError, ValueError, IndexError, KeyError) as err:
                raise self.server.no_result() from err
        return self.clock() + self._ahead

    def _matrix(self, answer: QueryAnswer, asked: str) -> list[Mapping[str, Any]]:
        if answer.kind != "matrix" or not isinstance(answer.result, list):
            raise self.server.no_result()
        if len(answer.result) > MAX_SERIES:
            raise MetricQueryError(
                f"{self.name}: saw {len(answer.result)} series, expected {MAX_SERIES} at most; add matchers that "
                f"narrow it. Selector: {short(asked)}"
            )
        if not all(isinstance(one, dict) and isinstance(one.get("metric"), dict) for one in answer.result):
            raise self.server.no_result()
        return answer.result

    def _told(
        self, result: Iterable[Mapping[str, Any]], sides: Sides, asked: str
    ) -> Iterator[tuple[Mapping[str, str], Series]]:
        if sides != self._sides or len(self._told_before) > MAX_SERIES:
            self._sides, self._told_before = sides, {}
        for one in result:
            labels = one["metric"]
            if "histograms" in one:
                self._refuse_native(labels.get("__name__", ""), asked)
            key = tuple(labels.items())
            if key not in self._told_before:
                self._told_before[key] = self._tell(labels, sides, asked)
            if (known := self._told_before[key]) is not None:
                told, id = known
                yield labels, told.series(id, self._samples(one))

    def _refuse_native(self, name: str, asked: str) -> None:
        if name in (*self.preset.names, self.preset.latency):
            raise MetricQueryError(
                f"{self.name}: {name} is a native histogram, expected classic buckets ({name}_bucket); keep them "
                f"with `scrape_classic_histograms: true` in its scrape job. Selector: {short(asked)}"
            )

    def _tell(self, labels: Mapping[str, str], sides: Sides, asked: str) -> tuple[Told, str] | None:
        """Say what a label set is, and which counter of all; asked once for each, since every answer has it again."""
        try:
            told = tell(self.preset, sides, labels.get("__name__", ""), labels, ratio=self.ratio)
        except ArgumentError as err:
            raise MetricQueryError(f"{self.name}: {err} Selector: {short(asked)}") from err
        if told is None:
            return None
        backend, replica = self.preset.backend, self.replica_label
        return told, identity(told.side, told.pod, labels, backend=backend, replica_label=replica)

    def _samples(self, one: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
        try:
            samples = tuple([(float(at), float(value)) for at, value in one["values"]])
        except (TypeError, ValueError, KeyError) as err:
            raise MetricsUnavailableError(
                f"{self.name}: saw the samples {short(one)}, expected [time, number], …"
            ) from err
        if lowest := [value for _, value in samples if value < 0]:
            raise MetricQueryError(
                f"{self.name}: {_id(one['metric'])} is no counter: saw {min(lowest):g}, expected 0 or more; name a "
                "counter."
            )
        return samples


def _id(labels: Mapping[str, str]) -> str:
    own = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()) if key != "__name__")
    return f"{labels.get('__name__', '')}{{{own}}}"


def _after(series: Series, since: float) -> Series:
    kept = tuple([one for one in series.samples if one[0] > since])
    return series if len(kept) == len(series.samples) else series.with_samples(kept)


def _whose(series: Series) -> tuple[Side, str]:
    return series.side, series.pod
