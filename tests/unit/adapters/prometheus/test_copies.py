"""The same counter twice, by two replicas or two jobs: read once, or refused, and never counted double."""

from __future__ import annotations

from typing import Any

import pytest

from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import total
from cd_provider.core.judge.presets import ENVOY, TRAEFIK, Preset
from cd_provider.exceptions import MetricQueryError
from tests.unit.adapters.prometheus.server import (
    SIDES,
    START,
    Server,
    both,
    counter,
    opened,
    read,
    requests,
    ticks,
)


def replicas(*of: tuple[str, tuple[dict[str, Any], ...]]) -> list[dict[str, Any]]:
    return [
        {**one, "metric": {**one["metric"], "prometheus_replica": name}}
        for name, series in of
        for one in series
    ]


async def test_copies_of_two_replicas_are_refused_with_the_label_to_name() -> None:
    with pytest.raises(MetricQueryError, match=r"there 2 times.*replica_label='prometheus_replica'"):
        await read(Server(*replicas(("a", both()), ("b", both()))))


async def test_of_two_replicas_one_is_read() -> None:
    reading = await read(
        Server(*replicas(("b", both(first=996.0)), ("a", both()))), replica_label="prometheus_replica"
    )

    assert [total(tick.candidate).requests for tick in ticks(reading)] == [5, 5]
    assert {at for at, _ in reading.series[0].samples} == {995.0, 1000.0, 1005.0, 1010.0}


async def test_the_same_replica_is_read_as_long_as_it_keeps_up() -> None:
    server = Server(*replicas(("b", both(first=996.0))))
    async with opened(server, replica_label="prometheus_replica") as source:
        await source.read(SIDES, since=990)
        server.series += replicas(("a", both()))
        reading = await source.read(SIDES, since=990)

    assert {at for at, _ in reading.series[0].samples} == {996.0, 1001.0, 1006.0, 1011.0}


async def test_a_replica_that_stops_is_followed_by_the_other_and_nothing_counts_twice() -> None:
    long = requests("c1", *range(0, 100, 5), first=996.0), requests("s1", *range(0, 1000, 50), first=996.0)
    server = Server(*replicas(("a", both()), ("b", both(first=996.0))))
    aligner = Aligner(started_at=START, interval_s=5.0)
    async with opened(server, replica_label="prometheus_replica") as source:
        seen = aligner.feed((await source.read(SIDES, since=990)).series)
        server.series = replicas(("a", both()), ("b", long))
        seen += aligner.feed((await source.read(SIDES, since=990)).series)

    assert sum(total(tick.candidate).requests for tick in seen) == 95
    assert aligner.notes.resets == 0


async def test_a_pod_scraped_by_two_jobs_is_refused() -> None:
    with pytest.raises(
        MetricQueryError, match=r"shop_requests_total of c1 .*job \('pods' and 'monitor'\).*matchers"
    ):
        await read(Server(*both(), requests("c1", 0, 0, 5, 10, job="monitor")))


async def test_a_pod_that_another_job_scrapes_from_now_on_goes_on_as_it_was() -> None:
    later = requests("c1", 15, 20, first=1015.0, job="renamed", instance="c1.pod:80")
    reading = await read(Server(requests("c1", 0, 0, 5, 10), later, requests("s1", 0, 0, 50, 100, 150, 200)))

    assert [total(tick.candidate).requests for tick in ticks(reading)] == [5, 5, 5, 5]


async def test_a_counter_keeps_its_name_whoever_scrapes_it() -> None:
    before, after = requests("c1", 1), requests("c1", 2, first=2000.0, job="renamed")
    ids = {one.id for series in (before, after) for one in (await read(Server(series))).series}

    assert len(ids) == 1


@pytest.mark.parametrize(
    ("one", "name", "label"),
    [
        pytest.param(ENVOY, "web_{}_{}", "envoy_cluster_name", id="envoy"),
        pytest.param(TRAEFIK, "web-{}-http-{}@kubernetesgateway", "service", id="traefik"),
    ],
)
async def test_two_ports_of_a_service_behind_a_gateway_are_no_copies(
    one: Preset, name: str, label: str
) -> None:
    series = []
    for service in (("shop", 80), ("shop", 81), ("shop-candidate", 80)):
        labels: dict[str, Any] = {label: name.format(*service), str(one.status): "200"}
        series.append(counter("gateway-1", 0, 0, 5, 10, name=one.total, **labels))
    reading = await read(Server(*series), one=one)

    assert [total(tick.stable).requests for tick in ticks(reading)] == [10, 10]
