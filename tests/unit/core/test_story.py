from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cd_provider.core.message import Outcome, ReleaseMessage
from cd_provider.core.release import Release, Target
from cd_provider.core.story import NEXT_STEP, planned, short_image, tell
from cd_provider.core.traffic import Step

DIGEST = "sha256:" + "0123456789abcdef" * 4
RELEASE = Release(
    app="shop", image=f"r.example/team/shop@{DIGEST}", digests=(DIGEST,), tag="v2", delivery="d-1", asked_at=1.0,
    dag_id="shop", run_id="manual__1", asked_by="ada", url="http://airflow/run",
)  # fmt: skip
TARGET = Target("deployment/shop", "web", {"kind": "gateway_api", "route": "shop"})


def told(release: Release = RELEASE, outcome: Outcome = Outcome.RUNNING, **more: Any) -> ReleaseMessage:
    return tell(release, TARGET, outcome=outcome, line="errors 0.3, allowed at most 0.01: broken", **more)


def test_who_what_and_where_are_in_every_message() -> None:
    message = told()

    assert message.facts == {
        "Image": "team/shop:v2 (sha256:01234567…)",
        "To": "deployment/shop in web",
        "Asked by": "ada",
    }
    assert (message.app, message.image, message.url) == ("shop", RELEASE.image, "http://airflow/run")
    assert message.line == "errors 0.3, allowed at most 0.01: broken"


def test_a_run_that_nobody_pressed_for_was_asked_for_by_the_schedule() -> None:
    assert told(replace(RELEASE, asked_by=None)).facts["Asked by"] == "schedule"


def test_the_commit_is_told_once_it_is_known() -> None:
    assert "Commit" not in told().facts
    assert told(replace(RELEASE, source_commit="abcdef0123456789")).facts["Commit"] == "abcdef012345"


def test_further_facts_stand_behind_the_standing_ones() -> None:
    assert list(told(more={"Step": "1 of 3"}).facts) == ["Image", "To", "Asked by", "Step"]


@pytest.mark.parametrize("outcome", list(Outcome))
def test_every_end_says_what_to_do_next(outcome: Outcome) -> None:
    assert bool(told(outcome=outcome).next_step) is (outcome is not Outcome.RUNNING)


def test_a_next_step_of_its_own_takes_the_usual_ones_place() -> None:
    assert told(outcome=Outcome.ABORTED, next_step="Ask Ada.").next_step == "Ask Ada."
    assert NEXT_STEP[Outcome.ABORTED] != "Ask Ada."


@pytest.mark.parametrize(
    ("image", "tag", "short"),
    [
        pytest.param(RELEASE.image, "v2", "team/shop:v2 (sha256:01234567…)", id="tag and digest"),
        pytest.param(RELEASE.image, None, "team/shop (sha256:01234567…)", id="digest alone"),
        pytest.param("r.example/team/shop:v2", "v2", "r.example/team/shop:v2", id="not verified yet"),
        pytest.param("No Image", None, "No Image", id="what is no image is told as it is"),
    ],
)
def test_an_image_is_told_as_people_know_it(image: str, tag: str | None, short: str) -> None:
    assert short_image(replace(RELEASE, image=image, tag=tag)) == short


STEPS = (Step(10, 30.0), Step(50, 90.0))


def test_a_plan_says_in_one_line_what_it_found() -> None:
    line = planned(
        RELEASE, TARGET, container="main", service="shop-http", steps=STEPS, gates=2, window="open until noon"
    )

    assert line == (
        "team/shop:v2 (sha256:01234567…) for container main of deployment/shop in web; route shop splits Service "
        "shop-http: 10 % for 30 s, 50 % for 90 s; 2 gate(s); window: open until noon"
    )


def test_a_plan_without_a_window_or_gates_says_so() -> None:
    line = planned(RELEASE, TARGET, container="main", service="shop-http", steps=STEPS, gates=0, window=None)

    assert line.endswith("50 % for 90 s; no gate, pod health only; no window")
