"""A line that is known is not parsed again, and its value is its own all the same."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cd_provider.adapters.metrics import counters_direct
from cd_provider.core.judge.exposition import Sample, parse_line, type_of
from cd_provider.core.judge.presets import DEMO
from cd_provider.exceptions import (
    MetricQueryError,
)
from cd_provider.hooks.cluster_client import ClusterClient
from tests.unit.adapters.direct.proxied import (
    PODS,
    SIDES,
    Proxied,
    patient,
    shop,
)


async def test_a_line_is_parsed_once_and_a_metrics_kind_looked_up_once_a_page(
    server: Proxied, client: ClusterClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read has to cost half a millisecond a page; the rest of the page, and what is known of it, is not parsed."""
    parsed, kinds = list[str](), list[str]()

    def parse(line: str, *, in_seconds: bool) -> Sample:
        parsed.append(line)
        return parse_line(line, in_seconds=in_seconds)

    def kind(text: str, name: str) -> str | None:
        kinds.append(name)
        return type_of(text, name)

    monkeypatch.setattr(counters_direct, "parse_line", parse)
    monkeypatch.setattr(counters_direct, "type_of", kind)
    source = patient(client, DEMO)
    server.pages = dict.fromkeys(PODS, "not_ours{a broken line\n" + shop(10, 1))
    first = await source.read(SIDES, since=0.0)
    assert len(parsed) == 16
    assert len(kinds) == 2 * len(PODS)

    server.pages = dict.fromkeys(PODS, shop(12, 3) + 'shop_requests_total{code="503"} 7\n')
    second = await source.read(SIDES, since=0.0)

    assert parsed[16:] == ['shop_requests_total{code="503"} 7'] * len(PODS)
    assert {one.id for one in first.series} < {one.id for one in second.series}
    assert {(one.bad, one.samples[0][1]) for one in second.series if one.edge is None} == {
        (False, 12.0), (True, 3.0), (True, 7.0),
    }  # fmt: skip


async def test_what_is_known_of_a_line_is_forgotten_with_the_sides(
    server: Proxied, client: ClusterClient
) -> None:
    source = patient(client, DEMO)
    await source.read(SIDES, since=0.0)
    swapped = replace(SIDES, candidate_pods=SIDES.stable_pods, stable_pods=SIDES.candidate_pods)

    reading = await source.read(swapped, since=0.0)

    assert {one.pod for one in reading.series if one.side == "candidate"} == {"s1", "s2"}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        pytest.param('{"code="200"} 5', "", id="a name without a value"),
        pytest.param(
            '{code="200"} 5 # {trace_id="x"} 0.5', '{code="200"} 9 # {trace_id="x"} 0.7', id="an exemplar"
        ),
        pytest.param('{code="200"} 5 1700000000000', '{code="200"} 9 1700000001000', id="a stamp"),
        pytest.param('{code="200",note="a } 3"} 5', '{code="200",note="a } 3"} 9', id="a bracket in a value"),
        pytest.param('{code="200"} 5e0', '{code="200"} 9.0E+0', id="powers of ten"),
        pytest.param('{ code = "200" }  5', '{ code = "200" }  9', id="spaces"),
        pytest.param(" 5", " 9", id="no labels"),
    ],
)
async def test_a_value_is_the_lines_own_whether_it_is_known_or_not(
    server: Proxied, client: ClusterClient, first: str, second: str
) -> None:
    source, seen = patient(client, DEMO), []
    for line in (first, first, second):
        server.pages = dict.fromkeys(PODS, f"shop_requests_total{line}\n")
        if not second:
            with pytest.raises(MetricQueryError, match="saw the line"):
                await source.read(SIDES, since=0.0)
            return
        seen.append({one.samples[0][1] for one in (await source.read(SIDES, since=0.0)).series})

    assert seen == [{5.0}, {5.0}, {9.0}]


@pytest.mark.parametrize("value", ["5_0", "0x5", "five", ""])
async def test_a_known_line_with_a_value_that_is_none_is_an_error(
    server: Proxied, client: ClusterClient, value: str
) -> None:
    source = patient(client, DEMO)
    await source.read(SIDES, since=0.0)
    server.pages["c1"] = f'shop_requests_total{{code="500"}} {value}\n'

    with pytest.raises(MetricQueryError, match="saw the line"):
        await source.read(SIDES, since=0.0)
