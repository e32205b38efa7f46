"""The end of a delivery: what people are told of a promoted release."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from cd_provider.core.names import RECORD, compact
from cd_provider.core.release import Record, Release
from cd_provider.operators.outcome import ReleaseOutcomeOperator
from cd_provider.triggers.session import Session
from tests.fakes import SHOP, FakePods, FakeWorkload, pod

DIGEST = "sha256:" + "55ce613b" * 8
RELEASE = Release(
    app="shop", image=f"registry.example/shop@{DIGEST}", digests=(DIGEST,), tag="v2", delivery="d-1", asked_at=1.0,
    dag_id="shop", run_id="manual__1",
)  # fmt: skip


def session(release: Release) -> Session:
    """Give what a promoted release left: every pod of stable runs it, and the record says so."""
    record = Record(release.as_dict(), {"shop": "shop:v1"}, "promoted", 1.0)
    stable = FakeWorkload(replace(SHOP, annotations={RECORD: compact(record.as_dict())}))
    pods = FakePods(*(pod(f"shop-{number}", side=None, digest=DIGEST) for number in range(SHOP.wanted)))
    return cast("Session", Opened(stable, pods))


class Opened:
    """As much of a session as is looked at."""

    def __init__(self, stable: FakeWorkload, pods: FakePods) -> None:
        self.stable, self.pods = stable, pods


async def told(release: Release) -> Any:
    operator = ReleaseOutcomeOperator(
        task_id="outcome", app="shop", image="", workload="deployment/shop", namespace="shop",
        router={"kind": "gateway_api", "route": "shop"},
    )  # fmt: skip
    return await operator._promoted(session(release), release.delivery)


async def test_a_promoted_release_is_told_by_the_tag_it_was_found_under() -> None:
    assert await told(RELEASE) == "3 of 3 pods are ready and run shop:v2 (sha256:55ce613b…)"


async def test_one_asked_for_by_digest_is_told_by_that() -> None:
    assert await told(replace(RELEASE, tag=None)) == "3 of 3 pods are ready and run shop (sha256:55ce613b…)"
