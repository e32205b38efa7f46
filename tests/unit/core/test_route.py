"""An HTTPRoute's JSON: what can be split, how it is read, and the patches that move it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.route import Sides, check_route, find_service, read_weights
from cd_provider.core.route_patch import ROUTE_BEFORE, is_touched, reset_patch, shift_patch
from cd_provider.core.route_status import refusal, unresolved_parents, unsettled
from cd_provider.core.traffic import ALL_STABLE, Weights
from cd_provider.exceptions import RouteError

SIDES = Sides("shop", "shop", "shop-candidate")
EDGE = {"name": "edge", "namespace": "gateway"}
CONTROLLER = "example.com/controller"


def ref(name: str, weight: int | None = None, **more: Any) -> dict[str, Any]:
    return {"name": name, "port": 80, **({} if weight is None else {"weight": weight}), **more}


def rule(*refs: dict[str, Any], path: str = "/", **more: Any) -> dict[str, Any]:
    return {"matches": [{"path": {"type": "PathPrefix", "value": path}}], "backendRefs": list(refs), **more}


def route(*rules: dict[str, Any], generation: int = 3, **meta: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": "shop", "namespace": "shop", "generation": generation, **meta},
        "spec": {"parentRefs": [EDGE], "rules": list(rules)},
    }


def patched(before: dict[str, Any], operations: list[dict[str, Any]]) -> dict[str, Any]:
    """Apply a JSON patch of the few forms that we write; a test that fails is an error."""
    after = copy.deepcopy(before)
    for operation in operations:
        *parents, last = [part.replace("~1", "/") for part in operation["path"].split("/")[1:]]
        target: Any = after
        for part in parents:
            target = target[int(part)] if isinstance(target, list) else target[part]
        match operation["op"]:
            case "test":
                assert target.get(last) == operation["value"]
            case "remove":
                del target[last]
            case "replace":
                assert last in target
                target[last] = operation["value"]
            case "add":
                target[last] = operation["value"]
    if operations:
        after["metadata"]["generation"] += 1
    return after


def weights_of(found: dict[str, Any]) -> list[dict[str, int]]:
    return [
        {one["name"]: one.get("weight", 1) for one in each.get("backendRefs", [])}
        for each in found["spec"]["rules"]
    ]


# --- can it be split? ---------------------------------------------------------------------------------------


UNSPLITTABLE = [
    pytest.param(route(rule(ref("other"))), "no rule names the Service shop", id="names another Service"),
    pytest.param(route(), "saw no backends", id="has no rules"),
    pytest.param(
        route(rule(ref("shop"), ref("legacy"), path="/a")), r"rule 1 \(/a\).*legacy", id="has another backend"
    ),
    pytest.param(route(rule(ref("shop"), ref("shop", port=81))), "names shop twice", id="names stable twice"),
    pytest.param(route(rule(ref("shop", namespace="else"))), "no rule names", id="a namesake elsewhere"),
    pytest.param(route(rule(ref("shop", kind="Bucket"))), "no rule names", id="a namesake of another kind"),
    pytest.param(route(rule(ref("shop", group="x.io"))), "no rule names", id="a namesake of another group"),
    pytest.param(
        route(rule(ref("shop")), rule(ref("shop"), ref("b"), name="beta")), r"rule 2 \(beta\)", id="second"
    ),
]


@pytest.mark.parametrize(("found", "said"), UNSPLITTABLE)
def test_a_route_that_cannot_be_split_is_refused(found: dict[str, Any], said: str) -> None:
    with pytest.raises(RouteError, match=said):
        check_route(found, SIDES)
    with pytest.raises(RouteError, match=said):
        shift_patch(found, SIDES, Weights(90, 10))
    with pytest.raises(RouteError, match=said):
        shift_patch(found, SIDES, ALL_STABLE)


def test_rules_of_others_do_not_matter() -> None:
    redirect = {"filters": [{"type": "RequestRedirect"}]}

    check_route(route(redirect, rule(ref("a"), ref("b")), rule(ref("shop", namespace="shop"))), SIDES)


def service(name: str, selector: dict[str, str] | None) -> dict[str, Any]:
    return {"metadata": {"name": name, "namespace": "shop"}, "spec": {"selector": selector}}


def test_stables_service_selects_its_pods_and_is_named_by_the_route() -> None:
    services = [
        service("shop", {"app": "shop"}),
        service("admin", {"app": "shop"}),  # selects, is not named
        service("front", {"app": "front"}),  # is named, does not select
        service("manual", None),
    ]
    found = route(rule(ref("front"), path="/"), rule(ref("shop"), path="/shop"), rule(ref("manual")))

    assert find_service(found, services, {"app": "shop", "tier": "web"}) == "shop"


@pytest.mark.parametrize(
    ("names", "said"),
    [
        pytest.param(["shop", "admin"], "several Services.*admin, shop.*service=", id="several"),
        pytest.param(["front"], "names front; the workload's pods are selected by admin, shop", id="none"),
    ],
)
def test_a_service_that_cannot_be_told_has_to_be_named(names: list[str], said: str) -> None:
    services = [
        service("shop", {"app": "shop"}),
        service("admin", {"app": "shop"}),
        service("front", {"app": "f"}),
    ]

    with pytest.raises(RouteError, match=said):
        find_service(route(*(rule(ref(name)) for name in names)), services, {"app": "shop"})


# --- how is it split? ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([rule(ref("shop"))], ALL_STABLE, id="the candidate is no backend"),
        pytest.param([rule(ref("shop", 0))], ALL_STABLE, id="stable parked by its owner"),
        pytest.param([rule(ref("shop", 95), ref("shop-candidate", 5))], Weights(95, 5), id="split"),
        pytest.param([rule(ref("shop", 3), ref("shop-candidate", 1))], Weights(75, 25), id="in other units"),
        pytest.param(
            [rule(ref("shop"), ref("shop-candidate"))], Weights(50, 50), id="weight 1 is the default"
        ),
        pytest.param(
            [rule(ref("shop", 999), ref("shop-candidate", 1))], Weights(99, 1), id="little is not none"
        ),
        pytest.param([rule(ref("shop", 1), ref("shop-candidate", 999))], Weights(1, 99), id="nor much all"),
        pytest.param([rule(ref("shop-candidate", 7))], Weights(0, 100), id="stable was taken out by others"),
        pytest.param(
            [rule(ref("shop", 95), ref("shop-candidate", 5)), rule(ref("x")), rule(ref("shop"))],
            Weights(100, 5),
            id="rules that disagree",
        ),
    ],
)
def test_the_split_is_read_from_the_weights(rules: list[dict[str, Any]], expected: Weights) -> None:
    assert read_weights(route(*rules), SIDES) == expected


# --- moving it ----------------------------------------------------------------------------------------------


def test_the_candidate_is_added_to_every_rule_that_names_stable() -> None:
    filters = [{"type": "RequestHeaderModifier"}]
    mine = ref("shop", group="", kind="Service", filters=filters)
    before = route(
        rule(mine, path="/a", timeouts={"request": "3s"}), rule(ref("x"), path="/b"), rule(ref("shop"))
    )

    after = patched(before, shift_patch(before, SIDES, Weights(90, 10)))

    assert weights_of(after) == [
        {"shop": 90, "shop-candidate": 10},
        {"x": 1},
        {"shop": 90, "shop-candidate": 10},
    ]
    assert after["spec"]["rules"][0]["backendRefs"] == [
        {**mine, "weight": 90},
        {**mine, "name": "shop-candidate", "weight": 10},
    ]
    for key in ("matches", "timeouts"):
        assert after["spec"]["rules"][0][key] == before["spec"]["rules"][0][key]
    assert after["spec"]["rules"][1] == before["spec"]["rules"][1]


def test_a_shift_tests_what_was_read_before_it_writes() -> None:
    operations = shift_patch(route(rule(ref("shop", 100), ref("shop-candidate", 0))), SIDES, Weights(50, 50))

    assert operations == [
        {"op": "test", "path": "/metadata/generation", "value": 3},
        {
            "op": "test",
            "path": "/spec/rules/0/backendRefs",
            "value": [ref("shop", 100), ref("shop-candidate", 0)],
        },
        {
            "op": "replace",
            "path": "/spec/rules/0/backendRefs",
            "value": [ref("shop", 50), ref("shop-candidate", 50)],
        },
    ]


def test_the_same_shift_again_writes_nothing() -> None:
    before = route(rule(ref("shop")))
    once = patched(before, shift_patch(before, SIDES, Weights(95, 5)))

    assert shift_patch(once, SIDES, Weights(95, 5)) == []


def test_other_annotations_of_the_route_stay() -> None:
    before = route(rule(ref("shop")), annotations={"team": "x"})

    after = patched(before, shift_patch(before, SIDES, ALL_STABLE))

    assert after["metadata"]["annotations"]["team"] == "x"
    assert ROUTE_BEFORE in after["metadata"]["annotations"]
    assert patched(after, reset_patch(after, SIDES))["metadata"]["annotations"] == {"team": "x"}


def test_drift_is_mended_by_the_next_shift() -> None:
    before = route(
        rule(ref("shop", 40), ref("shop-candidate", 60), path="/a"),
        rule(ref("shop"), path="/b"),
        rule(ref("shop-candidate", 1), path="/c"),
    )

    after = patched(before, shift_patch(before, SIDES, Weights(95, 5)))

    assert weights_of(after) == [{"shop": 95, "shop-candidate": 5}] * 3


def test_traffic_comes_off_although_others_made_the_route_unsplittable() -> None:
    before = route(
        rule(ref("shop", 90), ref("shop-candidate", 10), ref("legacy", 7), path="/a"),
        rule(ref("shop-candidate", 10), path="/b"),
        rule(ref("shop"), ref("legacy"), path="/c"),
    )

    after = patched(before, shift_patch(before, SIDES, ALL_STABLE))

    assert weights_of(after) == [
        {"shop": 100, "shop-candidate": 0, "legacy": 7},
        {"shop": 100, "shop-candidate": 0},
        {"shop": 1, "legacy": 1},
    ]


def test_reset_gives_each_rule_its_own_weight_back_even_when_rules_moved() -> None:
    before = route(
        rule(ref("shop", 7), path="/a"), rule(ref("shop"), path="/b"), rule(ref("shop", 0), path="/c")
    )
    shifted = patched(before, shift_patch(before, SIDES, Weights(50, 50)))
    shifted["spec"]["rules"].insert(0, rule(ref("x"), path="/new"))

    after = patched(shifted, reset_patch(shifted, SIDES))

    assert after["spec"]["rules"][1:] == before["spec"]["rules"]
    assert ROUTE_BEFORE not in after["metadata"]["annotations"]
    assert not is_touched(after, SIDES)


def test_reset_of_an_untouched_route_writes_nothing() -> None:
    assert reset_patch(route(rule(ref("shop", 7)), rule(ref("a"), ref("b"))), SIDES) == []
    assert reset_patch(route(rule(ref("other"))), SIDES) == []


def test_reset_mends_a_route_from_which_others_took_the_candidate() -> None:
    before = route(rule(ref("shop", 1)))
    shifted = patched(before, shift_patch(before, SIDES, Weights(95, 5)))
    shifted["spec"]["rules"][0]["backendRefs"].pop()

    after = patched(shifted, reset_patch(shifted, SIDES))

    assert after["spec"] == before["spec"]


def test_reset_of_a_candidate_without_our_note_takes_it_out_all_the_same() -> None:
    before = route(rule(ref("shop", 95), ref("shop-candidate", 5)), annotations={ROUTE_BEFORE: "no JSON"})

    after = patched(before, reset_patch(before, SIDES))

    assert weights_of(after) == [{"shop": 1}]


RULES = st.lists(
    st.builds(
        lambda weight, others, path: (
            rule(ref("shop", weight), path=path) if not others else rule(ref("x"), path=path)
        ),
        st.one_of(st.none(), st.integers(0, 1000)),
        st.booleans(),
        st.sampled_from(["/", "/a", "/b"]),
    ),
    max_size=5,
).map(lambda rules: route(*rules, rule(ref("shop"), path="/last")))


@given(RULES, st.lists(st.integers(0, 100), min_size=1, max_size=4))
def test_any_row_of_shifts_is_read_back_and_undone(before: dict[str, Any], shares: list[int]) -> None:
    now = before
    for share in shares:
        now = patched(now, shift_patch(now, SIDES, Weights.of(share)))
        assert read_weights(now, SIDES) == Weights.of(share)

    after = patched(now, reset_patch(now, SIDES))

    assert after["spec"] == before["spec"]
    assert not is_touched(after, SIDES)


# --- has the gateway taken it? ------------------------------------------------------------------------------


def condition(kind: str, generation: int, *, ok: bool = True) -> dict[str, Any]:
    status, reason = ("True", kind) if ok else ("False", "BackendNotFound")
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": "words",
        "observedGeneration": generation,
    }


def reported(*conditions: dict[str, Any], parent: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"parentRef": parent or EDGE, "controllerName": CONTROLLER, "conditions": list(conditions)}


def settled(*parents: dict[str, Any]) -> dict[str, Any]:
    return {**route(rule(ref("shop"))), "status": {"parents": list(parents)}}


@pytest.mark.parametrize(
    ("parents", "said"),
    [
        pytest.param([], "no gateway has reported", id="nobody reported"),
        pytest.param([reported()], "Accepted", id="a gateway without conditions"),
        pytest.param([reported(condition("Accepted", 2))], "generation 3", id="an older generation"),
        pytest.param(
            [reported(condition("Accepted", 3), condition("ResolvedRefs", 2))], "ResolvedRefs", id="half-way"
        ),
        pytest.param(
            [reported(condition("Accepted", 3), condition("ResolvedRefs", 3, ok=False))],
            "BackendNotFound",
            id="refs",
        ),
        pytest.param(
            [reported(condition("Accepted", 3), parent={"name": "gone"})],
            "no gateway",
            id="a parent of the past",
        ),
    ],
)
def test_a_split_is_not_in_force_before_every_gateway_said_so(
    parents: list[dict[str, Any]], said: str
) -> None:
    assert said in "; ".join(unsettled(settled(*parents), ignore_refs_of=frozenset()))


def test_a_newer_generation_settles_an_older_one() -> None:
    found = settled(reported(condition("Accepted", 4), condition("ResolvedRefs", 3)))

    assert unsettled(found, ignore_refs_of=frozenset()) == []


def test_a_missing_backend_holds_nobody_up_who_takes_traffic_off() -> None:
    found = settled(reported(condition("Accepted", 3), condition("ResolvedRefs", 3, ok=False)))

    assert unsettled(found) == []
    assert unsettled(found, ignore_refs_of=unresolved_parents(found)) == []


def test_one_gateway_that_accepts_is_enough() -> None:
    second = {"name": "inner", "namespace": "gateway"}
    refused = reported(condition("Accepted", 3, ok=False))
    found = settled(refused, reported(condition("Accepted", 3), parent=second))
    found["spec"]["parentRefs"].append(second)

    assert refusal(found) is None
    assert "refused by every gateway" in (refusal(settled(refused)) or "")
