from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.names import compact
from cd_provider.core.release import Record, Release, Target, Verdict, Verified, check_app, check_keys
from cd_provider.exceptions import ArgumentError

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
RELEASE = Release(
    app="shop", image=f"r.example/shop@{DIGEST}", digests=(DIGEST, OTHER), tag="v2", delivery="d-1", asked_at=1.5,
    dag_id="shop", run_id="manual__1", asked_by="ada", url="http://airflow/run", source_commit="abc",
)  # fmt: skip
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


def through_json(value: dict[str, Any]) -> Any:
    return json.loads(json.dumps(value))


# --- the way from task to task ------------------------------------------------------------------------------


def test_a_release_comes_back_from_json_as_it_was() -> None:
    assert Release.from_dict(through_json(RELEASE.as_dict())) == RELEASE


def test_a_target_comes_back_from_json_as_it_was() -> None:
    target = Target("deployment/shop", "web", {"kind": "gateway_api", "route": "shop"}, container="shop")

    assert Target(**through_json(target.as_dict())) == target
    assert str(target.ref) == "deployment/shop in web"


@pytest.mark.parametrize(
    "changed", [{"app": "till"}, {"image": "r.example/till@" + OTHER}, {"delivery": "d-2"}]
)
def test_another_app_image_or_delivery_is_another_release(changed: dict[str, str]) -> None:
    assert replace(RELEASE, **changed).id != RELEASE.id  # type: ignore[arg-type]


def test_a_release_is_the_same_in_every_task_and_attempt() -> None:
    assert replace(RELEASE, url=None, asked_by=None, digests=(), tag=None).id == RELEASE.id


# --- what verify hands on -----------------------------------------------------------------------------------


def test_a_pinned_text_is_its_own_proof() -> None:
    found = Verified.parse(f"r.example/shop:v2@{DIGEST}")

    assert (found.digests, found.tag) == ((DIGEST,), "v2")
    assert found.image.endswith("@" + DIGEST)


def test_the_output_of_verify_keeps_every_digest_and_the_tag() -> None:
    found = Verified.parse(
        {"image": f"r.example/shop@{DIGEST}", "digests": [OTHER], "tag": "v2", "source_commit": "abc"}
    )

    assert found == Verified(f"r.example/shop@{DIGEST}", (DIGEST, OTHER), "v2", "abc")


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("r.example/shop:v2", id="a tag alone"),
        pytest.param({"image": "r.example/shop:v2", "digests": [DIGEST]}, id="a tag alone, from a task"),
        pytest.param({}, id="nothing"),
        pytest.param(None, id="no output"),
        pytest.param("", id="rendered to nothing"),
        pytest.param(f"r.example/shop@{DIGEST[:-1]}", id="short digest"),
    ],
)
def test_what_may_have_moved_since_is_not_deployed(value: Any) -> None:
    with pytest.raises(ArgumentError, match="image"):
        Verified.parse(value)


# --- names --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["shop", "s", "shop-2", "2shop", "a" * 63])
def test_an_app_is_named_as_a_label_may_be(name: str) -> None:
    assert check_app(name) == name


@pytest.mark.parametrize("name", ["", "Shop", "shop_2", "-shop", "shop-", "a" * 64, "shop\n", "tür", None, 7])
def test_other_names_are_refused(name: Any) -> None:
    with pytest.raises(ArgumentError, match="app: saw"):
        check_app(name)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        pytest.param({"route": "shop", "rout": 1}, "unknown key 'rout'", id="unknown"),
        pytest.param({}, "route is missing", id="missing"),
        pytest.param({"route": ""}, "route is missing", id="empty"),
        pytest.param({"route": None}, "route is missing", id="null"),
        pytest.param("shop", "expected a mapping", id="no mapping"),
    ],
)
def test_a_typo_is_no_default(value: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=f"router: .*{said}"):
        check_keys(value, name="router", needed=("route",), known=("route", "port"))


def test_a_key_that_is_zero_or_false_is_there() -> None:
    assert check_keys({"route": 0}, name="router", needed=("route",), known=("route",)) == {"route": 0}


# --- what the cluster keeps ---------------------------------------------------------------------------------


def test_a_verdict_and_a_record_come_back_from_their_annotations() -> None:
    verdict = Verdict("PASS", RELEASE.id, "gates", 2, 1000.25, "errors 0.001, allowed at most 0.01: kept")
    record = Record(
        RELEASE.as_dict(), {"shop": "r.example/shop:v1"}, "promoting", 1000.25, "r.example/shop:v1"
    )

    assert Verdict.read(compact(verdict.as_dict())) == verdict
    assert Record.read(compact(record.as_dict())) == record


def test_annotations_of_before_there_were_samples_are_read() -> None:
    verdict = {"kind": "PASS", "release": "r", "gates": "g", "attempt": 1, "at": 1000.0, "line": "kept"}
    record = {"release": {}, "before": {}, "state": "promoted", "at": 1000.0, "release_before": None}

    old, was = Verdict.read(json.dumps(verdict)), Record.read(json.dumps(record))

    assert old is not None
    assert (old.passes, old.first_sample, old.seen_at, old.remark) == (True, None, 1000.0, "")
    assert was is not None
    assert was.remark == ""


@pytest.mark.parametrize(
    ("kind", "passes", "told"),
    [
        ("PASS", True, ""),
        ("OBSERVED", True, "nothing was judged"),
        ("OVERRIDE", True, "could not be judged, and was let through by ada: the metrics server burns"),
        ("FAIL", False, ""),
        ("INCONCLUSIVE", False, ""),
    ],
)
def test_what_a_promotion_went_by_is_told_beside_it(kind: str, passes: bool, told: str) -> None:
    verdict = Verdict(kind, "r", "g", 1, 1000.0, by="ada", reason="the metrics server burns")
    record = Record({}, {}, "promoted", 1000.0, verdict=verdict.as_dict())

    assert verdict.passes is passes
    assert told in record.remark
    assert bool(record.remark) is bool(told)


@pytest.mark.parametrize("kind", [Verdict, Record])
@given(value=json_values)
def test_what_is_not_ours_is_read_as_nothing(kind: type[Verdict] | type[Record], value: Any) -> None:
    assert kind.read(json.dumps(value)) is None


@pytest.mark.parametrize("kind", [Verdict, Record])
@pytest.mark.parametrize("text", [None, "", "PASS", "{", '{"kind":"PASS"}', '{"kind":"PASS","lane":1}'])
def test_a_broken_annotation_is_read_as_nothing(kind: type[Verdict] | type[Record], text: str | None) -> None:
    assert kind.read(text) is None
