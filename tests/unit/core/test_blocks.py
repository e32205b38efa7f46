"""A release's message as Slack shows it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cd_provider.core.blocks import FALLBACK, STATUS, bar, fallback, image_text, render
from cd_provider.core.message import Outcome, ReleaseMessage
from tests.stack.slack_blocks import MAX_ALL_TEXT, complaints, text_size

DIGEST = "sha256:" + "ab" * 32
MESSAGE = ReleaseMessage(
    app="shop",
    image=f"registry.example/team/shop:v2@{DIGEST}",
    outcome=Outcome.ABORTED,
    line="errors 0.31 in 61 requests, allowed at most 0.01: broken",
    facts={"To": "deployment/shop in shop", "Asked by": "ann"},
    weight=0,
    next_step="Mend the cause and deliver a new image.",
    url="https://airflow.example/dags/shop/runs/manual__2026?a=1&b=2",
)

texts = st.text(max_size=6000)
messages = st.builds(
    ReleaseMessage,
    app=texts,
    image=texts,
    outcome=st.sampled_from(Outcome),
    line=texts,
    facts=st.dictionaries(texts, texts, max_size=40),
    weight=st.none() | st.integers(0, 100),
    next_step=st.none() | texts,
    url=st.none() | texts.map(lambda text: "https://airflow.example/" + text),
)


def shown(message: ReleaseMessage) -> str:
    blocks, _ = render(message, at=1_800_000_000.5)
    return json.dumps(blocks, ensure_ascii=False)


def test_everything_that_matters_is_in_it() -> None:
    text = shown(MESSAGE)

    for part in (
        "shop: aborted",
        "registry.example/team/shop:v2",
        "sha256:abababab…",
        "░░░░░░░░ 0 %",
        "ann",
    ):
        assert part in text
    assert "errors 0.31 in 61 requests, allowed at most 0.01: broken" in text
    assert "*Next:* Mend the cause" in text
    assert "<https://airflow.example/dags/shop/runs/manual__2026?a=1&amp;b=2|Open the run in Airflow>" in text
    assert "<!date^1800000000^{date_short_pretty} {time_secs}|2027-01-15 08:00:00 UTC>" in text


@pytest.mark.parametrize("outcome", Outcome)
def test_the_outcome_is_a_word_and_not_only_a_colour(outcome: Outcome) -> None:
    blocks, text = render(replace(MESSAGE, outcome=outcome), at=0)

    assert f"shop: {outcome.value}" in blocks[0]["text"]["text"]
    assert f"shop {outcome.value}" in text


def test_no_two_outcomes_look_alike() -> None:
    assert len(set(STATUS.values())) == len(Outcome)


def test_what_is_not_there_takes_no_room() -> None:
    bare = ReleaseMessage(app="shop", image="", outcome=Outcome.RUNNING, line=" ", facts={"To": ""})

    blocks, _ = render(bare, at=0)

    assert [block["type"] for block in blocks] == ["header", "context"]


def test_an_image_that_is_among_the_facts_is_told_once() -> None:
    assert shown(replace(MESSAGE, facts={"Image": "shop:v2 (abab)"})).count("Image") == 1


def test_what_slack_would_read_as_markup_is_text() -> None:
    text = shown(replace(MESSAGE, app="<!channel>", line="a < b && <@U1>", facts={"<x>": "<!here>"}))

    for markup in ("<!channel>", "<@U1>", "<!here>", "<x>"):
        assert markup not in text
    assert "a &lt; b &amp;&amp; &lt;@U1&gt;" in text


@pytest.mark.parametrize(
    "url", ["javascript:alert(1)", "https://a/" + "b" * 2000, "https://a/" + "&" * 900, ""]
)
def test_only_a_link_that_leads_to_a_page_is_one(url: str) -> None:
    assert "Open the run" not in shown(replace(MESSAGE, url=url))


def test_a_link_cannot_end_its_own_markup() -> None:
    assert "<https://a/%3E%7C%3C!here%3E|Open" in shown(replace(MESSAGE, url="https://a/>|<!here>"))


@pytest.mark.parametrize(
    ("weight", "drawn"),
    [
        (0, "░░░░░░░░ 0 %"),
        (1, "▓░░░░░░░ 1 %"),
        (25, "▓▓░░░░░░ 25 %"),
        (50, "▓▓▓▓░░░░ 50 %"),
        (99, "▓▓▓▓▓▓▓░ 99 %"),
        (100, "▓▓▓▓▓▓▓▓ 100 %"),
    ],
)
def test_a_share_is_drawn(weight: int, drawn: str) -> None:
    assert bar(weight) == drawn


@pytest.mark.parametrize(
    ("image", "told"),
    [
        pytest.param("shop:v2", "docker.io/library/shop:v2", id="tag"),
        pytest.param(f"r.example/shop@{DIGEST}", "r.example/shop (sha256:abababab…)", id="digest"),
        pytest.param("not an image", "not an image", id="anything else as it is"),
    ],
)
def test_an_image_is_told_briefly(image: str, told: str) -> None:
    assert image_text(image) == told


@given(messages)
def test_slack_takes_every_message(message: ReleaseMessage) -> None:
    blocks, text = render(message, at=1_800_000_000)

    assert complaints(blocks) == []
    assert text_size(blocks) <= MAX_ALL_TEXT
    assert 0 < len(text) <= FALLBACK


def test_slack_takes_the_longest_message() -> None:
    long = "&" * 6000
    facts = {f"{number}{long}": long for number in range(40)}
    url = "https://airflow.example/" + "&" * 195
    message = ReleaseMessage(long, long, Outcome.RUNNING, long, facts, 50, long, url)

    blocks, _ = render(message, at=1_800_000_000)

    assert complaints(blocks) == []
    assert text_size(blocks) <= MAX_ALL_TEXT


def test_what_is_too_long_is_cut_between_characters_of_the_reader() -> None:
    text = fallback(replace(MESSAGE, line="&" * 6000))

    assert text.endswith("&amp;…")
