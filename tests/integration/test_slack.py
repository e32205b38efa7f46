"""Slack through its real protocol, on its good and bad days."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from cd_provider.adapters.notifiers import open_notifier, slack
from cd_provider.adapters.notifiers.slack_api import SlackNotifier
from cd_provider.core.message import Outcome, ReleaseMessage
from cd_provider.exceptions import NotifierRefusedError, NotifierUnavailableError
from tests.loopback import Answer, Loopback
from tests.stack.slack_double import SlackDouble

MESSAGE = ReleaseMessage(
    app="shop",
    image="registry.example/shop:v2",
    outcome=Outcome.RUNNING,
    line="errors 0.002 in 500 requests, allowed at most 0.01",
    facts={"To": "deployment/shop in shop"},
    weight=25,
)
DONE = replace(MESSAGE, outcome=Outcome.PROMOTED, weight=100)


@pytest.fixture
def double() -> Iterator[SlackDouble]:
    """Run a Slack of our own, with channels that refuse."""
    channels = {"releases": {}, "old": {"is_archived": True}, "secret": {"is_member": False}}
    with SlackDouble(channels=channels) as running:
        yield running


@pytest.fixture(autouse=True)
def connection(double: SlackDouble, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Airflow's connection to it."""
    connect(monkeypatch, url=double.url, token=double.token)


def connect(monkeypatch: pytest.MonkeyPatch, *, url: str, token: str, **extra: object) -> None:
    """Set up the connection ``slack_default``."""
    fields = {"conn_type": "slack", "password": token, "extra": json.dumps({"base_url": url, **extra})}
    monkeypatch.setenv("AIRFLOW_CONN_SLACK_DEFAULT", json.dumps(fields))


@asynccontextmanager
async def opened(channel: str = "#releases", **limits: float) -> AsyncIterator[SlackNotifier]:
    """Open Slack, with limits of our own on its time."""
    async with open_notifier(slack(channel)) as notifier:
        assert isinstance(notifier, SlackNotifier)
        for name, seconds in limits.items():
            setattr(notifier, name, seconds)
        yield notifier


def methods(double: SlackDouble) -> list[str]:
    return [call["method"] for call in double.calls()]


async def test_a_delivery_is_one_message_with_all_its_edits(double: SlackDouble) -> None:
    async with opened() as notifier:
        thread = await notifier.send(replace(MESSAGE, weight=5))
        for weight in (25, 50):
            thread = await notifier.send(replace(MESSAGE, weight=weight), thread=thread)
        await notifier.send(DONE, thread=thread)

    (message,) = double.messages()
    assert "shop promoted" in message["text"]
    assert "▓▓▓▓▓▓▓▓ 100 %" in json.dumps(message["blocks"], ensure_ascii=False)
    assert [before["text"].split(":")[0] for before in message["history"]] == [
        f"🔵 shop running, {weight} % of the traffic" for weight in (5, 25, 50)
    ]
    assert methods(double) == ["chat.postMessage", "chat.update", "chat.update", "chat.update"]


@pytest.mark.parametrize("thread", [False, True], ids=["posting", "editing"])
async def test_a_rate_limit_is_waited_out(double: SlackDouble, thread: bool) -> None:
    async with opened() as notifier:
        place = await notifier.send(MESSAGE) if thread else None
        double.fail("rate_limited", count=2, retry_after_s=1)
        await notifier.send(DONE, thread=place)

    (message,) = double.messages()
    assert "promoted" in message["text"]
    first, second, third = double.calls()[-3:]
    assert second["at"] - first["at"] > 0.9  # Slack asked for a second; its clock is not the loop's
    assert third["at"] - second["at"] > 0.9


async def test_a_rate_limit_beyond_our_patience_is_an_outage_at_once(double: SlackDouble) -> None:
    double.fail("rate_limited", retry_after_s=31)
    async with opened() as notifier:
        with pytest.raises(NotifierUnavailableError, match="in 31 s, and we wait 30 s in all"):
            await notifier.send(MESSAGE)

    assert methods(double) == ["chat.postMessage"]


async def test_a_rate_limit_without_end_ends(double: SlackDouble) -> None:
    double.fail("rate_limited", retry_after_s=1)
    async with opened(patience_s=2.5) as notifier:
        with pytest.raises(NotifierUnavailableError, match="too many messages"):
            await notifier.send(MESSAGE)

    assert methods(double) == ["chat.postMessage"] * 3


async def test_a_hanging_slack_is_left_alone_in_time(double: SlackDouble) -> None:
    double.fail("hang")
    async with opened(call_s=0.3) as notifier, asyncio.timeout(30):
        notifier.client.timeout = 600  # it is not slack_sdk that ends the call
        with pytest.raises(NotifierUnavailableError, match=r"no answer to chat\.postMessage"):
            await notifier.send(MESSAGE)
    double.recover()

    assert methods(double) == ["chat.postMessage"]


async def test_the_limits_are_ten_seconds_a_call_and_thirty_in_all(
    double: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, url=double.url, token=double.token, timeout=600)
    async with opened() as notifier:
        assert (notifier.call_s, notifier.patience_s) == (10, 30)

    connect(monkeypatch, url=double.url, token=double.token, timeout="3")
    async with opened() as notifier:
        assert notifier.call_s == 3


async def test_who_waits_for_slack_can_be_cancelled(double: SlackDouble) -> None:
    double.fail("hang")
    async with opened() as notifier:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(notifier.send(MESSAGE), 0.3)
    double.recover()


async def test_a_lost_answer_is_not_posted_twice(double: SlackDouble) -> None:
    double.fail("lost_answer", count=1)
    async with opened() as notifier:
        with pytest.raises(NotifierUnavailableError):
            await notifier.send(MESSAGE)

    assert len(double.messages()) == 1


@pytest.mark.parametrize("fault", ["http_500", "drop"])
async def test_an_outage_is_told_as_one(double: SlackDouble, fault: str) -> None:
    double.fail(fault)
    async with opened() as notifier:
        with pytest.raises(NotifierUnavailableError):
            await notifier.send(MESSAGE)

    assert double.messages() == []


@pytest.mark.parametrize(
    ("channel", "said"),
    [
        pytest.param("#nowhere", "no such channel", id="not there"),
        pytest.param("#old", "archived", id="archived"),
        pytest.param("#secret", "invite the app", id="not invited"),
    ],
)
async def test_a_channel_that_refuses_is_named(channel: str, said: str) -> None:
    async with opened(channel) as notifier:
        with pytest.raises(NotifierRefusedError, match=said) as caught:
            await notifier.send(MESSAGE)

    assert channel in str(caught.value)


async def test_a_wrong_token_is_refused_and_not_shown(
    double: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect(monkeypatch, url=double.url, token="xoxb-s3cret")
    async with opened() as notifier:
        with pytest.raises(NotifierRefusedError, match="no valid token") as caught:
            await notifier.send(MESSAGE)

    assert "s3cret" not in str(caught.value)


async def test_what_another_app_posted_is_not_edited_but_posted_anew(
    double: SlackDouble, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with opened() as notifier:
        thread = await notifier.send(MESSAGE)
    connect(monkeypatch, url=double.url, token=double.other_token)
    async with opened() as notifier:
        anew = await notifier.send(DONE, thread=thread)

    assert anew != thread
    assert ["running" in message["text"] for message in double.messages()] == [True, False]


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(Answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html"}), id="a page"),
        pytest.param(Answer(b"oops", headers={"Content-Type": "application/json"}), id="no JSON"),
        pytest.param(Answer(b"[1]", headers={"Content-Type": "application/json"}), id="a list"),
        pytest.param(Answer(b"null", headers={"Content-Type": "application/json"}), id="null"),
        pytest.param(Answer(b'{"ok": true}', headers={"Content-Type": "application/json"}), id="no place"),
        pytest.param(Answer(b"ok", headers={"Content-Type": "text/plain"}), id="plain text"),
        pytest.param(Answer(b"{}", 503, {"Content-Type": "application/json"}), id="503"),
        pytest.param(
            Answer(b'{"ok": true}', headers={"Content-Type": "application/json"}, cut=True), id="cut off"
        ),
    ],
)
async def test_what_is_not_slack_is_an_outage(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    with Loopback(answer) as server:
        connect(monkeypatch, url=f"http://127.0.0.1:{server.port}/api/", token="xoxb-s3cret")
        async with opened() as notifier:
            with pytest.raises(NotifierUnavailableError) as caught:
                await notifier.send(MESSAGE)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("no_proxy", "reaches"),
    [pytest.param("127.0.0.1", True, id="excepted"), pytest.param("", False, id="through the proxy")],
)
async def test_an_address_that_needs_no_proxy_gets_none(
    double: SlackDouble, monkeypatch: pytest.MonkeyPatch, no_proxy: str, reaches: bool
) -> None:
    with Loopback(Answer(status=502)) as proxy:
        for name in ("HTTPS_PROXY", "HTTP_PROXY", "https_proxy", "http_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, no_proxy)
        async with opened() as notifier:
            if reaches:
                await notifier.send(MESSAGE)
            else:
                with pytest.raises(NotifierUnavailableError):
                    await notifier.send(MESSAGE)

    assert len(double.messages()) == (1 if reaches else 0)
    assert bool(proxy.requests) is not reaches
