"""What is not there is named, by side and selector, and what only is not new is not missing."""

from __future__ import annotations

from cd_provider.core.judge.sides import Sides
from tests.loopback import Answer
from tests.unit.adapters.prometheus.server import (
    NOW,
    SIDES,
    Server,
    both,
    bucket,
    opened,
    read,
    requests,
)


async def test_nothing_at_all_is_missing_by_side_and_selector() -> None:
    reading = await read(Server())

    assert reading.series == ()
    assert [line.split(":")[0] for line in reading.missing] == ["candidate shop-candidate", "stable shop"]
    assert 'namespace="web", pod=~"c1|s1"' in reading.missing[0]
    assert "Ready pods: c1." in reading.missing[0]


async def test_an_empty_side_is_missing() -> None:
    (line,) = (await read(Server(requests("s1", 1, 2), bucket("s1")))).missing

    assert line.startswith("candidate shop-candidate: no shop_requests_total")


async def test_a_pod_that_shows_nothing_is_named() -> None:
    sides = Sides("web", "shop-candidate", "shop", ("c1", "c2"), ("s1",))
    server = Server(*both(), bucket("c1"), bucket("s1"))
    async with opened(server) as source:
        (line,) = (await source.read(sides, since=0)).missing

    assert "of its pods c2" in line


async def test_what_is_there_and_only_not_new_is_not_missing() -> None:
    reading = await read(Server(*both(), bucket("c1"), bucket("s1")), since=NOW)

    assert reading.missing == ()
    assert not any(one.samples for one in reading.series)


async def test_without_pods_nothing_is_asked() -> None:
    server = Server(*both())
    async with opened(server) as source:
        reading = await source.read(Sides("web", "shop-candidate", "shop"), since=0)

    assert server.queries == []
    assert len(reading.missing) == 2


async def test_a_plan_leaves_no_trace_in_what_is_counted() -> None:
    server = Server(*both())
    async with opened(server) as source:
        await source.probe(SIDES)
        first = await source.read(SIDES, since=990.0)
        await source.probe(SIDES)
        second = await source.read(SIDES, since=1005.0)

    assert [[len(one.samples) for one in reading.series] for reading in (first, second)] == [[4, 4], [1, 1]]
    assert len(server.queries) == 5


async def test_the_plan_hears_what_is_missing_of_stable() -> None:
    async with opened(Server(*both(), bucket("s1"))) as source:
        assert await source.probe(SIDES) is None
    async with opened(Server(requests("c1", 1, 2))) as source:
        assert "stable shop: no shop_requests_total" in str(await source.probe(SIDES))
    async with opened(lambda _: Answer(b"", 403)) as source:
        assert "refuses the credentials" in str(await source.probe(SIDES))
