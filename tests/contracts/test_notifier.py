"""What every Notifier must do: the fake, and Slack as its API is written down."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest

import cd_provider.adapters.notifiers
from cd_provider.adapters.notifiers import NOTIFIERS, check_notify, open_notifier, slack
from cd_provider.core.blocks import fallback
from cd_provider.core.message import Outcome, ReleaseMessage
from cd_provider.core.ports import Notifier
from cd_provider.exceptions import (
    ArgumentError,
    ConnectionFaultError,
    NotifierRefusedError,
    NotifierUnavailableError,
    PermanentError,
    TransientError,
)
from tests.fakes import FakeNotifier
from tests.stack.slack_double import SlackDouble

MESSAGE = ReleaseMessage(
    app="shop",
    image="registry.example/shop:v2",
    outcome=Outcome.RUNNING,
    line="errors 0.002 in 500 requests, allowed at most 0.01",
    facts={"To": "deployment/shop in shop"},
    weight=25,
)
LATER = replace(MESSAGE, outcome=Outcome.PROMOTED, weight=100)


@pytest.fixture
def double() -> Iterator[SlackDouble]:
    """Run a Slack of our own."""
    with SlackDouble() as running:
        yield running


@pytest.fixture
def connection(double: SlackDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Airflow's connection to it."""
    extra = json.dumps({"base_url": double.url})
    fields = {"conn_type": "slack", "password": double.token, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_DEFAULT", json.dumps(fields))


class World:
    """One kind of notifier, and what it shows; ``texts`` are of the messages that stand there now."""

    def __init__(self, kind: str, double: SlackDouble) -> None:
        self.kind, self.double, self.fake = kind, double, FakeNotifier()

    @asynccontextmanager
    async def notifier(self) -> AsyncIterator[Notifier]:
        if self.kind == "fake":
            yield self.fake
            return
        async with open_notifier(slack()) as notifier:
            yield notifier

    @property
    def texts(self) -> list[str]:
        if self.kind == "fake":
            return [fallback(history[-1]) for history in self.fake.messages.values()]
        return [message["text"] for message in self.double.messages()]

    def lose_everything(self) -> None:
        self.fake.messages.clear()
        self.double.reset()


@pytest.fixture(params=["fake", *NOTIFIERS])
def world(request: pytest.FixtureRequest, double: SlackDouble, connection: None) -> World:
    """Give the fake, then each adapter."""
    return World(request.param, double)


async def test_the_first_call_posts_and_says_where(world: World) -> None:
    async with world.notifier() as notifier:
        thread = await notifier.send(MESSAGE)

    assert world.texts == [fallback(MESSAGE)]
    assert thread
    assert json.loads(json.dumps(dict(thread))) == thread
    assert all(isinstance(value, str) for value in thread.values())


async def test_the_same_message_is_edited_not_repeated(world: World) -> None:
    async with world.notifier() as notifier:
        thread = await notifier.send(MESSAGE)
        again = await notifier.send(LATER, thread=thread)
        once_more = await notifier.send(LATER, thread=again)

    assert world.texts == [fallback(LATER)]
    assert thread == again == once_more


async def test_a_place_outlives_the_notifier(world: World) -> None:
    async with world.notifier() as notifier:
        thread = await notifier.send(MESSAGE)
    async with world.notifier() as another:
        await another.send(LATER, thread=json.loads(json.dumps(dict(thread))))

    assert world.texts == [fallback(LATER)]


async def test_what_has_to_be_heard_is_a_message_of_its_own_below_the_first(world: World) -> None:
    """An edit tells nobody."""
    async with world.notifier() as notifier:
        thread = await notifier.send(MESSAGE)
        await notifier.send(LATER, under=thread)

    assert world.texts == [fallback(MESSAGE), fallback(LATER)]
    if world.kind == "slack":
        (first, second) = world.double.messages()
        assert (second["thread_ts"], second["subtype"]) == (first["ts"], "thread_broadcast")
        assert second["channel"] == first["channel"]


async def test_two_releases_are_two_messages(world: World) -> None:
    async with world.notifier() as notifier:
        first = await notifier.send(MESSAGE)
        second = await notifier.send(LATER)

    assert world.texts == [fallback(MESSAGE), fallback(LATER)]
    assert first != second


async def test_a_message_that_is_gone_is_posted_anew_and_edited_from_then_on(world: World) -> None:
    async with world.notifier() as notifier:
        thread = await notifier.send(MESSAGE)
        world.lose_everything()
        anew = await notifier.send(MESSAGE, thread=thread)
        await notifier.send(LATER, thread=anew)

    assert world.texts == [fallback(LATER)]


@pytest.mark.usefixtures("connection")
@pytest.mark.parametrize(
    ("error", "expected", "said"),
    [
        pytest.param("invalid_auth", PermanentError, "no valid token", id="token"),
        pytest.param("not_in_channel", PermanentError, "invite the app", id="not invited"),
        pytest.param("channel_not_found", PermanentError, "no such channel", id="no channel"),
        pytest.param("missing_scope", PermanentError, "chat:write", id="scope"),
        pytest.param("something_new", PermanentError, "something_new", id="an error that is new to us"),
        pytest.param("internal_error", TransientError, "internal_error", id="its own trouble"),
        pytest.param("service_unavailable", TransientError, "service_unavailable", id="down"),
    ],
)
async def test_a_refusal_says_whether_a_retry_helps(
    double: SlackDouble, error: str, expected: type[Exception], said: str
) -> None:
    double.fail("error", error=error)
    async with open_notifier(slack()) as notifier:
        with pytest.raises((NotifierRefusedError, NotifierUnavailableError), match=said) as caught:
            await notifier.send(MESSAGE)

    assert isinstance(caught.value, expected)
    assert double.token not in str(caught.value)
    assert "slack_default" in str(caught.value)


@pytest.mark.parametrize(
    ("notify", "said"),
    [
        pytest.param(None, "expected what slack", id="nothing"),
        pytest.param("#releases", "expected what slack", id="a text"),
        pytest.param({"kind": "email"}, "expected what slack", id="an unknown kind"),
        pytest.param({**slack(), "chanel": "#x"}, "unknown key 'chanel'", id="a typo"),
        pytest.param(slack(" "), "channel: saw ' '", id="an empty channel"),
        pytest.param({**slack(), "slack_conn_id": 7}, "slack_conn_id: saw 7", id="a number"),
    ],
)
def test_a_typo_is_not_a_default(notify: Any, said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        check_notify(notify)


def test_what_the_maker_gives_is_plain_json_and_may_be_templated() -> None:
    made = slack("{{ params.channel }}", slack_conn_id="team_slack")

    assert check_notify(json.loads(json.dumps(made))) == made
    assert check_notify({"kind": "slack"}) == slack()


async def test_the_maker_is_still_there_once_slack_was_used(double: SlackDouble, connection: None) -> None:
    async with open_notifier(slack()) as notifier:
        await notifier.send(MESSAGE)

    assert callable(cd_provider.adapters.notifiers.slack)


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        pytest.param({}, "password is empty", id="no token"),
        pytest.param({"password": "t", "extra": '{"base_url": "slack.com"}'}, "base_url", id="no address"),
        pytest.param({"password": "t", "extra": '{"base_url": 7}'}, "base_url", id="a number as address"),
        pytest.param({"password": "t", "extra": '{"timeout": "soon"}'}, "timeout", id="no number"),
    ],
)
async def test_a_connection_that_cannot_be_used_is_an_error(
    monkeypatch: pytest.MonkeyPatch, fields: dict[str, str], said: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_DEFAULT", json.dumps({"conn_type": "slack", **fields}))

    with pytest.raises(PermanentError, match=said):
        async with open_notifier(slack()):
            pass


async def test_a_missing_connection_is_an_error() -> None:
    with pytest.raises(ConnectionFaultError, match="'nobody_made_this'"):
        async with open_notifier(slack(slack_conn_id="nobody_made_this")):
            pass
