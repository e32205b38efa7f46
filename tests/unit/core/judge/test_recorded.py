"""Pages and answers of the real programs, recorded: the presets read them, and give the known counts."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cd_provider.core.judge.exposition import is_openmetrics, parse_line, samples, type_of
from cd_provider.core.judge.presets import (
    DEMO,
    ENVOY,
    ISTIO_GATEWAY,
    OTEL_HTTP_SERVER,
    PRESETS,
    TRAEFIK,
    Preset,
    Ratio,
)
from cd_provider.core.judge.series import Follower, Notes, Series
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge.telling import Told, needles, tell

RECORDED = Path(__file__).parents[3] / "fixtures" / "metrics"
PAGES = sorted(RECORDED.glob("*/*.txt"))
SHOP = Sides(
    "shop", "shop-candidate", "shop",
    ("shop-candidate-599b6748db-j9gwc",),
    ("shop-974c9b96-b5qhg", "shop-974c9b96-jgt7z", "shop-974c9b96-p5l58"),
)  # fmt: skip


def told(
    page: str, preset: Preset, sides: Sides, ratio: Ratio = "errors", **where: str
) -> list[tuple[Told, float]]:
    """Everything that a page of a preset tells."""
    text = (RECORDED / preset.name / page).read_text()
    return [
        (said, one.value)
        for one in samples(text, preset.names, having=needles(preset, sides))
        if (said := tell(preset, sides, one.name, {**one.labels, **where}, ratio=ratio))
    ]


def summed(everything: list[tuple[Told, float]]) -> Counter[str]:
    found: Counter[str] = Counter()
    for said, value in everything:
        what = "requests" if said.edge is None else "timed" if said.edge == math.inf else "bucket"
        found[f"{said.side} {what}"] += int(value)
        found[f"{said.side} errors"] += int(value * said.bad)
    return found


def test_every_preset_was_recorded() -> None:
    assert {page.parent.name for page in PAGES} == set(PRESETS)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: f"{page.parent.name}/{page.name}")
def test_every_line_of_a_real_page_can_be_read(page: Path) -> None:
    text = page.read_text()
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]

    assert [parse_line(line, in_seconds=is_openmetrics(text)).name for line in lines]


@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS.keys())
def test_what_is_counted_is_a_counter_by_the_programs_own_word(preset: Preset) -> None:
    for page in sorted((RECORDED / preset.name).glob("*page*.txt")):
        kinds = {name: type_of(page.read_text(), name) for name in preset.names}

        assert set(kinds.values()) <= {"counter", "histogram"}, page


def test_contours_envoy() -> None:
    seen = summed(told("page.txt", ENVOY, SHOP, pod="envoy-1"))

    assert (seen["candidate requests"], seen["candidate errors"]) == (39, 14)
    assert (seen["stable requests"], seen["stable errors"]) == (4830, 0)
    # Envoy adds to its histograms every five seconds only: times lag behind counts.
    assert (seen["candidate timed"], seen["stable timed"]) == (20, 4638)


def test_edges_of_envoy_are_in_seconds() -> None:
    edges = sorted(one.edge for one, _ in told("page.txt", ENVOY, SHOP) if one.edge and one.side == "stable")

    assert edges[:5] == [0.0005, 0.001, 0.005, 0.01, 0.025]
    assert edges[-2:] == [3600.0, math.inf]


@pytest.mark.parametrize(
    ("service", "requests"),
    [
        pytest.param("bad", 8, id="answers of 500, four of them after three retries each"),
        pytest.param("refused", 4, id="nobody listens"),
        pytest.param("slow", 4, id="no answer in time"),
        pytest.param("none", 4, id="no pod"),
    ],
)
def test_what_fails_at_the_gateway_is_an_error_and_counts_once(service: str, requests: int) -> None:
    seen = summed(told("failures.txt", ENVOY, Sides("web", service, "nobody")))

    assert (seen["candidate requests"], seen["candidate errors"]) == (requests, requests)


@pytest.mark.parametrize(
    ("service", "requests", "errors"),
    [
        pytest.param("shop", 70, 0, id="stable"),
        pytest.param("shop-candidate", 30, 10, id="the candidate"),
        pytest.param("refused", 4, 4, id="nobody listens"),
        pytest.param("slow", 5, 0, id="three clients that went away are no errors"),
        pytest.param("empty", 0, 0, id="a Service without endpoints, which Traefik does not count"),
    ],
)
def test_traefik(service: str, requests: int, errors: int) -> None:
    everything = told("page.txt", TRAEFIK, Sides("web", service, "nobody"), pod="traefik-1")
    seen = summed(everything)

    assert (seen["candidate requests"], seen["candidate errors"]) == (requests, errors)
    assert seen["candidate timed"] == requests
    assert {one.edge for one, _ in everything if one.edge} == (
        {0.1, 0.3, 1.2, 5.0, math.inf} if requests else set()
    )
    assert (
        summed(told("page.txt", TRAEFIK, Sides("web", service, "x"), "client_errors"))["candidate errors"]
        == 0
    )


@pytest.mark.parametrize(
    ("service", "requests", "errors"),
    [
        pytest.param("shop", 68, 0, id="stable"),
        pytest.param("shop-candidate", 32, 9, id="the candidate"),
        pytest.param("refused", 4, 4, id="nobody listens"),
        pytest.param("none", 4, 4, id="no pod"),
    ],
)
def test_istios_gateway_counts_each_request_twice_and_we_once(
    service: str, requests: int, errors: int
) -> None:
    seen = summed(told("page.txt", ISTIO_GATEWAY, Sides("web", service, "nobody"), pod="gw-1"))

    assert (seen["candidate requests"], seen["candidate errors"]) == (requests, errors)
    assert seen["candidate timed"] == (requests if errors < requests else 0)


def test_the_demo() -> None:
    sides = Sides("shop", "shop-candidate", "shop", ("a",), ("b",))
    seen = summed(told("page.txt", DEMO, sides, pod="a", namespace="shop"))

    assert (seen["candidate requests"], seen["candidate errors"], seen["candidate timed"]) == (50, 16, 50)


@pytest.mark.parametrize("page", ["page.txt", "openmetrics.txt"])
def test_opentelemetry(page: str) -> None:
    sides = Sides("shop", "shop-candidate", "shop", ("a",), ("b",))
    seen = summed(told(page, OTEL_HTTP_SERVER, sides, pod="b"))
    clients = summed(told(page, OTEL_HTTP_SERVER, sides, "client_errors", pod="b"))

    # 20 to /, 3 to /items/a, 3 to /bad (503), 1 to /boom (500), 2 to what is not there; 3 probes are left out
    assert (seen["stable requests"], seen["stable errors"], seen["stable timed"]) == (29, 4, 29)
    assert clients["stable errors"] == 2


def answered(preset: Preset, sides: Sides) -> list[Series]:
    """The series of a recorded answer of Prometheus."""
    found: list[dict[str, Any]] = json.loads((RECORDED / preset.name / "prometheus.json").read_text())[
        "data"
    ]["result"]
    return [
        said.series(str(one["metric"]), tuple((float(at), float(value)) for at, value in one["values"]))
        for one in found
        if (said := tell(preset, sides, one["metric"]["__name__"], one["metric"]))
    ]


def test_of_three_generations_of_pods_two_are_told_apart_and_the_rest_left_out() -> None:
    series = answered(DEMO, SHOP)

    assert {(one.side, one.pod) for one in series} == {
        ("candidate", SHOP.candidate_pods[0]), *(("stable", pod) for pod in SHOP.stable_pods),
    }  # fmt: skip


def test_what_an_earlier_candidate_did_at_the_gateway_is_not_judged() -> None:
    """The last one had 568 requests when it went; Envoy began the next one's counters anew, at 17 and 8 errors."""
    notes, began, mine = Notes(), 1795655818.0, Counter[bool]()
    for series in (one for one in answered(ENVOY, SHOP) if one.side == "candidate" and one.edge is None):
        follower = Follower(from_zero=series.samples[0][0] > began)
        mine[series.bad] += sum(int(step.amount) for step in follower.steps(series, notes) if step.at > began)

    assert mine == {False: 17, True: 8}
    assert notes.resets == 1
