"""What every Candidate (and every baseline) must do: the fake, and a Deployment beside stable's in a real cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any

import pytest

from cd_provider.adapters.workloads import open_candidate
from cd_provider.adapters.workloads.candidate import DeploymentCandidate
from cd_provider.core.names import APP, ATTEMPT, BASELINE, CANDIDATE, SIDE
from cd_provider.core.ports import Candidate
from cd_provider.core.template import candidate_selector
from cd_provider.core.workload import WorkloadState
from cd_provider.exceptions import ArgumentError, ClusterNotFoundError, ClusterRefusedError, TransientError
from tests.contracts.conftest import Deployed, Shop, deploy, open_shop
from tests.fakes import FakeCandidate

if TYPE_CHECKING:
    from tests.stack import Stack

STEP, VERDICT = "cd-provider/step", "cd-provider/verdict"


def real_candidate(shop: Shop, **more: Any) -> DeploymentCandidate:
    return DeploymentCandidate(shop.client, shop.ref, service="shop", app="shop", **more)


async def ready(candidate: Candidate, generation: int) -> WorkloadState:
    async with asyncio.timeout(40):
        while True:
            state = await candidate.state()
            if state and state.observed >= generation and state.available == state.total == state.wanted:
                return state
            await asyncio.sleep(0.05)


@pytest.fixture
def deployed(standing: Deployed) -> Deployed:
    """Share one shop; tests that change stable itself take ``own_shop``."""
    return standing


@pytest.fixture
async def own_shop(stack: Stack, namespace: str, v1: str) -> AsyncIterator[Shop]:
    async with open_shop(stack, deploy(stack, namespace, v1)) as shop:
        yield shop


@pytest.fixture(params=[CANDIDATE, BASELINE])
def side(request: pytest.FixtureRequest) -> str:
    made: str = request.param
    return made


@pytest.fixture(params=["fake", "deployment"])
async def candidate(request: pytest.FixtureRequest, side: str) -> AsyncIterator[Candidate]:
    if request.param == "fake":
        yield FakeCandidate(side=side)
        return
    async with open_shop(request.getfixturevalue("stack"), request.getfixturevalue("deployed")) as shop:
        yield open_candidate(shop.client, shop.ref, service="shop", app="shop", side=side)


async def test_there_is_none_until_it_is_made(candidate: Candidate, side: str, v2: str) -> None:
    assert await candidate.state() is None

    generation = await candidate.apply(images={"shop": v2}, replicas=2, annotations={STEP: "-1"})
    state = await ready(candidate, generation)

    assert state.images == {"shop": v2}
    assert state.wanted == state.ready == 2
    assert state.annotations[STEP] == "-1"
    assert (state.labels[SIDE], state.selector[SIDE]) == (side, side)


async def test_the_same_apply_again_changes_nothing(candidate: Candidate, v2: str) -> None:
    first = await candidate.apply(images={"shop": v2}, replicas=1, annotations={STEP: "0"})
    await ready(candidate, first)
    again = await candidate.apply(images={"shop": v2}, replicas=1, annotations={STEP: "0"})

    assert again == first


async def test_annotations_of_before_are_kept(candidate: Candidate, v2: str) -> None:
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={STEP: "0"})
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={VERDICT: "{}"})
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={STEP: "1"})
    state = await candidate.state()

    assert state
    assert (state.annotations[STEP], state.annotations[VERDICT]) == ("1", "{}")


async def test_it_is_resized_and_given_another_image(candidate: Candidate, v1: str, v2: str) -> None:
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={})
    generation = await candidate.apply(images={"shop": v1}, replicas=2, annotations={})
    state = await ready(candidate, generation)

    assert (state.wanted, state.images) == (2, {"shop": v1})


@pytest.mark.parametrize("attempt", ["1", "2"])
async def test_only_a_candidate_takes_another_image_within_an_attempt(
    candidate: Candidate, side: str, attempt: str, v1: str, v2: str
) -> None:
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={ATTEMPT: "1"})
    await candidate.apply(images={"shop": v1}, replicas=1, annotations={ATTEMPT: attempt})
    state = await candidate.state()

    assert state
    assert state.images == {"shop": v2 if (side, attempt) == (BASELINE, "1") else v1}


async def test_a_container_that_is_not_there_is_an_error_and_makes_nothing(
    candidate: Candidate, v2: str
) -> None:
    with pytest.raises(ArgumentError, match="'web'"):
        await candidate.apply(images={"web": v2}, replicas=1, annotations={})

    assert await candidate.state() is None


async def test_remove_may_come_at_any_time_and_again(candidate: Candidate, v2: str) -> None:
    await candidate.remove()
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={})
    await candidate.remove()
    await candidate.remove()

    assert await candidate.state() is None
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={})
    assert await candidate.state() is not None


# --- the objects in the cluster ----------------------------------------------------------------------------


async def test_stable_is_not_touched(shop: Shop, v2: str) -> None:
    before, service, pods = shop.read("deployment"), shop.read("service"), shop.names("pod", "app=shop")
    candidate = real_candidate(shop)

    await ready(candidate, await candidate.apply(images={"shop": v2}, replicas=2, annotations={STEP: "0"}))
    await candidate.remove()

    after = shop.read("deployment")
    assert (after["spec"], after["metadata"]) == (before["spec"], {**before["metadata"], **version_of(after)})
    assert shop.read("service") == service
    assert shop.names("pod", "app=shop") == pods


def version_of(found: dict[str, Any]) -> dict[str, Any]:
    """Give what the cluster itself counts: its own status writes, not ours."""
    return {key: found["metadata"][key] for key in ("resourceVersion", "managedFields")}


async def test_stables_hpa_pdb_and_service_match_no_pod_of_ours(own_shop: Shop, side: str, v2: str) -> None:
    target = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "shop"}
    own_shop.apply(
        {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "shop", "namespace": own_shop.namespace},
            "spec": {"scaleTargetRef": target, "minReplicas": 1, "maxReplicas": 3},
        },
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "shop", "namespace": own_shop.namespace},
            "spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "shop"}}},
        },
    )
    candidate = real_candidate(own_shop, side=side)
    await ready(candidate, await candidate.apply(images={"shop": v2}, replicas=2, annotations={}))

    theirs = own_shop.names("pod", f"{SIDE}={side}")
    scale = await own_shop.client.get(f"/apis/apps/v1/namespaces/{own_shop.namespace}/deployments/shop")
    hpa_selects = ",".join(f"{k}={v}" for k, v in scale["spec"]["selector"]["matchLabels"].items())
    pdb_selects = own_shop.read("pdb")["spec"]["selector"]["matchLabels"]["app"]
    assert len(theirs) == 2
    assert not set(theirs) & set(own_shop.names("pod", hpa_selects))
    assert not set(theirs) & set(own_shop.names("pod", f"app={pdb_selects}"))
    assert not set(theirs) & set(endpoints(own_shop, "shop"))
    assert set(endpoints(own_shop, f"shop-{side}")) == set(theirs)
    async with asyncio.timeout(20):  # the cluster's own count of the budget
        while "expectedPods" not in (status := own_shop.read("pdb").get("status", {})):
            await asyncio.sleep(0.1)
    assert status["expectedPods"] == 1


def endpoints(shop: Shop, service: str) -> list[str]:
    """Name the pods to which a Service sends users."""
    slices = shop.kubectl(
        "get", "endpointslices", "-l", f"kubernetes.io/service-name={service}",
        "-o", "jsonpath={.items[*].endpoints[*].targetRef.name}",
    )  # fmt: skip
    return slices.split()


async def test_the_objects_carry_marks_for_clean_up_and_no_owner(shop: Shop, v2: str) -> None:
    await real_candidate(shop).apply(images={"shop": v2}, replicas=1, annotations={})

    for kind in ("deployment", "service"):
        assert shop.names(kind, f"{SIDE}={CANDIDATE},{APP}=shop") == ["shop-candidate"]
        assert "ownerReferences" not in shop.read(kind, "shop-candidate")["metadata"]


async def test_what_leaves_stables_template_leaves_the_candidate(own_shop: Shop, v2: str) -> None:
    candidate = real_candidate(own_shop)
    own_shop.kubectl("set", "env", "deployment/shop", "FLAG=1")
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={})
    assert "env" in own_shop.read("deployment", "shop-candidate")["spec"]["template"]["spec"]["containers"][0]

    own_shop.kubectl("set", "env", "deployment/shop", "FLAG-")
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={})

    assert (
        "env"
        not in own_shop.read("deployment", "shop-candidate")["spec"]["template"]["spec"]["containers"][0]
    )


async def test_a_template_that_names_a_variable_twice_is_copied(own_shop: Shop, v2: str) -> None:
    twice = [{"name": "FLAG", "value": "1"}, {"name": "FLAG", "value": "2"}]
    container = "/spec/template/spec/containers/0/env"
    own_shop.patch("deployment", [{"op": "add", "path": container, "value": twice}], how="json")

    await real_candidate(own_shop).apply(images={"shop": v2}, replicas=1, annotations={})

    made = own_shop.read("deployment", "shop-candidate")["spec"]["template"]["spec"]["containers"][0]
    assert made["env"] == twice


async def test_a_service_that_selects_by_other_labels_sends_nobody_to_the_candidate(
    own_shop: Shop, v2: str
) -> None:
    labels = {"app": "shop", "role": "web"}
    own_shop.patch("deployment", {"spec": {"template": {"metadata": {"labels": labels}}}})
    own_shop.kubectl("rollout", "status", "deployment/shop", "--timeout=60s")
    own_shop.patch(
        "service", [{"op": "replace", "path": "/spec/selector", "value": {"role": "web"}}], how="json"
    )
    candidate = real_candidate(own_shop)

    await ready(candidate, await candidate.apply(images={"shop": v2}, replicas=1, annotations={}))

    assert not set(endpoints(own_shop, "shop")) & set(own_shop.names("pod", f"{SIDE}={CANDIDATE}"))


async def test_a_users_object_of_that_name_is_left_alone(shop: Shop, v2: str) -> None:
    users = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "shop-candidate", "namespace": shop.namespace},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }
    shop.apply(users)
    before = shop.read("service", "shop-candidate")
    candidate = real_candidate(shop)

    with pytest.raises(ClusterRefusedError, match=r"Service shop-candidate .*not ours"):
        await candidate.apply(images={"shop": v2}, replicas=1, annotations={})
    with pytest.raises(ClusterRefusedError, match=r"Service shop-candidate .*not ours"):
        await candidate.remove()

    assert shop.read("service", "shop-candidate") == before
    assert await candidate.state() is None


async def test_a_users_deployment_of_that_name_is_left_alone(shop: Shop, v1: str, v2: str) -> None:
    shop.kubectl("create", "deployment", "shop-candidate", f"--image={v1}", "--replicas=0")
    before = shop.read("deployment", "shop-candidate")["spec"]
    candidate = real_candidate(shop)

    for call in (candidate.state(), candidate.apply(images={"shop": v2}, replicas=1, annotations={})):
        with pytest.raises(
            ClusterRefusedError, match=f"Deployment shop-candidate in {shop.namespace} is not ours"
        ):
            await call
    with pytest.raises(ClusterRefusedError, match="not ours"):
        await candidate.remove()

    assert shop.read("deployment", "shop-candidate")["spec"] == before


async def test_a_candidate_that_something_holds_back_is_said_to_be_there(shop: Shop, v2: str) -> None:
    candidate = real_candidate(shop, gone_s=0.3)
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={})
    shop.patch("deployment", {"metadata": {"finalizers": ["example.com/wait"]}}, name="shop-candidate")

    with pytest.raises(TransientError, match=r"example\.com/wait"):
        await candidate.remove()
    shop.patch("deployment", {"metadata": {"finalizers": None}}, name="shop-candidate")
    await candidate.remove()

    assert await candidate.state() is None


async def test_without_a_stable_or_its_service_nothing_is_made(shop: Shop, v2: str) -> None:
    candidate = DeploymentCandidate(shop.client, shop.ref, service="gone", app="shop")

    with pytest.raises(ClusterNotFoundError, match="gone"):
        await candidate.apply(images={"shop": v2}, replicas=1, annotations={})

    assert await candidate.state() is None


async def test_the_candidates_pods_are_known_before_it_is_made(shop: Shop, v2: str) -> None:
    candidate = real_candidate(shop)
    await candidate.apply(images={"shop": v2}, replicas=1, annotations={})
    state = await candidate.state()

    assert state
    assert state.selector == candidate_selector({"app": "shop"})
