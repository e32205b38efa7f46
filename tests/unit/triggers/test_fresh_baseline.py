"""A baseline beside the candidate, from its first pod to its removal, on real adapters over a cluster in memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from cd_provider.core.finding import Finding
from cd_provider.core.names import ATTEMPT, DELIVERY, RELEASE, ROUTE_BASELINE, RUNS, VERDICT
from cd_provider.core.pod import PodFault
from cd_provider.core.release import Verdict
from cd_provider.core.situation import CanaryPlan
from cd_provider.exceptions import LeaseLostError
from cd_provider.triggers import canary_loop, cleanup, promote_loop
from cd_provider.triggers.canary_loop import CanaryLoop, CanaryResult
from cd_provider.triggers.cleanup import leftovers, sweep, take_back
from cd_provider.triggers.judge_watch import JudgeWatch
from cd_provider.triggers.progress import Progress
from tests.small_cluster import DEPLOYMENTS, ROUTE, SERVICES, V1, V2
from tests.unit.triggers.canary_world import World, fresh_judge, sides

OFF = {"shop": 100, "shop-candidate": 0, "shop-baseline": 0}
FIRST = {"shop": 80, "shop-candidate": 10, "shop-baseline": 10}
LAST = {"shop": 0, "shop-candidate": 50, "shop-baseline": 50}
DIGEST_1 = V1.partition("@")[2]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look again at once: the clock of these tests moves when it is read."""
    for module, name in ((canary_loop, "TICK_S"), (promote_loop, "TICK_S"), (cleanup, "POLL_S")):
        monkeypatch.setattr(module, name, 0.001)


@pytest.fixture
def world() -> World:
    return World(fresh_judge())


async def run(world: World, loop: CanaryLoop | None = None) -> CanaryResult:
    running = loop or world.loop()
    await running.begin()
    return await running.run()


def when(world: World, step: int, act: Callable[[], None], *, times: int = 1) -> CanaryLoop:
    """Give a loop that acts when the step is in force."""
    loop, left = world.loop(), [times]

    def report(progress: Progress) -> None:
        world.reports.append(progress)
        if progress.step == step and "in force" in progress.line and left[0]:
            left[0] -= 1
            act()

    loop.teller.report = report
    return loop


def fail_pods(world: World, name: str, **changed: object) -> None:
    """Change every pod of a Deployment."""
    for pod in world.cluster.pods():
        if pod.name.startswith(name):
            world.pods.instead[pod.name] = replace(pod, **changed)  # type: ignore[arg-type]


# --- a good one --------------------------------------------------------------------------------------------------


async def test_both_get_the_same_share_and_stable_the_rest_in_every_step(world: World) -> None:
    result = await run(world)

    assert result.kind == "PASS", result.line
    assert world.cluster.shifts() == [OFF, FIRST, LAST]
    assert all(sum(split.values()) == 100 for split in world.cluster.shifts())


async def test_both_are_started_together_and_are_of_one_size(world: World) -> None:
    await run(world)

    made = [(path, body["metadata"]["name"], body["spec"].get("replicas"))
            for how, path, body in world.cluster.writes if how == "create" and "deployments" in path]  # fmt: skip
    shifted = [path for _, path, _ in world.cluster.writes].index(ROUTE)
    assert [(name, size) for _, name, size in made] == [("shop-candidate", 1), ("shop-baseline", 1)]
    assert {path for path, *_ in made} <= {path for _, path, _ in world.cluster.writes[:shifted]}
    assert sides(world.cluster.pods()) == {None: 4, "candidate": 2, "baseline": 2}


async def test_it_runs_what_stable_runs_and_bears_the_deliverys_marks(world: World) -> None:
    await run(world)

    baseline = world.cluster.objects[f"{DEPLOYMENTS}/shop-baseline"]
    notes = baseline["metadata"]["annotations"]
    assert baseline["spec"]["template"]["spec"]["containers"][0]["image"] == V1
    assert (notes[DELIVERY], notes[ATTEMPT], notes[RUNS]) == ("d-1", "1", DIGEST_1)
    assert notes[RELEASE]
    assert VERDICT not in notes  # the candidate's alone
    assert world.cluster.objects[ROUTE]["metadata"]["annotations"][ROUTE_BASELINE] == "shop-baseline"


async def test_at_promotions_start_its_share_goes_to_stable_and_the_candidate_keeps_its_own(
    world: World,
) -> None:
    await run(world)
    before = len(world.cluster.shifts())

    line = await world.promotion(knows=True).run()

    assert "4 of 4 ready pods" in line
    assert world.cluster.shifts()[before] == {"shop": 50, "shop-candidate": 50, "shop-baseline": 0}
    writes = [(how, path) for how, path, _ in world.cluster.writes]
    ended, promoted = (
        writes.index(("replace", f"{DEPLOYMENTS}/shop-baseline"), first_shift(world, before)),
        writes.index(("apply", f"{DEPLOYMENTS}/shop")),
    )
    assert ended < promoted
    assert world.cluster.split() == {"shop": None}
    assert world.cluster.names("Deployment") == world.cluster.names("Service") == {"shop"}
    assert not world.cluster.objects[ROUTE]["metadata"].get("annotations")


def first_shift(world: World, number: int) -> int:
    """Say which of the writes was the shift of this number."""
    shifts = [at for at, (how, path, _) in enumerate(world.cluster.writes) if path == ROUTE and how == "json"]
    return shifts[number]


async def test_while_stable_is_promoted_the_judge_goes_on_beside_stables_old_pods(world: World) -> None:
    await run(world)
    loop, session = world.promotion(knows=True), world.session(knows=True)

    (watch,) = loop.watches

    assert isinstance(watch, JudgeWatch)
    assert not watch.settings.fresh
    assert (watch.sides().stable, len(watch.sides().stable_pods)) == ("shop", 4)
    assert session.sides(fresh_judge(), []).stable_pods == ("shop-baseline-0", "shop-baseline-1")


async def test_without_a_pass_promotion_leaves_the_baseline_where_it_is(world: World) -> None:
    world.watches[0].finding = Finding.FAILED
    loop = world.loop()
    await loop.begin()
    await loop.scene.baseline.apply(images={}, replicas=1, annotations={})  # type: ignore[union-attr]
    before = list(world.cluster.writes)

    with pytest.raises(Exception, match="no PASS is stored"):
        await world.promotion(knows=True).run()

    assert world.cluster.writes == before


# --- a bad one ---------------------------------------------------------------------------------------------------


async def test_a_bad_candidate_takes_the_baselines_share_back_too(world: World) -> None:
    def convict() -> None:
        world.watches[0].finding = Finding.FAILED

    result = await run(world, when(world, 0, convict))

    assert result.kind == "FAIL"
    assert world.cluster.split() == OFF


async def test_a_trip_sends_both_away_and_both_return(world: World) -> None:
    def trip() -> None:
        world.watches[0].trips = 1

    result = await run(world, when(world, 1, trip))

    assert result.kind == "PASS"
    assert world.cluster.shifts() == [OFF, FIRST, LAST, OFF, FIRST, LAST]


# --- a baseline that fails ---------------------------------------------------------------------------------------


async def test_one_that_does_not_become_ready_holds_the_canary_then_ends_it_without_a_verdict(
    world: World,
) -> None:
    world.cluster.unready.add("shop-baseline")

    result = await run(world)

    assert result.kind == "INCONCLUSIVE"
    assert "0 of 1 pods of the baseline are ready after 600 s" in result.line
    assert any(one.line.startswith("0 of 1 pods of the baseline are ready") for one in world.reports)
    assert world.cluster.shifts() == [OFF]


async def test_one_that_dies_in_the_middle_takes_both_off_at_once(world: World) -> None:
    result = await run(world, when(world, 0, lambda: fail_pods(world, "shop-baseline", ready=False)))

    assert result.kind == "INCONCLUSIVE"
    assert "no pod of the baseline is ready while it has 10 % of the traffic" in result.line
    assert world.cluster.shifts() == [OFF, FIRST, OFF]
    assert Verdict.read(
        world.cluster.objects[f"{DEPLOYMENTS}/shop-candidate"]["metadata"]["annotations"][VERDICT]
    )


async def test_one_that_was_deleted_is_not_made_anew(world: World) -> None:
    loop = when(world, 0, lambda: world.cluster.forget("shop-baseline"))

    result = await run(world, loop)

    assert result.kind == "INCONCLUSIVE"
    assert "deleted in mid-canary" in result.line
    assert world.cluster.split() == OFF
    assert "shop-baseline" not in world.cluster.names("Deployment")


async def test_a_crash_of_stables_own_image_does_not_fail_the_candidate(world: World) -> None:
    crashed = PodFault("shop-baseline-0", "Crashed", "exit code 1")

    result = await run(world, when(world, 0, lambda: fail_pods(world, "shop-baseline-0", fault=crashed)))

    assert result.kind == "PASS"


async def test_a_tag_that_moved_since_stable_was_started_gets_no_user(world: World) -> None:
    """Stable's pods run what the tag meant then; the baseline's would run what it means now."""
    for number in range(4):
        name = f"shop-{number}"
        stable = next(pod for pod in world.cluster.pods() if pod.name == name)
        world.pods.instead[name] = replace(stable, digests=frozenset({"sha256:" + "9" * 64}))

    result = await run(world)

    assert result.kind == "INCONCLUSIVE"
    assert "which no pod of stable ran" in result.line
    assert world.cluster.shifts() == [OFF]


async def test_a_stable_without_a_ready_pod_gets_no_baseline(world: World) -> None:
    world.cluster.unready.add("shop")

    result = await run(world)

    assert result.kind == "INCONCLUSIVE"
    assert "no baseline can be made of it" in result.line
    assert not world.cluster.writes


# --- changes in the middle ---------------------------------------------------------------------------------------


async def test_it_keeps_what_it_was_made_from_whatever_becomes_of_stable(world: World) -> None:
    def change() -> None:
        stable = world.cluster.objects[f"{DEPLOYMENTS}/shop"]
        stable["spec"]["template"]["spec"]["containers"][0] |= {
            "image": V2,
            "env": [{"name": "A", "value": "1"}],
        }

    result = await run(world, when(world, 0, change))

    baseline = world.cluster.objects[f"{DEPLOYMENTS}/shop-baseline"]["spec"]
    assert result.kind == "PASS", result.line
    assert baseline["replicas"] == 2
    assert baseline["template"]["spec"]["containers"] == [{"name": "shop", "image": V1}]


async def test_a_trigger_that_comes_up_again_goes_on_with_both(world: World) -> None:
    async def die() -> None:
        raise LeaseLostError("this process is gone")

    loop = when(world, 0, lambda: setattr(loop.scene, "guard", die))
    with pytest.raises(LeaseLostError):
        await run(world, loop)
    assert world.cluster.split() == FIRST
    made = world.cluster.objects[f"{DEPLOYMENTS}/shop-baseline"]["metadata"]["uid"]

    result = await run(world)

    assert result.kind == "PASS"
    assert world.cluster.shifts() == [OFF, FIRST, LAST]
    assert world.cluster.objects[f"{DEPLOYMENTS}/shop-baseline"]["metadata"]["uid"] == made


async def test_one_that_was_never_made_is_made_by_the_next_process(world: World) -> None:
    loop = world.loop()
    await loop.scene.candidate.apply(images={"shop": V2}, replicas=1, annotations=loop.writes.birth_notes())

    result = await run(world)

    assert result.kind == "PASS"
    assert sides(world.cluster.pods())["baseline"] == 2


async def test_a_share_that_others_moved_comes_back(world: World) -> None:
    def meddle() -> None:
        world.cluster.objects[ROUTE]["spec"]["rules"][0]["backendRefs"][2]["weight"] = 0

    result = await run(world, when(world, 0, meddle))

    assert result.kind == "PASS"
    assert world.cluster.shifts() == [OFF, FIRST, FIRST, LAST]


async def test_a_lost_lock_ends_every_write(world: World) -> None:
    loop = when(world, 0, lambda: setattr(world, "lost", LeaseLostError("it is another's")))

    with pytest.raises(LeaseLostError):
        await run(world, loop)

    assert world.cluster.split() == FIRST  # whoever holds the lock cleans up


# --- the way back ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("knows", [True, False], ids=["its Service is there", "its Service is gone"])
async def test_a_delivery_without_a_baseline_cleans_up_behind_one_that_had_it(
    world: World, knows: bool
) -> None:
    await run(world)
    if not knows:
        del world.cluster.objects[f"{SERVICES}/shop-baseline"]

    await take_back(world.session(knows=knows), drain_s=0.0)

    assert world.cluster.split() == {"shop": None}
    assert world.cluster.names("Deployment") == world.cluster.names("Service") == {"shop"}
    assert await leftovers(world.session()) is None


async def test_traffic_comes_off_before_a_pod_goes(world: World) -> None:
    await run(world)
    began = len(world.cluster.writes)

    await take_back(world.session(knows=True), drain_s=0.0)

    after = [(how, path) for how, path, _ in world.cluster.writes[began:]]
    assert after[0] == ("json", ROUTE)
    assert world.cluster.shifts()[-2] == OFF
    assert {path for how, path in after if how == "delete"} == {
        f"{where}/shop-{side}" for where in (DEPLOYMENTS, SERVICES) for side in ("candidate", "baseline")
    }


async def test_a_baseline_that_is_left_alone_is_found_by_its_delivery(world: World) -> None:
    await run(world)
    session = world.session(knows=True)
    await session.candidate.remove()

    assert await leftovers(session) == "d-1"
    await take_back(session, drain_s=0.0)

    assert world.cluster.names("Deployment") == {"shop"}
    assert world.cluster.split() == {"shop": None}


async def test_somebody_elses_object_of_that_name_stays_and_keeps_nobody_from_cleaning_up() -> None:
    world = World()
    for where, kind in ((DEPLOYMENTS, "Deployment"), (SERVICES, "Service")):
        theirs = await world.cluster.get(f"{where}/shop")
        await world.cluster.create(
            where, {**theirs, "metadata": {"name": "shop-baseline", "namespace": "shop"}}
        )
        assert theirs["kind"] == kind
    await run(world)

    await sweep(world.session(), drain_s=0.0)

    assert await leftovers(world.session()) is None
    assert world.cluster.names("Service") == {"shop", "shop-baseline"}
    assert world.cluster.names("Deployment") == {"shop", "shop-baseline"}


def test_a_plan_without_judges_asks_for_none() -> None:
    plan = CanaryPlan(World().plan.steps, (), (), deadline=1.0)

    assert not plan.fresh
    assert World(fresh_judge()).plan.fresh
    assert not World(fresh_judge()).plan.beside_stable().fresh
