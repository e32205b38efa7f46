from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from cd_provider.core.gate import Gate, promql
from cd_provider.core.names import VERDICT
from cd_provider.core.override import Override
from cd_provider.core.pod import PodFault, PodState
from cd_provider.core.query import QueryNames
from cd_provider.core.release import Release, Verdict
from cd_provider.core.situation import CanaryPlan
from cd_provider.core.traffic import parse_steps
from cd_provider.triggers.canary_loop import CanaryLoop
from cd_provider.triggers.gate_watch import GateWatch
from cd_provider.triggers.progress import Progress
from cd_provider.triggers.scene import Scene
from tests.fakes import SHOP, FakeCandidate, FakeMetrics, FakePods, FakeRouter, FakeWorkload, pod

DIGEST = "sha256:" + "1" * 64
NAMES = QueryNames("shop-candidate", "shop", "shop", ("shop-candidate-0",))
IMAGE = f"registry.example/shop@{DIGEST}"


class Lines(logging.Handler):
    """Keeps what is logged."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


@pytest.fixture
def logged() -> Iterator[list[str]]:
    """What the canary's loop logs."""
    handler, logger = Lines(), logging.getLogger("cd_provider.triggers.progress")
    logger.addHandler(handler)
    before = logger.level
    logger.setLevel(logging.INFO)
    try:
        yield handler.lines
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)


async def guard() -> None:
    """The lock is ours."""


def canary(
    pods: FakePods, *gates: Gate, reports: list[Progress], override: Override | None = None
) -> CanaryLoop:
    """
    Give a canary of two steps, on a clock that only moves when it is read.

    :param gates: looked at without an answer. :param reports: where it reports to.
    """
    stable, moments = FakeWorkload(SHOP), iter(range(1_000_000))
    scene = Scene(
        stable=stable, candidate=FakeCandidate(stable), router=FakeRouter(), pods=pods, logs=pods,
        images={"shop": IMAGE}, guard=guard, clock=lambda: float(next(moments)),
    )  # fmt: skip
    scene.wake.set()
    return CanaryLoop(
        scene,
        plan=CanaryPlan(
            tuple(parse_steps([10, 50], step_s=1)), gates, (DIGEST,), deadline=1e9, override=override is not None
        ),
        override=override,
        release=Release("shop", IMAGE, (DIGEST,), "v2", "d-1", 0.0, "dag", "run"),
        attempt=1, gates_hash="none", report=reports.append,
        watches=[
            GateWatch(one, FakeMetrics(*[None] * 1000), names=lambda: NAMES, clock=scene.clock, wake=scene.wake)
            for one in gates
        ],
    )  # fmt: skip


def three(fault: PodFault | None = None) -> list[PodState]:
    """Give as many candidate pods as the last step needs, and one more."""
    return [pod(f"shop-candidate-{number}", digest=DIGEST, fault=fault) for number in range(3)]


async def told(*gates: Gate, kind: str = "PASS", fault: PodFault | None = None) -> list[Progress]:
    """
    Run a canary to its end, and give what was reported.

    :param kind: how it has to end. :param fault: of each of its pods.
    """
    reports: list[Progress] = []
    result = await canary(FakePods(*three(fault)), *gates, reports=reports).run()
    assert result.kind == kind
    return reports


async def test_progress_names_the_step_whose_weight_is_in_force() -> None:
    shifted = [one for one in await told() if "in force" in one.line]

    assert [(one.step, one.steps, one.weight) for one in shifted] == [(0, 2, 10), (1, 2, 50)]


async def test_a_stop_is_told_at_once_with_its_reason() -> None:
    reports = await told(kind="FAIL", fault=PodFault("p", "CrashLoopBackOff", "back-off"))

    last = reports[-1]
    assert last.weight == 0
    assert last.line.startswith("FAIL: ")
    assert "CrashLoopBackOff" in last.line


async def test_every_step_stands_in_the_log_once(logged: list[str]) -> None:
    await told()

    assert [line for line in logged if "in force" in line] == [
        "step 1 of 2: weight 10 % is in force",
        "step 2 of 2: weight 50 % is in force",
    ]


async def test_progress_says_what_each_gate_shows_once_users_are_on_the_candidate() -> None:
    gate = Gate.parse(promql("errors", query="errors{pod=~'$pods'}", max=1, mode="observe"))

    reports = await told(gate, kind="OBSERVED")

    assert {one.findings for one in reports} == {(), ("blind",)}
    assert reports[0].findings == ()
    assert reports[-1].findings == ("blind",)


async def test_a_persons_word_is_stored_with_who_and_why() -> None:
    gate = Gate.parse(promql("errors", query="errors{pod=~'$pods'}", max=1))
    loop = canary(FakePods(*three()), gate, reports=[], override=Override("ada", "hot fix"))

    result = await loop.run()
    state = await loop.scene.candidate.state()

    assert result.kind == "OVERRIDE"
    assert state is not None
    stored = Verdict.read(state.annotations[VERDICT])
    assert stored == result.verdict
    assert stored is not None
    assert (stored.by, stored.reason, stored.last_sample) == ("ada", "hot fix", None)
    assert "errors: no data" in stored.line


async def test_where_every_gate_observes_that_is_what_is_stored() -> None:
    gate = Gate.parse(promql("errors", query="errors{pod=~'$pods'}", max=1, mode="observe"))

    result = await canary(FakePods(*three()), gate, reports=[]).run()

    assert result.kind == "OBSERVED"
    assert result.verdict is not None
    assert (result.verdict.by, result.verdict.kind) == ("", "OBSERVED")


async def test_pods_that_were_there_before_the_candidate_are_not_judged() -> None:
    crashed = PodFault("old-candidate", "CrashLoopBackOff", "")
    old = pod("old-candidate", digest="sha256:" + "2" * 64, fault=crashed)
    pods = FakePods(old)
    loop = canary(pods, reports=[])

    await loop.begin()
    pods.put(old, *three())
    result = await loop.run()

    assert result.kind == "PASS", result.line
