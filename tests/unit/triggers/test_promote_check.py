"""What a promotion goes by: one stored verdict, for exactly this release, these gates and this attempt, and fresh."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cd_provider.core.names import ATTEMPT, VERDICT
from cd_provider.core.release import Release, Verdict
from cd_provider.core.situation import CanaryPlan
from cd_provider.exceptions import NotPassedError
from cd_provider.triggers.promote_loop import Promotion, check_pass

DIGEST = "sha256:" + "1" * 64
RELEASE = Release("shop", f"r.example/shop@{DIGEST}", (DIGEST,), "v2", "d-1", 0.0, "dag", "run")
PROMOTION = Promotion(RELEASE, "gates", CanaryPlan((), (), (DIGEST,), deadline=1e9), 1e9, 1.0)
NOW = 100_000.0
GIVEN = Verdict("PASS", RELEASE.id, "gates", 2, NOW - 60.0, "kept", NOW - 600.0, NOW - 70.0)


def check(verdict: Verdict | dict[str, Any] | None, *, attempt: int | None = 2, now: float = NOW) -> Verdict:
    notes = {ATTEMPT: str(attempt)} if attempt else {}
    if verdict is not None:
        notes[VERDICT] = json.dumps(verdict.as_dict() if isinstance(verdict, Verdict) else verdict)
    return check_pass(notes, PROMOTION, now=now)


@pytest.mark.parametrize("kind", ["PASS", "OBSERVED", "OVERRIDE"])
def test_what_lets_a_release_through_is_taken(kind: str) -> None:
    verdict = replace(GIVEN, kind=kind, by="ada", reason="hot fix")

    assert check(verdict) == verdict


def test_one_of_before_there_were_samples_is_taken() -> None:
    old = {
        key: value
        for key, value in GIVEN.as_dict().items()
        if key in ("kind", "release", "gates", "attempt", "at")
    }

    assert check(old).kind == "PASS"


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"kind": "FAIL"}, r"no PASS is stored .* saw FAIL \(kept\)"),
        ({"kind": "INCONCLUSIVE"}, "saw INCONCLUSIVE"),
        ({"kind": "pass"}, "saw pass"),
        ({"release": "another"}, "is for release another"),
        ({"gates": "others"}, "gates others"),
        ({"attempt": 1}, "the stored PASS is of attempt 1, the candidate of attempt 2"),
        ({"at": NOW - 3601.0}, "until 60 minutes ago, allowed are 60"),
        ({"last_sample": NOW - 4200.0}, "until 70 minutes ago, allowed are 60"),
        ({"kind": "OVERRIDE", "by": "ada"}, "names nobody, or no reason"),
        ({"kind": "OVERRIDE", "reason": "hot fix"}, "names nobody, or no reason"),
    ],
)
def test_anything_else_promotes_nothing_and_is_told(changed: dict[str, Any], told: str) -> None:
    with pytest.raises(NotPassedError, match=told):
        check(replace(GIVEN, **changed))


def test_without_a_verdict_or_without_the_candidates_attempt_nothing_is_promoted() -> None:
    with pytest.raises(NotPassedError, match="saw none"):
        check(None)
    with pytest.raises(NotPassedError, match="the candidate of attempt unknown"):
        check(GIVEN, attempt=None)
