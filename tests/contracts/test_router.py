"""What every TrafficRouter must do: the fake, and an HTTPRoute on a real gateway."""

from __future__ import annotations

import asyncio
import json
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cd_provider.adapters.routers import find_stable_service, known, open_router, read_marks
from cd_provider.adapters.routers.gateway_api import GatewayApiRouter
from cd_provider.adapters.workloads import open_candidate
from cd_provider.core.names import BASELINE, CANDIDATE
from cd_provider.core.ports import TrafficRouter
from cd_provider.core.route_patch import ROUTE_BEFORE
from cd_provider.core.traffic import ALL_STABLE, Weights
from cd_provider.exceptions import (
    ArgumentError,
    ClusterConflictError,
    ClusterNotFoundError,
    RouteError,
    TransientError,
)
from tests.contracts.conftest import Deployed, Shop, open_shop
from tests.fakes import FakeRouter
from tests.stack.load import Load
from tests.stack.shop import deploy_shop

if TYPE_CHECKING:
    from tests.stack import Stack

ROUTE = {"kind": "gateway_api", "route": "shop"}
HALF = Weights(50, 50)


@dataclass(frozen=True)
class Case:
    """A router with a candidate behind it, and somebody who meddles: gives the candidate this share."""

    router: TrafficRouter
    drift: Callable[[int], None]


def real_router(shop: Shop) -> GatewayApiRouter:
    return GatewayApiRouter(shop.client, namespace=shop.namespace, route="shop", stable_service="shop")


async def add_candidate(shop: Shop, image: str, *, replicas: int = 1, side: str = CANDIDATE) -> None:
    candidate = open_candidate(shop.client, shop.ref, service="shop", app="shop", side=side)
    generation = await candidate.apply(images={"shop": image}, replicas=replicas, annotations={})
    async with asyncio.timeout(30):
        while not (state := await candidate.state()) or (state.observed, state.ready) != (
            generation,
            replicas,
        ):
            await asyncio.sleep(0.05)


@pytest.fixture
def deployed(stack: Stack, standing: Deployed, v1: str) -> Iterator[Deployed]:
    """Share one shop, each test with a route of its own."""
    deploy_shop(stack, standing.namespace, v1, replicas=1)
    yield standing
    stack.kubectl("delete", "httproute", "shop", "-n", standing.namespace)


@pytest.fixture(params=["fake", "gateway_api"])
async def case(request: pytest.FixtureRequest) -> AsyncIterator[Case]:
    if request.param == "fake":
        fake = FakeRouter()
        yield Case(fake, lambda share: setattr(fake, "split", Weights.of(share)))
        return
    image = request.getfixturevalue("v2")
    async with open_shop(request.getfixturevalue("stack"), request.getfixturevalue("deployed")) as shop:
        await add_candidate(shop, image)
        yield Case(real_router(shop), lambda share: meddle(shop, share))


def meddle(shop: Shop, share: int) -> None:
    weights = (("shop", 100 - share), ("shop-candidate", share))
    refs = [{"name": name, "port": 80, "weight": weight} for name, weight in weights]
    shop.patch(
        "httproute", [{"op": "replace", "path": "/spec/rules/0/backendRefs", "value": refs}], how="json"
    )


async def test_before_the_candidate_is_a_backend_all_is_stables(case: Case) -> None:
    assert await case.router.weights() == ALL_STABLE


async def test_a_shift_is_read_back_and_may_be_repeated(case: Case) -> None:
    for weights in (ALL_STABLE, Weights(95, 5), Weights(95, 5), HALF, Weights(0, 100), ALL_STABLE):
        await case.router.shift(weights)

        assert await case.router.weights() == weights


async def test_drift_made_by_others_is_seen_and_repaired(case: Case) -> None:
    await case.router.shift(Weights(95, 5))
    case.drift(60)

    assert await case.router.weights() == Weights(40, 60)
    await case.router.shift(Weights(95, 5))

    assert await case.router.weights() == Weights(95, 5)


async def test_reset_may_come_at_any_time_and_again(case: Case) -> None:
    await case.router.reset()
    await case.router.shift(HALF)
    await case.router.reset()
    await case.router.reset()

    assert await case.router.weights() == ALL_STABLE


async def test_a_route_is_clean_before_the_first_shift_and_after_a_reset_and_not_in_between(
    case: Case,
) -> None:
    assert await case.router.clean()
    await case.router.shift(ALL_STABLE)
    assert not await case.router.clean()
    await case.router.reset()
    assert await case.router.clean()


# --- a baseline beside the candidate ------------------------------------------------------------------------


@pytest.fixture(params=["fake", "gateway_api"])
async def three(request: pytest.FixtureRequest) -> AsyncIterator[TrafficRouter]:
    """A router with a candidate and a baseline behind it."""
    if request.param == "fake":
        yield FakeRouter()
        return
    v1, v2 = (request.getfixturevalue(name) for name in ("v1", "v2"))
    async with open_shop(request.getfixturevalue("stack"), request.getfixturevalue("deployed")) as shop:
        await add_candidate(shop, v2)
        await add_candidate(shop, v1, side=BASELINE)
        yield open_router(
            shop.client, shop.namespace, ROUTE, stable="shop", candidate="shop-candidate", baseline="shop-baseline",
            fresh=True,
        )  # fmt: skip


async def test_a_shift_of_three_is_read_back_and_may_be_repeated(three: TrafficRouter) -> None:
    shares = (Weights(90, 5, 5), Weights(90, 5, 5), Weights(0, 50, 50), Weights(50, 50, 0), ALL_STABLE)
    for weights in (ALL_STABLE, *shares):
        await three.shift(weights)

        assert await three.weights() == weights


async def test_a_reset_takes_all_three_apart_again(three: TrafficRouter) -> None:
    await three.shift(Weights(50, 25, 25))
    assert not await three.clean()

    await three.reset()

    assert await three.weights() == ALL_STABLE
    assert await three.clean()


# --- the HTTPRoute itself ----------------------------------------------------------------------------------


async def test_reset_leaves_the_route_as_its_owner_wrote_it(shop: Shop, v2: str) -> None:
    owner = {"op": "add", "path": "/spec/rules/0/backendRefs/0/weight", "value": 7}
    shop.patch("httproute", [owner], how="json")
    before = shop.read("httproute")
    await add_candidate(shop, v2)
    router = real_router(shop)

    await router.shift(Weights(95, 5))
    assert ROUTE_BEFORE in shop.read("httproute")["metadata"]["annotations"]
    await router.reset()

    after = shop.read("httproute")
    assert after["spec"] == before["spec"]
    assert after["metadata"].get("annotations") == before["metadata"].get("annotations")


async def test_everything_else_of_the_route_stays(shop: Shop, v2: str) -> None:
    headers = {
        "type": "RequestHeaderModifier",
        "requestHeaderModifier": {"add": [{"name": "x-a", "value": "1"}]},
    }
    rules = [
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/api"}}],
            "filters": [headers],
            "timeouts": {"request": "5s"},
            "backendRefs": [{"name": "shop", "port": 80}],
        },
        {
            "matches": [{"path": {"type": "PathPrefix", "value": "/old"}}],
            "filters": [{"type": "RequestRedirect", "requestRedirect": {"statusCode": 301}}],
        },
        {"backendRefs": [{"name": "shop", "port": 80}]},
    ]
    shop.patch("httproute", {"spec": {"rules": rules}})
    before = shop.read("httproute")["spec"]
    await add_candidate(shop, v2)
    router = real_router(shop)

    await router.shift(Weights(90, 10))

    during = shop.read("httproute")["spec"]
    named = [
        [(ref["name"], ref["weight"]) for ref in rule.get("backendRefs", [])] for rule in during["rules"]
    ]
    assert named == [[("shop", 90), ("shop-candidate", 10)], [], [("shop", 90), ("shop-candidate", 10)]]
    for rule in (*before["rules"], *during["rules"]):
        rule.pop("backendRefs", None)
    assert during == before


async def test_rules_that_disagree_are_seen_and_repaired(shop: Shop, v2: str) -> None:
    await add_candidate(shop, v2)
    router = real_router(shop)
    await router.shift(Weights(95, 5))
    second = {"matches": [{"path": {"value": "/b"}}], "backendRefs": [{"name": "shop", "port": 80}]}
    shop.patch("httproute", [{"op": "add", "path": "/spec/rules/-", "value": second}], how="json")

    assert await router.weights() not in (Weights(95, 5), ALL_STABLE)
    await router.shift(Weights(95, 5))

    assert await router.weights() == Weights(95, 5)


async def test_traffic_comes_off_although_somebody_added_a_backend(shop: Shop, v2: str) -> None:
    await add_candidate(shop, v2)
    router = real_router(shop)
    await router.shift(HALF)
    legacy = {"name": "legacy", "port": 80, "weight": 1}
    shop.patch(
        "httproute", [{"op": "add", "path": "/spec/rules/0/backendRefs/-", "value": legacy}], how="json"
    )

    with pytest.raises(RouteError, match="legacy"):
        await router.shift(Weights(40, 60))
    await router.shift(ALL_STABLE)

    assert await router.weights() == ALL_STABLE
    refs = shop.read("httproute")["spec"]["rules"][0]["backendRefs"]
    assert [(ref["name"], ref["weight"]) for ref in refs] == [
        ("shop", 100),
        ("shop-candidate", 0),
        ("legacy", 1),
    ]


async def test_a_route_that_cannot_be_split_is_left_alone(shop: Shop) -> None:
    other = {"name": "other", "port": 80}
    shop.patch(
        "httproute", [{"op": "add", "path": "/spec/rules/0/backendRefs/-", "value": other}], how="json"
    )
    before = shop.read("httproute")
    router = real_router(shop)

    with pytest.raises(RouteError, match=r"rule 1.*other"):
        await router.weights()
    with pytest.raises(RouteError, match=r"rule 1.*other"):
        await router.shift(ALL_STABLE)

    assert shop.read("httproute")["spec"] == before["spec"]


async def test_a_route_that_is_not_there(shop: Shop) -> None:
    router = GatewayApiRouter(shop.client, namespace=shop.namespace, route="gone", stable_service="shop")

    with pytest.raises(ClusterNotFoundError, match="gone"):
        await router.weights()
    with pytest.raises(ClusterNotFoundError, match="gone"):
        await router.shift(HALF)
    await router.reset()


async def test_a_route_that_no_gateway_serves_is_never_in_force(shop: Shop) -> None:
    shop.patch("httproute", {"spec": {"parentRefs": [{"name": "nobody"}]}})
    router = GatewayApiRouter(
        shop.client, namespace=shop.namespace, route="shop", stable_service="shop", settle_s=0.3
    )

    with pytest.raises(TransientError, match="not in force"):
        await router.shift(ALL_STABLE)


async def test_a_candidate_without_a_service_gets_no_traffic_unnoticed(shop: Shop) -> None:
    router = GatewayApiRouter(
        shop.client, namespace=shop.namespace, route="shop", stable_service="shop", settle_s=0.5
    )

    with pytest.raises(TransientError, match="shop-candidate"):
        await router.shift(ALL_STABLE)
    await router.reset()

    assert await router.weights() == ALL_STABLE


async def test_a_write_between_read_and_patch_is_not_overwritten(shop: Shop, v2: str) -> None:
    await add_candidate(shop, v2)
    router = real_router(shop)
    await router.shift(Weights(95, 5))
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{shop.namespace}/httproutes/shop"
    stale = [{"op": "test", "path": "/metadata/generation", "value": 1}]

    with pytest.raises(ClusterConflictError):
        await shop.client.patch(path, [*stale, {"op": "remove", "path": "/spec/rules/0/backendRefs/1"}])
    shifts = [real_router(shop).shift(Weights.of(share)) for share in (10, 20, 30)]
    await asyncio.gather(*shifts)

    assert await router.weights() in [Weights.of(share) for share in (10, 20, 30)]


async def test_the_openers_know_their_kinds(shop: Shop) -> None:
    router = open_router(shop.client, shop.namespace, ROUTE, stable="shop", candidate="shop-candidate")

    assert await router.weights() == ALL_STABLE
    assert await find_stable_service(shop.client, shop.namespace, ROUTE, {"app": "shop"}) == "shop"
    assert isinstance(await read_marks(shop.client, shop.namespace, ROUTE), dict)
    with pytest.raises(RouteError, match="no Service"):
        await find_stable_service(shop.client, shop.namespace, ROUTE, {"app": "front"})


@pytest.mark.parametrize(
    ("router", "said"),
    [
        pytest.param({"kind": "istio", "route": "x"}, "'istio'.*gateway_api", id="an unknown kind"),
        pytest.param({"route": "x"}, "None", id="no kind"),
        pytest.param("shop", "None", id="no mapping"),
        pytest.param({"kind": "gateway_api"}, "route is missing", id="no route"),
        pytest.param({**ROUTE, "weight": 1}, "'weight'", id="an unknown key"),
    ],
)
def test_a_router_that_nobody_knows_is_refused(router: object, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        known(router)


# --- real requests -----------------------------------------------------------------------------------------


def ask(shop: Shop) -> str:
    """Ask the shop through the gateway; give the version that answered, or the status of a failure."""
    request = urllib.request.Request(
        shop.stack.gateway_url + "/", headers={"Host": f"{shop.namespace}.local"}
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:
            return str(json.load(answer)["version"])
    except urllib.error.HTTPError as err:
        return f"status {err.code}"


async def ask_often(shop: Shop, count: int) -> Counter[str]:
    return Counter(await asyncio.to_thread(lambda: [ask(shop) for _ in range(count)]))


async def in_force(shop: Shop, version: str) -> None:
    """Wait for the data plane: a gateway says that it took a route some milliseconds before it acts on it."""
    async with asyncio.timeout(30):
        while set(await ask_often(shop, 3)) != {version}:
            await asyncio.sleep(0.02)


async def test_users_are_split_as_asked(shop: Shop, v2: str) -> None:
    await add_candidate(shop, v2)
    router = real_router(shop)

    await router.shift(Weights(0, 100))
    await in_force(shop, "v2")
    await router.shift(Weights(70, 30))
    async with asyncio.timeout(30):
        while await asyncio.to_thread(ask, shop) != "v1":
            await asyncio.sleep(0.02)
    seen = await ask_often(shop, 300)

    assert set(seen) == {"v1", "v2"}
    # a fair gateway is outside of 54 … 126 once in 100 000 runs (binomial, n = 300, p = 0.3: 4.5 deviations)
    assert 54 <= seen["v2"] <= 126


async def test_after_a_shift_nobody_reaches_the_candidate_any_more(shop: Shop, v2: str) -> None:
    await add_candidate(shop, v2)
    router = real_router(shop)

    for _ in range(5):
        await router.shift(Weights(0, 100))
        await in_force(shop, "v2")
        assert set(await ask_often(shop, 10)) == {"v2"}
        await router.shift(ALL_STABLE)
        await in_force(shop, "v1")
        assert set(await ask_often(shop, 10)) == {"v1"}


async def test_an_abort_under_load_fails_no_request_but_the_candidates_own(
    shop: Shop, bad: str, tmp_path: Path
) -> None:
    router = real_router(shop)
    candidate = open_candidate(shop.client, shop.ref, service="shop", app="shop")
    host, out = f"{shop.namespace}.local", tmp_path / "load.jsonl"
    with Load(url=shop.stack.gateway_url + "/", host_header=host, rate_per_s=50, out=out) as load:
        await add_candidate(shop, bad)
        for weights in (ALL_STABLE, Weights(90, 10), HALF):
            await router.shift(weights)
            await asyncio.sleep(0.5)
        await router.shift(ALL_STABLE)
        await in_force(shop, "v1")
        off_at = time.time()
        await router.reset()
        await candidate.remove()
        await asyncio.sleep(0.5)
        seen = await asyncio.to_thread(load.stop)

    assert seen.failed("bad") > 0
    assert seen.failed() == seen.failed("bad")
    assert seen.between(off_at).count("bad") == 0
    assert seen.between(off_at).count("v1") > 0
