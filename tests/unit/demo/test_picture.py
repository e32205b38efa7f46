from __future__ import annotations

from pathlib import Path

from tests.demo.figures import ABORTED, PROMOTED
from tests.demo.observer import Sample
from tests.demo.picture import draw, weight_steps
from tests.stack.load_record import Request
from tests.unit.demo.test_figures import answer, seen

REQUESTS: list[Request] = [
    answer(float(at), "v9" if at % 5 == 0 else "v1", 500 if at == 15 else 200) for at in range(40)
]
WEIGHTS = {float(at): 10 if 10 <= at < 20 else 0 for at in range(40)}


def test_the_weight_is_drawn_where_it_changes() -> None:
    samples = [Sample(float(at), weight, {}) for at, weight in enumerate([0, 0, 10, 10, 50, 0])]

    assert weight_steps(samples) == [(0.0, 0), (2.0, 10), (4.0, 50), (5.0, 0)]


def test_a_picture_shows_both_deliveries_their_verdicts_and_the_bound(tmp_path: Path) -> None:
    good = seen(PROMOTED, *REQUESTS, weights=WEIGHTS, decided_at=18.0)
    bad = seen(ABORTED, *REQUESTS, weights=WEIGHTS, decided_at=17.0)

    draw(tmp_path / "canary.svg", [good, bad], bound=0.1)

    written = (tmp_path / "canary.svg").read_text()
    for text in (
        "verdict: pass",
        "verdict: fail",
        "allowed of the candidate: 10 %",
        "share of all requests [%]",
    ):
        assert f"<!-- {text} -->" in written


def test_a_delivery_without_traffic_or_verdict_can_be_drawn(tmp_path: Path) -> None:
    draw(tmp_path / "none.svg", [seen(ABORTED, *REQUESTS, weights=dict.fromkeys(WEIGHTS, 0))], bound=0.1)

    assert (tmp_path / "none.svg").stat().st_size > 10_000
