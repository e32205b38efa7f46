"""Latency buckets that are missing, few, or tell nothing: none of them passes for fast enough."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest

from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.settings import JudgeSettings
from cd_provider.core.judge.verdict import Judged
from tests.unit.core.judge.hand_made import Pod, buckets, canary, kinds, pods, verdicts
from tests.unit.core.judge.pitfalls import SPAN_S, USUAL, stable


def no_buckets(ticks: Sequence[Tick]) -> list[Tick]:
    def bare(side: dict[str, Counts]) -> dict[str, Counts]:
        return {pod: Counts(one.requests, one.errors) for pod, one in side.items()}

    return [
        replace(t, candidate=bare(dict(t.candidate)), stable=bare(dict(t.stable)), edges=()) for t in ticks
    ]


def test_without_latency_buckets_nothing_passes_unless_nobody_asked_for_latency() -> None:
    ticks = no_buckets(canary(pods(3, 5.0, 0.001), stable(), span_s=SPAN_S))

    assert kinds(ticks, None, USUAL) == ["INCONCLUSIVE no latency"]
    assert kinds(ticks, JudgeSettings(latency=False), USUAL) == ["PASS"]


def test_without_latency_buckets_errors_are_judged_all_the_same() -> None:
    ticks = no_buckets(canary(pods(3, 5.0, 0.02), stable(), span_s=SPAN_S))

    assert kinds(ticks, None, USUAL) == ["FAIL clear errors"]


@pytest.mark.parametrize("edges", [(10.0, math.inf), (0.05, 0.1, math.inf)], ids=["one", "two"])
def test_fewer_than_three_edges_do_not_tell_latency(edges: tuple[float, ...]) -> None:
    def few(per_second: float) -> list[Pod]:
        return pods(3, per_second, 0.001, edges=edges)

    ticks = canary(few(5.0), few(10.0), span_s=SPAN_S, edges=edges)

    assert kinds(ticks, None, USUAL) == ["INCONCLUSIVE no latency"]


def in_one_bucket(ours: float, theirs: float) -> list[Judged]:
    """Judge a candidate and a stable whose latencies are these times the usual."""
    return verdicts(
        canary(pods(3, 5.0, 0.001, ours), pods(3, 10.0, 0.001, theirs), span_s=SPAN_S),
        None,
        Past(requests=1e5, errors=100.0, cluster=1.0, errors_differ=(0.0,) * 3, scores_differ=(0.0,) * 3),
    )


def test_latencies_that_all_lie_beyond_the_last_edge_tell_nothing() -> None:
    (found,) = in_one_bucket(1e5, 1e5)

    assert found.reason == "no latency"
    assert "p99 over 10,000 vs over 10,000 ms" in found.line


def test_latencies_that_all_lie_in_the_first_bucket_are_fast_enough() -> None:
    (found,) = in_one_bucket(1e-4, 1e-4)

    assert found.kind == "PASS"
    assert "p99 under 5 vs under 5 ms" in found.line
    assert found.line.endswith("and a p99 beyond the first bucket excluded")


def test_who_leaves_the_first_bucket_alone_does_not_pass() -> None:
    assert "PASS" not in {one.kind for one in in_one_bucket(1.0, 1e-4)}


def test_buckets_of_the_past_that_are_others_than_today_are_not_mistaken_for_them() -> None:
    """The old version had finer buckets: by number, what was usual would lie far up in today's."""
    today = (0.05, 0.1, 0.25, 0.5, 1.0, math.inf)

    def few(per_second: float, slower: float = 1.0) -> list[Pod]:
        return pods(3, per_second, 0.001, slower, edges=today)

    healthy = canary(few(5.0), few(10.0), span_s=SPAN_S, edges=today)
    slow = canary(few(5.0, 1.5), few(10.0), span_s=SPAN_S, edges=today)

    assert len(USUAL.buckets) != len(today)
    assert kinds(healthy, None, USUAL) == ["PASS"]
    assert kinds(slow, None, USUAL) == ["FAIL clear latency"]


def test_buckets_are_those_of_the_distribution_that_they_stand_for() -> None:
    assert sum(buckets(100.0)) == pytest.approx(100.0)
    assert sum(buckets(100.0)[:5]) > 60.0
