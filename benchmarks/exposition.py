"""
Reading a gateway's page: from the text that Envoy shows to the numbers of two Services, once a second for half an hour.

The page is a recorded one of the demo's Envoy. A real gateway knows more Services, so the same page is read again with
the lines of all its clusters repeated under other names. The peer is the parser of Prometheus' own Python client, which
parses every line; it is no dependency of ours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from benchmarks.report import Figure, Report
from benchmarks.summary import median
from cd_provider.core.judge.exposition import parse_line, samples
from cd_provider.core.judge.presets import ENVOY
from cd_provider.core.judge.sides import Sides
from cd_provider.core.judge.telling import needles, tell

PAGE = Path(__file__).parents[1] / "tests" / "fixtures" / "metrics" / "envoy" / "page.txt"
SIDES = Sides("shop", "shop-candidate", "shop")
RUNS, SERVICES, TARGET_MS = 200, 50, 0.5
PEER = "prometheus_client"
PEERS = {"page": "peer", "large": "peer_large"}


def run(runs: int | None = None) -> Report:
    """Read the page ``runs`` times (200), the large one and by the peer a tenth as often."""
    page, large = PAGE.read_text(), grown(PAGE.read_text(), SERVICES)
    often, seldom = runs or RUNS, max(3, (runs or RUNS) // 10)
    lines = wanted(page)
    seen = {
        "wanted": timed(lambda: len([parse_line(line) for line in lines]), often),
        "page": timed(lambda: ours(page), often),
        "large": timed(lambda: ours(large), often),
        "peer": timed(lambda: theirs(page), seldom),
        "peer_large": timed(lambda: theirs(large), max(3, seldom // 10)),
    }
    return report(seen, lines={"page": page.count("\n"), "large": large.count("\n")}, series=ours(page))


def wanted(page: str) -> list[str]:
    """Give the lines of the page that a judge wants."""
    marks = needles(ENVOY, SIDES)
    lines = (line for line in page.splitlines() if any(mark in line for mark in marks))
    return [line for line in lines if line.partition("{")[0] in ENVOY.names]


def ours(page: str) -> int:
    """Read what the judge wants; give how many series that are."""
    found = samples(page, ENVOY.names, having=needles(ENVOY, SIDES))
    return sum(tell(ENVOY, SIDES, one.name, {**one.labels, "pod": "envoy"}) is not None for one in found)


def theirs(page: str) -> int:
    """Read the whole page by the peer, and take what the judge wants."""
    from prometheus_client.parser import text_string_to_metric_families

    return sum(
        tell(ENVOY, SIDES, one.name, {**one.labels, "pod": "envoy"}) is not None
        for family in text_string_to_metric_families(page)
        for one in family.samples
        if one.name in ENVOY.names
    )


def grown(page: str, services: int) -> str:
    """Repeat the lines of every cluster under other names, next to each other as Envoy has them."""
    made = []
    for line in page.splitlines():
        made.append(line)
        if 'envoy_cluster_name="shop_shop_80"' in line:
            made += [line.replace("shop_shop_80", f"team_service-{number}_80") for number in range(services)]
    return "\n".join(made) + "\n"


def timed(read: Callable[[], int], times: int) -> list[float]:
    """Milliseconds of CPU of each reading; the first one, which fills caches, is left out."""
    read()
    took = []
    for _ in range(times):
        began = time.thread_time()
        read()
        took.append((time.thread_time() - began) * 1000)
    return took


def report(seen: Mapping[str, list[float]], *, lines: Mapping[str, int], series: int) -> Report:
    """Make the figures."""

    def figure(key: str, label: str) -> Figure:
        mine, peers = median(seen[key]), median(seen[PEERS[key]])
        return Figure(key=f"{key}_ms", label=label, value=mine, unit="ms", beside={PEER: [peers, peers]})

    small, large = lines["page"], lines["large"]
    return Report(
        name="exposition",
        title="A gateway's page → the series of two Services",
        figures=[
            Figure(key="series", label="series wanted", value=series, unit="", at_least=1),
            Figure(
                key="wanted_ms", label=f"their {series} lines parsed, median of CPU time", unit="ms",
                value=median(seen["wanted"]), at_most=TARGET_MS,
            ),
            figure("page", f"a page of {small} lines, found and parsed, median of CPU time"),
            figure("large", f"a page of {large} lines, the same"),
            Figure(
                key="ratio", label=f"times as fast as {PEER}, a page of {small} lines", unit="",
                value=median(seen["peer"]) / median(seen["page"]),
            ),
        ],
        samples=[{key: took} for key, took in seen.items()],
        settings={"services": SERVICES, "page": PAGE.name},
        notes=[f"{PEER} gives every line of the page; a judge wants {series} of them."],
    )  # fmt: skip
