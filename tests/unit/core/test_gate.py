from __future__ import annotations

from typing import Any

import pytest

from cd_provider.core.gate import Gate, judges, parse_gates, promql
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.exceptions import ArgumentError

RATIO = 'sum(rate(bad{svc="$candidate"}[$window])) / sum(rate(all{svc="$candidate"}[$window]))'


def gate(**changed: Any) -> Gate:
    return Gate.parse(promql("errors", **{"query": RATIO, "max": 0.01, **changed}))


def test_requests_are_counted_by_the_denominator_of_a_ratio() -> None:
    assert gate(min_requests=10).requests_query() == '(sum(rate(all{svc="$candidate"}[$window]))) * 60'
    increase = "sum(increase(bad{s='$candidate'}[$window])) / sum(increase(all{s='$candidate'}[$window]))"
    assert (
        gate(min_requests=10, query=increase).requests_query()
        == "sum(increase(all{s='$candidate'}[$window]))"
    )
    assert (
        gate(min_requests=10, min_requests_query="count($candidate)").requests_query() == "count($candidate)"
    )
    assert gate().requests_query() is None


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        pytest.param({"max": None}, "cannot fail", id="no-bound"),
        pytest.param({"min": 2, "max": 1}, "nothing can pass", id="empty-bound"),
        pytest.param({"query": "up / 1"}, r"neither of \$candidate nor of \$pods", id="not-about-the-candidate"),
        pytest.param({"query": "$candidat"}, r"\$candidat is not known", id="unknown-placeholder"),
        pytest.param({"query": "a{c=~'5..$',s='$candidate'}"}, r"write \$\$", id="single-dollar"),
        pytest.param({"query": "sum($candidate)", "min_requests": 5}, "min_requests_query", id="nothing-counts"),
        pytest.param({"query": "rate(a{c='$candidate'}[1m])/rate(b[1m])", "min_requests": 5}, "min_requests_query",
                     id="rate-of-unknown-window"),
        pytest.param({"query": "$candidate / 100", "min_requests": 5}, "min_requests_query", id="constant"),
        pytest.param({"query": "$candidate / b + c", "min_requests": 5}, "min_requests_query", id="not-only-a-ratio"),
        pytest.param({"mode": "warn"}, "enforce, observe", id="mode"),
        pytest.param({"max": "much"}, "gate 'errors', max", id="no-number"),
        pytest.param({"max": float("nan")}, "gate 'errors', max", id="nan"),
        pytest.param({"for_s": "-1"}, "for_s", id="negative"),
        pytest.param({"every_s": 0}, "every_s", id="never"),
    ],
)  # fmt: skip
def test_a_gate_that_cannot_judge_is_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        gate(**changed)


def test_an_unknown_key_is_an_error() -> None:
    with pytest.raises(ArgumentError, match="maxx"):
        Gate.parse({**promql("errors", query=RATIO, max=1), "maxx": 2})


def test_two_gates_of_one_name_are_refused() -> None:
    one = promql("errors", query=RATIO, max=1)

    with pytest.raises(ArgumentError, match="errors"):
        parse_gates([one, one])


def test_a_gate_survives_the_way_through_json() -> None:
    one = gate(min_requests=100, for_s="5m")

    assert Gate.parse(one.as_dict()) == one


def test_judges_that_can_stop_a_canary_share_its_chance_to_be_wrong() -> None:
    """A bound has no such chance, and who only observes takes none from the others."""
    both = [
        judge("pods", preset="demo"),
        judge("gateway", preset="envoy"),
        promql("errors", query=RATIO, max=1),
    ]
    watched = [*both, judge("more", preset="demo", mode="observe")]
    alone, *_ = judges(parse_gates([both[0]]))
    pods, gateway, observed = judges(parse_gates(watched))

    assert pods.settings(max_s=1800.0).alpha == gateway.settings(max_s=1800.0).alpha == 0.03
    assert observed.settings(max_s=1800.0).alpha == alone.settings(max_s=1800.0).alpha == 0.06
    assert JudgeGate.parse(pods.as_dict()) == pods, "its record replays with the same"
