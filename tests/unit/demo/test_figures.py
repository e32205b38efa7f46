from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.demo.figures import ABORTED, PROMOTED, Evidence, ReleaseFigures, faults, measure, write_report
from tests.demo.observer import Sample, restarts, stable_of, weight_of
from tests.stack.load_record import Record, Request

RUN = {"start_date": "2026-01-01T00:00:00.000000Z", "end_date": "2026-01-01T00:01:30.500000Z"}
STABLE = {"a": 0, "b": 0, "c": 1}


def answer(at: float, version: str | None, status: int | None = 200) -> Request:
    return Request(at=at, status=status, version=version, latency_s=0.0, error=None if status else "cut off")


def seen(verdict: str, *requests: Request, weights: dict[float, int], **more: Any) -> Evidence:
    samples = [Sample(at, weight, STABLE) for at, weight in weights.items()]
    given: dict[str, Any] = {
        "version": "v9",
        "run": RUN,
        "samples": samples,
        "record": Record(requests),
        **more,
    }
    return Evidence(verdict=verdict, **given)


def figures(**changed: Any) -> ReleaseFigures:
    usual: dict[str, Any] = {
        "version": "v2", "verdict": PROMOTED, "on_traffic_s": 9.0, "requests": 7, "failed_requests": 0,
        "first_bad_to_zero_s": None, "stable_restarts": None, "dag_run_s": 9.0,
    }  # fmt: skip
    return ReleaseFigures(**{**usual, **changed})


BAD = figures(version="v3", verdict=ABORTED, stable_restarts=0)


def test_an_aborted_release_is_counted_from_its_first_user_to_its_last() -> None:
    requests = (
        answer(8, "v1"),
        answer(9.5, None, 503),  # the route was changed just before the look that saw it
        answer(10, "v9"),
        answer(11, "v9", 500),
        answer(12, None, 503),
        answer(13, "v1"),
        answer(14.5, "v9", 500),  # was under way when the weight went to 0
        answer(16, None, None),  # nobody answered, long after it
    )

    found = measure(seen(ABORTED, *requests, weights={9: 0, 10: 10, 14: 10, 14.2: 0, 20: 0}))

    assert found == ReleaseFigures(
        version="v9", verdict=ABORTED, on_traffic_s=4.0, requests=5, failed_requests=4, first_bad_to_zero_s=3.2,
        stable_restarts=0, dag_run_s=90.5,
    )  # fmt: skip


def test_what_stable_answers_after_the_verdict_is_not_the_candidates() -> None:
    requests = (answer(10, "v9"), answer(12, "v9", 500), answer(15, "v9"), answer(17, "v9"))

    found = measure(seen(PROMOTED, *requests, weights={9: 0, 10: 50, 16: 50, 17: 0}, decided_at=14.0))

    assert (found.requests, found.failed_requests) == (2, 1)
    assert (found.first_bad_to_zero_s, found.stable_restarts) == (None, None)


def test_one_that_never_got_traffic_cost_nothing() -> None:
    found = measure(seen(ABORTED, answer(10, "v1", 500), weights={9: 0, 10: 0}))

    assert (found.on_traffic_s, found.requests, found.failed_requests) == (0.0, 0, 0)
    assert found.first_bad_to_zero_s is None


@pytest.mark.parametrize(
    ("after", "count"),
    [
        pytest.param({"a": 0, "b": 0, "c": 1}, 0, id="untouched"),
        pytest.param({"a": 0, "b": 2, "c": 1}, 2, id="containers restarted"),
        pytest.param({"a": 0, "b": 0, "d": 0}, 1, id="a pod replaced"),
        pytest.param({"a": 0, "b": 0, "c": 1, "d": 0}, 0, id="one more pod is none replaced"),
    ],
)
def test_stables_pods_are_followed_by_their_identity(after: dict[str, int], count: int) -> None:
    assert restarts([Sample(1, 0, STABLE), Sample(2, 0, after)]) == count


def test_only_stables_pods_are_looked_at() -> None:
    def pod(uid: str, **labels: str) -> dict[str, Any]:
        status = {"containerStatuses": [{"restartCount": 1}, {"restartCount": 2}]}
        return {"metadata": {"uid": uid, "labels": labels}, "status": status}

    pods = {"items": [pod("a", app="shop"), pod("b", **{"cd-provider/side": "candidate"})]}

    assert stable_of(pods) == {"a": 3}


@pytest.mark.parametrize(
    ("backends", "weight"),
    [
        pytest.param([{"name": "shop"}], 0, id="no candidate"),
        pytest.param(
            [{"name": "shop", "weight": 75}, {"name": "shop-candidate", "weight": 25}], 25, id="split"
        ),
        pytest.param([{"name": "shop-candidate"}], 1, id="no weight is weight 1"),
    ],
)
def test_the_weight_is_read_off_the_route(backends: list[dict[str, Any]], weight: int) -> None:
    assert weight_of({"spec": {"rules": [{"backendRefs": backends}]}}, "shop") == weight


@pytest.mark.parametrize(
    ("releases", "word"),
    [
        pytest.param([figures(verdict=ABORTED), BAD], "v2 should have been promoted", id="good was stopped"),
        pytest.param(
            [figures(), figures(version="v3")], "v3 should have been aborted", id="bad went through"
        ),
        pytest.param([figures()], "v3 should have been aborted, but is missing", id="bad is missing"),
        pytest.param(
            [figures(), figures(version="v3", verdict=ABORTED, requests=0)],
            "never on traffic",
            id="bad was never tried",
        ),
        pytest.param(
            [figures(), figures(version="v3", verdict=ABORTED, stable_restarts=2)],
            "2 of stable's pods",
            id="stable hurt",
        ),
    ],
)
def test_whatever_does_not_go_as_it_has_to_is_told(releases: list[ReleaseFigures], word: str) -> None:
    assert word in "; ".join(faults(releases))


def test_nothing_is_told_when_all_went_well() -> None:
    assert faults([figures(), BAD]) == []


def test_the_report_has_exactly_the_documented_shape(tmp_path: Path) -> None:
    write_report(tmp_path / "report.json", [figures(), BAD], setup_s=12.345)

    written = json.loads((tmp_path / "report.json").read_text())
    assert list(written) == ["releases", "setup_s"]
    assert written["setup_s"] == 12.3
    assert [list(release) for release in written["releases"]] == 2 * [
        [
            "version", "verdict", "on_traffic_s", "requests", "failed_requests", "first_bad_to_zero_s",
            "stable_restarts", "dag_run_s",
        ]
    ]  # fmt: skip
