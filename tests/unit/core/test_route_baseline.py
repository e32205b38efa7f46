"""A third backend in an HTTPRoute: the baseline beside the candidate; and who it is when others have its name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.names import ROUTE_BASELINE
from cd_provider.core.route import Sides, check_route, read_weights
from cd_provider.core.route_patch import is_touched, reset_patch, shift_patch
from cd_provider.core.traffic import ALL_STABLE, Weights
from cd_provider.exceptions import RouteError
from tests.unit.core.test_route import RULES, patched, ref, route, rule

PLAIN = Sides("shop", "shop", "shop-candidate")
KNOWN = replace(PLAIN, baseline="shop-baseline")
FRESH = replace(KNOWN, fresh=True)


def shifted(before: dict[str, Any], weights: Weights, sides: Sides = FRESH) -> dict[str, Any]:
    return patched(before, shift_patch(before, sides, weights))


def backends(found: dict[str, Any], index: int = 0) -> list[tuple[str, int | None]]:
    return [(one["name"], one.get("weight")) for one in found["spec"]["rules"][index]["backendRefs"]]


@pytest.mark.parametrize("share", [1, 5, 33, 50])
def test_candidate_and_baseline_get_the_same_and_stable_the_rest(share: int) -> None:
    after = shifted(route(rule(ref("shop", port=81))), Weights.of(share, fresh=True))

    assert backends(after) == [("shop", 100 - 2 * share), ("shop-candidate", share), ("shop-baseline", share)]
    assert {one["port"] for one in after["spec"]["rules"][0]["backendRefs"]} == {81}
    assert read_weights(after, FRESH) == Weights(100 - 2 * share, share, share)


def test_both_are_backends_before_their_first_request() -> None:
    after = shifted(route(rule(ref("shop"))), ALL_STABLE)

    assert backends(after) == [("shop", 100), ("shop-candidate", 0), ("shop-baseline", 0)]
    assert read_weights(after, FRESH) == ALL_STABLE


def test_a_share_of_the_baseline_alone_is_not_all_of_stables() -> None:
    found = route(rule(ref("shop", 90), ref("shop-candidate", 0), ref("shop-baseline", 10)))

    assert read_weights(found, KNOWN) == Weights(90, 0, 10)


@pytest.mark.parametrize(
    "sides", [PLAIN, KNOWN, FRESH], ids=["by its mark", "by its Service", "by the order"]
)
def test_off_is_off_for_both_and_reset_leaves_the_route_as_its_owner_wrote_it(sides: Sides) -> None:
    before = route(rule(ref("shop", 7)), rule(ref("other"), path="/o"), rule(ref("shop"), path="/b"))
    during = shifted(before, Weights.of(25, fresh=True))

    off = shifted(during, ALL_STABLE, sides)
    after = patched(off, reset_patch(off, sides))

    for index in (0, 2):
        assert backends(off, index) == [("shop", 100), ("shop-candidate", 0), ("shop-baseline", 0)]
    assert after["spec"] == before["spec"]
    assert not after["metadata"].get("annotations")
    assert not is_touched(after, FRESH)


def test_its_mark_may_be_lost_while_its_service_is_known() -> None:
    during = shifted(route(rule(ref("shop"))), Weights.of(25, fresh=True))
    del during["metadata"]["annotations"][ROUTE_BASELINE]

    off = shifted(during, ALL_STABLE, KNOWN)

    assert backends(off) == [("shop", 100), ("shop-candidate", 0), ("shop-baseline", 0)]
    assert backends(patched(off, reset_patch(off, KNOWN))) == [("shop", None)]


def test_a_rule_that_others_added_meanwhile_gets_both() -> None:
    during = shifted(route(rule(ref("shop"))), Weights.of(25, fresh=True))
    during["spec"]["rules"].append(rule(ref("shop"), path="/new"))

    assert read_weights(during, FRESH) != Weights.of(25, fresh=True)
    after = shifted(during, Weights.of(25, fresh=True))

    assert backends(after, 1) == [("shop", 50), ("shop-candidate", 25), ("shop-baseline", 25)]


def test_a_baseline_that_others_took_out_is_put_back() -> None:
    during = shifted(route(rule(ref("shop"))), Weights.of(25, fresh=True))
    del during["spec"]["rules"][0]["backendRefs"][2]

    after = shifted(during, Weights.of(25, fresh=True))

    assert backends(after) == [("shop", 50), ("shop-candidate", 25), ("shop-baseline", 25)]


def test_its_share_goes_to_stable_while_the_candidate_keeps_its_own() -> None:
    during = shifted(route(rule(ref("shop"))), Weights.of(50, fresh=True))

    after = shifted(during, Weights.of(50), KNOWN)

    assert backends(after) == [("shop", 50), ("shop-candidate", 50), ("shop-baseline", 0)]


def test_somebody_elses_service_of_that_name_is_a_stranger_as_before() -> None:
    found = route(rule(ref("shop", 50), ref("shop-baseline", 50)))

    with pytest.raises(RouteError, match="backends shop-baseline"):
        check_route(found, PLAIN)
    with pytest.raises(RouteError, match="backends shop-baseline"):
        shift_patch(found, PLAIN, Weights(90, 10))
    assert not is_touched(found, PLAIN)


def test_without_a_baseline_nothing_of_it_is_written() -> None:
    before = route(rule(ref("shop")))

    after = shifted(before, Weights(90, 10), PLAIN)

    assert backends(after) == [("shop", 90), ("shop-candidate", 10)]
    assert ROUTE_BASELINE not in after["metadata"]["annotations"]


@given(RULES, st.lists(st.integers(0, 50), min_size=1, max_size=4))
def test_any_row_of_shifts_of_both_is_read_back_and_undone(before: dict[str, Any], shares: list[int]) -> None:
    now = before
    for share in shares:
        now = shifted(now, Weights.of(share, fresh=True))
        assert read_weights(now, FRESH) == Weights.of(share, fresh=True)

    after = patched(now, reset_patch(now, PLAIN))

    assert after["spec"] == before["spec"]
    assert not is_touched(after, FRESH)
