"""What every Workload must do: the fake, and a Deployment in a real cluster."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from cd_provider.adapters.workloads import open_candidate, open_workload
from cd_provider.core.ports import Workload
from cd_provider.core.workload import Rollout, WorkloadRef, WorkloadState, judge_rollout
from cd_provider.exceptions import ArgumentError, ClusterNotFoundError
from tests.contracts.conftest import Shop, open_shop
from tests.fakes import SHOP, FakeWorkload

NOTE, OTHER = "cd-provider/record", "cd-provider/release"


async def rolled_out(workload: Workload, generation: int) -> WorkloadState:
    async with asyncio.timeout(40):
        while judge_rollout(state := await workload.state(), generation=generation) is not Rollout.DONE:
            await asyncio.sleep(0.05)
    return state


@pytest.fixture(params=["fake", "deployment"])
async def workload(request: pytest.FixtureRequest) -> AsyncIterator[Workload]:
    if request.param == "fake":
        yield FakeWorkload(replace(SHOP, annotations={"team": "x"}))
        return
    async with open_shop(request.getfixturevalue("stack"), request.getfixturevalue("deployed")) as shop:
        shop.patch("deployment", {"metadata": {"annotations": {"team": "x"}}})
        yield open_workload(shop.client, shop.ref)


async def test_an_apply_sets_image_and_annotations_and_the_generation_is_reached(
    workload: Workload, v2: str
) -> None:
    before = await workload.state()

    generation = await workload.apply(images={"shop": v2}, annotations={NOTE: "{}"})
    after = await rolled_out(workload, generation)

    assert before.images["shop"] != v2
    assert after.images == {**before.images, "shop": v2}
    assert after.annotations[NOTE] == "{}"
    assert after.annotations["team"] == "x"
    assert generation > before.generation
    assert (after.wanted, after.labels, after.selector) == (before.wanted, before.labels, before.selector)


async def test_the_same_apply_again_changes_nothing(workload: Workload, v2: str) -> None:
    first = await workload.apply(images={"shop": v2}, annotations={NOTE: "{}"})
    again = await workload.apply(images={"shop": v2}, annotations={NOTE: "{}"})

    assert again == first


async def test_an_apply_without_images_keeps_the_one_that_was_set(workload: Workload, v2: str) -> None:
    await workload.apply(images={"shop": v2}, annotations={NOTE: "1"})
    await workload.apply(images={}, annotations={OTHER: "2"})
    state = await workload.state()

    assert state.images["shop"] == v2
    assert (state.annotations[NOTE], state.annotations[OTHER]) == ("1", "2")


async def test_none_removes_an_annotation_and_only_that(workload: Workload) -> None:
    await workload.apply(images={}, annotations={NOTE: "1", OTHER: "2"})
    await workload.apply(images={}, annotations={NOTE: None})
    state = await workload.state()

    assert NOTE not in state.annotations
    assert (state.annotations[OTHER], state.annotations["team"]) == ("2", "x")


async def test_remove_takes_our_annotations_and_leaves_image_and_others(workload: Workload, v2: str) -> None:
    await workload.apply(images={"shop": v2}, annotations={NOTE: "1", OTHER: "2"})
    await workload.remove()
    await workload.remove()
    state = await workload.state()

    assert not {NOTE, OTHER} & set(state.annotations)
    assert (state.annotations["team"], state.images["shop"]) == ("x", v2)


async def test_a_container_that_is_not_there_is_an_error_and_is_not_added(
    workload: Workload, v2: str
) -> None:
    before = await rolled_out(workload, (await workload.state()).generation)  # else it changes by itself

    with pytest.raises(ArgumentError, match="'web'"):
        await workload.apply(images={"web": v2}, annotations={NOTE: "1"})

    assert await workload.state() == before


# --- the Deployment itself ---------------------------------------------------------------------------------


async def test_a_workload_that_is_not_there(shop: Shop) -> None:
    missing = WorkloadRef("deployment", shop.namespace, "gone")

    with pytest.raises(ClusterNotFoundError, match="gone"):
        await open_workload(shop.client, missing).state()
    with pytest.raises(ClusterNotFoundError):
        await FakeWorkload(None).state()


async def test_a_kind_that_nobody_knows_is_refused(shop: Shop) -> None:
    strange = WorkloadRef("rocket", shop.namespace, "shop")

    with pytest.raises(ArgumentError, match="'rocket'"):
        open_workload(shop.client, strange)
    with pytest.raises(ArgumentError, match="'rocket'"):
        open_candidate(shop.client, strange, service=None, app="shop")


async def test_what_is_the_users_is_not_touched(shop: Shop, v2: str) -> None:
    """Neither replicas, which an autoscaler may own, nor strategy, minReadySeconds, paused; nor who owns them."""
    mine = {"minReadySeconds": 1, "strategy": {"rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}}
    shop.patch("deployment", {"spec": mine})
    shop.kubectl("scale", "deployment/shop", "--replicas=2")
    before = shop.read("deployment")["spec"]

    generation = await open_workload(shop.client, shop.ref).apply(
        images={"shop": v2}, annotations={NOTE: "1"}
    )
    shop.kubectl("scale", "deployment/shop", "--replicas=1")
    await rolled_out(open_workload(shop.client, shop.ref), generation)

    after = shop.read("deployment")
    ours = [
        entry["fieldsV1"] for entry in after["metadata"]["managedFields"] if entry["manager"] == "cd-provider"
    ]
    assert [set(fields["f:spec"]) for fields in ours] == [{"f:template"}]
    assert after["spec"].pop("replicas") == 1
    before.pop("replicas")
    before["template"]["spec"]["containers"][0]["image"] = v2
    assert after["spec"] == before


async def test_annotations_do_not_restart_a_pod(shop: Shop) -> None:
    workload, pods = open_workload(shop.client, shop.ref), shop.names("pod")

    await rolled_out(workload, await workload.apply(images={}, annotations={NOTE: "1"}))
    await rolled_out(workload, await workload.apply(images={}, annotations={NOTE: None}))

    assert shop.names("pod") == pods


async def test_an_annotation_goes_although_somebody_took_it_over(shop: Shop) -> None:
    workload = open_workload(shop.client, shop.ref)
    await workload.apply(images={}, annotations={NOTE: "1"})
    meta = {"name": "shop", "namespace": shop.namespace, "annotations": {NOTE: "1"}}
    shop.apply({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": meta})

    await workload.apply(images={}, annotations={NOTE: None})

    assert NOTE not in (await workload.state()).annotations


async def test_the_image_comes_back_after_somebody_else_set_it(shop: Shop, v1: str, v2: str) -> None:
    workload = open_workload(shop.client, shop.ref)
    await workload.apply(images={"shop": v2}, annotations={NOTE: "1"})
    shop.kubectl("set", "image", "deployment/shop", f"shop={v1}")
    await workload.apply(images={}, annotations={OTHER: "2"})
    assert (await workload.state()).images == {"shop": v1}

    await workload.apply(images={"shop": v2}, annotations={})

    assert (await workload.state()).images == {"shop": v2}


async def test_a_rollout_that_cannot_get_on_is_stalled_in_the_clusters_words(shop: Shop, v1: str) -> None:
    shop.patch("deployment", {"spec": {"progressDeadlineSeconds": 1}})
    workload = open_workload(shop.client, shop.ref)
    missing = v1.partition("@")[0] + "@sha256:" + "0" * 64

    generation = await workload.apply(images={"shop": missing}, annotations={})

    async with asyncio.timeout(30):
        while judge_rollout(state := await workload.state(), generation=generation) is not Rollout.STALLED:
            await asyncio.sleep(0.05)
    assert "ProgressDeadlineExceeded" in (state.stalled or "")
    assert state.ready == 1
