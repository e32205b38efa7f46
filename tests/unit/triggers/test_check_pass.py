"""Promotion needs a PASS of its own: what was never judged, or judged otherwise, is not promoted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cd_provider.core.names import ATTEMPT, VERDICT, compact
from cd_provider.core.release import Release, Verdict
from cd_provider.core.situation import CanaryPlan
from cd_provider.core.traffic import Step
from cd_provider.exceptions import NotPassedError
from cd_provider.triggers.promote_loop import PASS_AGE_S, Promotion, check_pass

RELEASE = Release("shop", "registry.example/shop@sha256:" + "1" * 64, (), "v2", "d-1", 0.0, "dag", "run")
PROMOTION = Promotion(
    RELEASE, "gates", CanaryPlan((Step(10, 60),), (), (), deadline=1e9), deadline=1e9, drain_s=1.0
)
PASS = Verdict("PASS", RELEASE.id, "gates", 1, 1000.0, "all is well")


def checked(verdict: Verdict | None, *, now: float = 1010.0) -> Verdict:
    notes = {VERDICT: compact(verdict.as_dict())} if verdict else {}
    return check_pass({ATTEMPT: "1", **notes}, PROMOTION, now=now)


def test_its_own_pass_is_taken() -> None:
    assert checked(PASS) == PASS


@pytest.mark.parametrize(
    ("verdict", "told"),
    [
        pytest.param(None, "saw none", id="none"),
        *(pytest.param(replace(PASS, kind=kind), f"saw {kind}", id=kind) for kind in (
            "FAIL", "INCONCLUSIVE", "NO_DATA", "ERROR", "ABORTED", "TRIP", "", "pass",
        )),
        pytest.param(replace(PASS, release="other"), "for release other", id="of another release"),
        pytest.param(replace(PASS, gates="laxer"), "gates laxer", id="of other gates"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(verdict: Verdict | None, told: str) -> None:
    with pytest.raises(NotPassedError, match=told):
        checked(verdict)


@pytest.mark.parametrize("text", ["", "PASS", "{}", "null", "[1]", '{"kind": "PASS"}'])
def test_what_is_no_verdict_is_none(text: str) -> None:
    with pytest.raises(NotPassedError, match="saw none"):
        check_pass({VERDICT: text}, PROMOTION, now=1010.0)


def test_an_old_pass_is_none() -> None:
    assert checked(PASS, now=1000.0 + PASS_AGE_S)
    with pytest.raises(NotPassedError, match="minutes ago, allowed are 60"):
        checked(PASS, now=1000.0 + PASS_AGE_S + 1.0)
