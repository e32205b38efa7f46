"""What is read of a Prometheus: every sample once, as it was scraped, and no more than the truth."""

from __future__ import annotations

import math

import pytest

from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, total
from cd_provider.core.judge.presets import preset
from cd_provider.core.judge.sides import Sides
from cd_provider.exceptions import MetricQueryError
from tests.unit.adapters.prometheus.server import (
    NOW,
    SIDES,
    START,
    Server,
    both,
    bucket,
    counter,
    opened,
    read,
    requests,
    ticks,
)


async def test_samples_come_as_they_were_scraped() -> None:
    reading = await read(Server(*both(), requests("c1", 2, code="500", first=1010.0)))

    assert [(one.side, one.pod, one.bad) for one in reading.series] == [
        ("candidate", "c1", False), ("stable", "s1", False), ("candidate", "c1", True),
    ]  # fmt: skip
    assert reading.series[0].samples == ((995.0, 0.0), (1000.0, 0.0), (1005.0, 5.0), (1010.0, 10.0))
    assert [total(tick.candidate) for tick in ticks(reading)] == [Counts(5), Counts(7, 2)]


async def test_only_what_is_new_is_given() -> None:
    reading = await read(Server(*both()), since=1000.0)

    assert [at for at, _ in reading.series[0].samples] == [1005.0, 1010.0]


async def test_the_servers_clock_says_how_far_back_to_ask() -> None:
    server = Server(*both())
    async with opened(server) as source:
        await source.read(SIDES, since=NOW - 600)
        source.clock = lambda: 10.0
        await source.read(SIDES, since=NOW)
        await source.read(SIDES, since=NOW + 3600)

    assert server.queries[0] == "time()"
    assert [query.rpartition("[")[2] for query in server.queries[1:]] == ["615s]", "25s]", "15s]"]
    assert 'namespace="web", pod=~"c1|s1"' in server.queries[1]


async def test_an_answer_that_overlaps_is_counted_once() -> None:
    first, second = (
        Server(*both()),
        Server(requests("c1", 0, 0, 5, 10, 30), requests("s1", 0, 0, 50, 100, 150)),
    )

    seen = ticks(await read(first), await read(second))

    assert [total(tick.candidate).requests for tick in seen] == [5, 5, 20]


async def test_samples_out_of_order_are_put_in_order() -> None:
    late = requests("c1", 0, 0, 5, 10)
    late["values"].reverse()

    assert [total(tick.candidate) for tick in ticks(await read(Server(late, both()[1])))] == [Counts(5)] * 2


async def test_a_pod_that_gets_ready_late_brings_its_past_so_that_it_is_not_taken_for_young() -> None:
    server, aligner = Server(*both()), Aligner(started_at=START, interval_s=5.0)
    async with opened(server) as source:
        aligner.feed((await source.read(SIDES, since=990.0)).series)
        late = Sides("web", "shop-candidate", "shop", ("c1",), ("s1", "s2"))
        server.series = [
            requests("c1", 0, 0, 5, 10, 15), requests("s1", 0, 0, 50, 100, 150),
            requests("s2", 9000, 9000, 9000, 9000, 9007),
        ]  # fmt: skip
        reading = await source.read(late, since=1010.0)
        again = await source.read(late, since=1010.0)

    assert [len(one.samples) for one in reading.series] == [1, 1, 5]
    assert [query.rpartition("[")[2] for query in server.queries] == [
        "time()",
        "45s]",
        "25s]",
        "45s]",
        "25s]",
    ]
    assert [total(tick.stable).requests for tick in aligner.feed((*reading.series, *again.series))] == [57]


async def test_a_service_that_is_scraped_twice_a_minute_is_not_taken_for_missing() -> None:
    """However recent the samples are that a look wants, whether there are any at all is asked further back."""
    server = Server(*both(), bucket("c1"), bucket("s1"))
    async with opened(server) as source:
        await source.probe(SIDES)

    assert server.queries[-1].endswith("[45s]")


async def test_no_series_of_errors_is_no_error_as_long_as_there_are_requests() -> None:
    reading = await read(Server(*both(), bucket("c1"), bucket("s1")))

    assert reading.missing == ()
    assert [total(tick.candidate).errors for tick in ticks(reading)] == [0, 0]


async def test_errors_without_requests_are_no_share_of_anything() -> None:
    own = preset("custom", total="calls", errors="failures")
    failures = counter("c1", 0, 0, 5, 10, name="failures")
    reading = await read(Server(failures, counter("s1", 0, 0, 1, 2, name="calls")), one=own)

    assert [line for line in reading.missing if "no calls, though failures is there" in line]
    assert [total(tick.candidate).error_share for tick in ticks(reading)] == [0, 0]


async def test_an_own_counter_of_errors_adds_no_requests() -> None:
    own = preset("custom", total="calls", errors="failures")
    series = [counter(pod, 0, 0, 10, 20, name="calls") for pod in ("c1", "s1")]
    reading = await read(Server(*series, counter("c1", 0, 0, 1, 2, name="failures")), one=own)

    assert [total(tick.candidate) for tick in ticks(reading)] == [Counts(10, 1)] * 2


@pytest.mark.parametrize("value", ["NaN", "+Inf"])
async def test_what_is_no_number_is_a_gap(value: str) -> None:
    reading = await read(Server(requests("c1", 0, 0, value, 10, 15), requests("s1", 0, 0, 50, 100, 150)))
    aligner = Aligner(started_at=START, interval_s=5.0)
    seen = aligner.feed(reading.series)

    assert not math.isfinite(reading.series[0].samples[2][1])
    assert [total(tick.candidate).requests for tick in seen] == [0, 10, 5]
    assert aligner.notes.gaps == 1


async def test_a_series_that_stands_still_is_no_request() -> None:
    reading = await read(Server(requests("c1", 7, 7, 7, 7), requests("s1", 9, 9, 9, 9)))

    assert [(total(tick.candidate), total(tick.stable)) for tick in ticks(reading)] == [
        (Counts(), Counts())
    ] * 2


async def test_a_counter_that_began_anew_counts_from_zero() -> None:
    reading = await read(Server(requests("c1", 90, 100, 3, 8), both()[1]))

    assert [total(tick.candidate).requests for tick in ticks(reading)] == [3, 5]


async def test_several_series_of_a_pod_add_up() -> None:
    ways = [requests("c1", 0, 0, 5, 10, method=method) for method in ("GET", "POST")]

    assert [total(tick.candidate).requests for tick in ticks(await read(Server(*ways, both()[1])))] == [
        10,
        10,
    ]


async def test_pods_of_an_earlier_candidate_are_not_ours() -> None:
    reading = await read(Server(*both(), requests("shop-candidate-old", 0, 99)))

    assert {one.pod for one in reading.series} == {"c1", "s1"}


async def test_edges_of_both_versions_come_along_and_only_common_ones_are_judged() -> None:
    name = "shop_request_duration_seconds_bucket"
    edges = {"c1": ("0.1", "0.5", "+Inf"), "s1": ("0.1", "0.25", "+Inf")}
    series = [counter(pod, 0, 0, 5, 9, name=name, le=le) for pod, ones in edges.items() for le in ones]

    assert ticks(await read(Server(*both(), *series)))[0].edges == (0.1, math.inf)


async def test_what_falls_below_zero_is_no_counter() -> None:
    with pytest.raises(MetricQueryError, match=r"shop_requests_total\{.*\} is no counter: saw -3"):
        await read(Server(requests("c1", 0, -3)))
