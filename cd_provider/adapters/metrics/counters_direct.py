"""Raw counters from the pages of gateways and pods themselves, through the API server's proxy."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cd_provider.adapters.gateway_pages import GatewayPages
from cd_provider.adapters.pod_proxy import proxy_path, refusal
from cd_provider.core.judge.exposition import is_openmetrics, lines, parse_line, split, type_of
from cd_provider.core.judge.gateways import gateways_of
from cd_provider.core.judge.presets import Preset, Ratio
from cd_provider.core.judge.series import Series
from cd_provider.core.judge.sides import Page, Reading, Sides
from cd_provider.core.judge.silence import missing
from cd_provider.core.judge.telling import Told, needles, tell
from cd_provider.exceptions import (
    ArgumentError,
    CdProviderError,
    ClusterForbiddenError,
    ClusterNotFoundError,
    ClusterRefusedError,
    MetricQueryError,
    MetricsUnavailableError,
    TransientError,
)

if TYPE_CHECKING:
    from cd_provider.hooks.cluster_client import ClusterClient

MAX_BYTES, MAX_SERIES, MAX_PAGES, MISSES = 16 * 1024 * 1024, 5000, 6, 2
ACCEPT = "text/plain;version=0.0.4;q=1,*/*;q=0.1"  # buckets as they are, no native histograms


@dataclass(frozen=True, slots=True)
class Look:
    """What one page gave: its series, or that there was no answer (``late``); neither, when the pod is gone."""

    page: Page
    series: tuple[Series, ...] | None = None
    late: TransientError | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What one line of a page is about; ``told`` is None when it is nobody's."""

    name: str
    id: str
    told: Told | None


class DirectCounters:
    """
    A CounterSource without a metrics server: for services that have none, and for reading every second.

    :param client: of the cluster; it needs ``get pods/proxy`` in the namespaces of the pages.
    :param preset: which counters. Of a gateway's, the gateways' pages are read; else the pods' own.
    :param gateways: where the gateway's pods are, needed for a gateway's counters: ``projectcontour/app=envoy``. It
        takes ``list pods`` there, too.
    :param ratio: what counts as bad. :param timeout_s: seconds that one page may take.
    :raises ArgumentError: a gateway's counters without ``gateways``, or the other way round.

    At most six pages of each side, or of the gateways, are read at once; one longer than 16 MiB, or with more than
    5,000 series of ours, is an error. What a line is about is worked out once, and then known by its text. A sample's
    stamp is the moment its page began to arrive, by our own clock: one clock stamps them all, and stamps that a page
    says are not used. A page has no past: what is on it when it is first looked at is where counting begins.
    """

    def __init__(
        self,
        client: ClusterClient,
        preset: Preset,
        *,
        gateways: str | None = None,
        ratio: Ratio = "errors",
        timeout_s: float = 1.0,
    ) -> None:
        self.client, self.preset, self.ratio, self.timeout_s = client, preset, ratio, timeout_s
        self.gateways = gateways
        where = gateways_of(preset, gateways)
        self._gateways = GatewayPages(client, where, preset) if where else None
        self._misses: dict[str, int] = {}
        self._seen: set[Page] = set()
        self._sides: Sides | None = None
        self._known: dict[
            Page, dict[str, Known]
        ] = {}  # of these sides: name and labels as they stand → what it is

    async def read(self, sides: Sides, *, since: float) -> Reading:
        """
        Look at every page once, see :class:`CounterSource`.

        :raises MetricsUnavailableError: no page at all arrived within ``timeout_s``.
        :raises MetricsRefusedError: RBAC refuses; the message names verb and resource.
        """
        pages = await self._pages(sides)
        if sides != self._sides:
            self._sides, self._known = sides, {}
        looks = await asyncio.gather(*(self._look(page, sides) for page in pages))
        self._seen.update(look.page for look in looks if look.series is not None)
        if self._gateways and any(look.series is None and look.late is None for look in looks):
            self._gateways.gone()
        late = [look for look in looks if look.late]
        if late and len(late) == len(looks):
            raise MetricsUnavailableError(f"no page of metrics arrived: {late[0].late}") from late[0].late
        every = tuple(series for look in looks for series in look.series or ())
        found = tuple(series for series in every if series.samples[0][0] > since)
        return Reading(
            found,
            unreachable=self._unreachable(sides, looks),
            missing=missing(self.preset, self._asked(sides, pages), every, where=_listed(pages)),
            remarks=tuple(str(look.late) for look in late),
        )

    async def probe(self, sides: Sides) -> str | None:
        """Say what is missing: the right, a page, or stable's counters on it."""
        other = DirectCounters(
            self.client, self.preset, gateways=self.gateways, timeout_s=self.timeout_s
        )  # what it sees is not counted
        try:
            reading = await other.read(sides, since=0.0)
        except CdProviderError as err:
            return str(err)
        return next((one for one in reading.missing if one.startswith("stable")), None)

    async def _pages(self, sides: Sides) -> Sequence[Page]:
        """The gateways', or some of each side: always the same ones, so that counters go on."""
        if self._gateways:
            return (await self._gateways.find())[:MAX_PAGES]
        sorted_pods = (sorted(pods) for pods in (sides.candidate_pods, sides.stable_pods))
        return [sides.pages[pod] for pods in sorted_pods for pod in pods[:MAX_PAGES] if pod in sides.pages]

    @staticmethod
    def _asked(sides: Sides, pages: Sequence[Page]) -> Sides:
        """Give the sides with those pods alone that were looked at."""
        pods = {page.pod for page in pages}
        ours = (
            tuple(pod for pod in side if pod in pods) for side in (sides.candidate_pods, sides.stable_pods)
        )
        candidate, stable = ours
        return replace(sides, candidate_pods=candidate, stable_pods=stable, pages={})

    async def _look(self, page: Page, sides: Sides) -> Look:
        path = proxy_path(page.namespace, page.pod, page.port, page.path)
        try:
            async with asyncio.timeout(self.timeout_s):
                at, text = await self.client.page(path, accept=ACCEPT, max_bytes=MAX_BYTES)
        except TimeoutError:
            return Look(
                page, late=MetricsUnavailableError(f"{_name(page)}: no page within {self.timeout_s:g} s.")
            )
        except TransientError as err:
            return Look(page, late=err)
        except (ClusterForbiddenError, ClusterNotFoundError, ClusterRefusedError) as err:
            return self._refused(page, err)
        return Look(page, tuple(self._series(page, at, text, sides)))

    def _refused(self, page: Page, err: CdProviderError) -> Look:
        said = str(err)
        if isinstance(err, ClusterNotFoundError) and f'pods "{page.pod}" not found' in said:
            return Look(page)
        what = f"{_name(page)}: reading it"
        if no := refusal(err, page.namespace, what=what, instead="read from Prometheus"):
            raise no from err
        raise MetricQueryError(
            f"{_name(page)}: no page of metrics at port {page.port}, path {page.path}; name the right ones. {said}"
        ) from err

    def _series(self, page: Page, at: float, text: str, sides: Sides) -> Iterator[Series]:
        known, kinds, in_seconds = (
            self._known.setdefault(page, {}),
            dict[str, str | None](),
            is_openmetrics(text),
        )
        old, count = page not in self._seen, 0
        try:
            for line in lines(text, self.preset.names, having=needles(self.preset, sides)):
                plain = split(line)
                if plain is None or (found := known.get(plain[0])) is None:
                    sample = parse_line(line, in_seconds=in_seconds)
                    found = self._what(page, sides, sample.name, sample.labels)
                    if plain is not None and len(known) < MAX_SERIES:
                        known[plain[0]] = found
                    value = sample.value
                else:
                    value = plain[1]
                if found.told is None:
                    continue
                if found.name not in kinds:
                    kinds[found.name] = type_of(text, found.name)
                self._check(page, found.name, kinds[found.name], value)
                if (count := count + 1) > MAX_SERIES:
                    raise ArgumentError(f"more than {MAX_SERIES} series of ours, expected that at most.")
                yield found.told.series(found.id, ((at, value),), old=old)
        except ArgumentError as err:
            raise MetricQueryError(f"{_name(page)}: {err}") from err

    def _what(self, page: Page, sides: Sides, name: str, own: dict[str, str]) -> Known:
        """Say what a line is about, as a metrics server labels it: where it was read wins over what the page says."""
        labels = {**own, "namespace": page.namespace, "pod": page.pod}
        if self.preset.pod != "pod":
            labels[self.preset.pod] = page.pod
        told = tell(self.preset, sides, name, labels, ratio=self.ratio)
        every = ", ".join(f'{key}="{value}"' for key, value in sorted(labels.items()))
        return Known(name, f"{name}{{{every}}}", told)

    def _check(self, page: Page, name: str, kind: str | None, value: float) -> None:
        if kind in ("gauge", "summary", "gaugehistogram") or value < 0:
            seen = f"a value of {value:g}" if value < 0 else f"a {kind}"
            raise MetricQueryError(f"{_name(page)}: {name} is no counter: saw {seen}; name a counter.")

    def _unreachable(self, sides: Sides, looks: Collection[Look]) -> tuple[str, ...]:
        """Count reads that a candidate pod missed while stable answered; two in a row are evidence, one is bad luck."""
        if self.preset.unit != "backend_pod":
            return ()
        answered = {look.page.pod for look in looks if look.series is not None}
        if not answered & set(sides.stable_pods):
            return ()
        missed = {look.page.pod for look in looks if look.late} & set(sides.candidate_pods)
        self._misses = {pod: self._misses.get(pod, 0) + 1 for pod in missed}
        return tuple(sorted(pod for pod, count in self._misses.items() if count >= MISSES))


def _name(page: Page) -> str:
    return f"pod {page.namespace}/{page.pod}"


def _listed(pages: Sequence[Page]) -> str:
    return ", ".join(f"{page.pod}:{page.port}{page.path}" for page in pages) or "no page, since none is known"
