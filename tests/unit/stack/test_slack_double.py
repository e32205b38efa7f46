"""The stand-in for Slack, seen through the real slack-sdk."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.builtin_handlers import RateLimitErrorRetryHandler

from tests.stack.airflow_settings import REPOSITORY, free_port
from tests.stack.session_process import wait_until
from tests.stack.slack_control import SlackControl
from tests.stack.slack_double import SlackDouble

SECTION = [{"type": "section", "text": {"type": "mrkdwn", "text": "canary at 5 %"}}]


@pytest.fixture
def slack() -> Iterator[SlackDouble]:
    channels = {"releases": {}, "old": {"is_archived": True}, "private": {"is_member": False}}
    with SlackDouble(channels=channels) as double:
        yield double


@pytest.fixture
def client(slack: SlackDouble) -> WebClient:
    return WebClient(token=slack.token, base_url=slack.url, timeout=5)


def error_of(call: object, **arguments: object) -> str:
    with pytest.raises(SlackApiError) as caught:
        call(**arguments)  # type: ignore[operator]
    return str(caught.value.response["error"])


def test_the_token_tells_who_we_are(client: WebClient) -> None:
    assert client.auth_test()["user_id"] == "U0RELEASE"


def test_a_wrong_token_is_invalid_auth(slack: SlackDouble) -> None:
    assert error_of(WebClient(token="xoxb-wrong", base_url=slack.url).auth_test) == "invalid_auth"


def test_no_token_is_not_authed(slack: SlackDouble) -> None:
    answer = httpx.post(f"{slack.url}chat.postMessage", json={"channel": "releases", "text": "hi"})

    assert (answer.status_code, answer.json()["error"]) == (200, "not_authed")


def test_no_token_is_ever_shown(slack: SlackDouble, client: WebClient) -> None:
    client.api_call("chat.postMessage", data={"token": slack.token, "channel": "releases", "text": "hi"})

    assert slack.token not in json.dumps([slack.calls(), slack.messages()])


@pytest.mark.parametrize("name", ["#releases", "releases", "C0000000001"])
def test_a_message_is_posted_by_name_or_id(slack: SlackDouble, client: WebClient, name: str) -> None:
    answer = client.chat_postMessage(channel=name, text="hi", blocks=SECTION)

    (message,) = slack.messages()
    assert answer["channel"] == message["channel"] == "C0000000001"
    assert answer["ts"] == message["ts"]
    assert (message["text"], message["blocks"], message["channel_name"]) == ("hi", SECTION, "releases")


def test_a_reply_keeps_its_thread(slack: SlackDouble, client: WebClient) -> None:
    ts = client.chat_postMessage(channel="#releases", text="release")["ts"]
    client.chat_postMessage(channel="#releases", text="detail", thread_ts=ts)

    assert [m.get("thread_ts") for m in slack.messages()] == [None, ts]


def test_two_messages_never_share_a_ts(client: WebClient) -> None:
    stamps = {client.chat_postMessage(channel="#releases", text="hi")["ts"] for _ in range(20)}

    assert len(stamps) == 20


def test_an_edit_keeps_what_was_there(slack: SlackDouble, client: WebClient) -> None:
    posted = client.chat_postMessage(channel="#releases", text="5 %", blocks=SECTION)
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="promoted", blocks=SECTION)

    (message,) = slack.messages()
    assert message["text"] == "promoted"
    assert [(h["text"], h["blocks"]) for h in message["history"]] == [("5 %", SECTION)]
    assert message["edited"]["user"] == "U0RELEASE"


def test_an_edit_with_text_alone_drops_the_blocks(slack: SlackDouble, client: WebClient) -> None:
    posted = client.chat_postMessage(channel="#releases", text="5 %", blocks=SECTION)
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="promoted")

    assert "blocks" not in slack.messages()[0]


def test_an_edit_needs_the_channels_id(client: WebClient) -> None:
    ts = client.chat_postMessage(channel="#releases", text="5 %")["ts"]

    assert error_of(client.chat_update, channel="#releases", ts=ts, text="x") == "channel_not_found"


def test_an_edit_of_nothing_is_message_not_found(client: WebClient) -> None:
    assert error_of(client.chat_update, channel="C0000000001", ts="1.000001", text="x") == "message_not_found"


def test_another_bot_may_not_edit(slack: SlackDouble, client: WebClient) -> None:
    posted = client.chat_postMessage(channel="#releases", text="5 %")
    other = WebClient(token=slack.other_token, base_url=slack.url)

    seen = error_of(other.chat_update, channel=posted["channel"], ts=posted["ts"], text="x")

    assert seen == "cant_update_message"


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        pytest.param({"channel": "#nowhere", "text": "x"}, "channel_not_found", id="no such channel"),
        pytest.param({"channel": "#old", "text": "x"}, "is_archived", id="archived"),
        pytest.param({"channel": "#private", "text": "x"}, "not_in_channel", id="not a member"),
        pytest.param({"channel": "#releases", "blocks": []}, "no_text", id="nothing to show"),
        pytest.param(
            {"channel": "#releases", "text": "x", "blocks": "[{"}, "invalid_blocks_format", id="not JSON"
        ),
        pytest.param(
            {"channel": "#releases", "text": "x", "blocks": SECTION * 51}, "invalid_blocks", id="51 blocks"
        ),
        pytest.param(
            {
                "channel": "#releases",
                "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2900}}] * 5,
            },
            "msg_blocks_too_long",
            id="14,500 characters",
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:The top-level `text` argument is missing:UserWarning")
def test_slack_refuses(client: WebClient, arguments: dict[str, object], error: str) -> None:
    assert error_of(client.chat_postMessage, **arguments) == error


def test_a_refusal_of_blocks_says_where(client: WebClient) -> None:
    blocks = [{"type": "section", "text": {"type": "mrkdwn", "text": "x" * 3001}}]

    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="#releases", text="x", blocks=blocks)

    said = caught.value.response["response_metadata"]["messages"]
    assert "[ERROR] must be less than 3001 characters [json-pointer:/blocks/0/text/text]" in said


def test_a_long_post_is_cut_and_a_long_edit_refused(slack: SlackDouble, client: WebClient) -> None:
    posted = client.chat_postMessage(channel="#releases", text="x" * 40_001)

    assert len(slack.messages()[0]["text"]) == 40_000
    assert posted["response_metadata"]["warnings"] == ["message_truncated"]
    edit = {"channel": posted["channel"], "ts": posted["ts"]}
    assert error_of(client.chat_update, **edit, text="x" * 4_001) == "msg_too_long"
    client.chat_update(**edit, text="x" * 4_000)


@pytest.mark.parametrize("how", ["data", "params", "json", "files"])
def test_every_encoding_of_the_sdk_arrives(slack: SlackDouble, client: WebClient, how: str) -> None:
    arguments = {"channel": "releases", "text": "ü & <b>", "blocks": json.dumps(SECTION)}
    sent: dict[str, Any] = {how: arguments}
    if how == "files":
        sent = {"data": arguments, "files": {"ignored": b"content"}}

    client.api_call("chat.postMessage", **sent)

    assert [(m["text"], m["blocks"]) for m in slack.messages()] == [("ü & <b>", SECTION)]


def test_what_is_no_call_of_slack_is_refused(slack: SlackDouble) -> None:
    head = {"Authorization": f"Bearer {slack.token}"}
    xml = httpx.post(f"{slack.url}auth.test", content="<a/>", headers={**head, "Content-Type": "text/xml"})
    text = {**head, "Content-Type": "application/json; charset=utf-8"}

    assert xml.json()["error"] == "invalid_post_type"
    assert httpx.post(f"{slack.url}auth.test", content="{", headers=text).json()["error"] == "invalid_json"
    assert (
        httpx.post(f"{slack.url}auth.test", content="[]", headers=text).json()["error"] == "json_not_object"
    )
    assert httpx.post(f"{slack.url}chat.nothing", headers=head).json()["error"] == "unknown_method"


def test_a_rate_limit_says_when_to_come_back(slack: SlackDouble, client: WebClient) -> None:
    slack.fail("rate_limited", retry_after_s=7, count=1)

    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="#releases", text="x")

    response = caught.value.response
    assert (response.status_code, response.headers["Retry-After"]) == (429, "7")
    assert response["error"] == "ratelimited"
    assert slack.messages() == []


def test_the_sdks_own_handler_gets_past_a_rate_limit(slack: SlackDouble, client: WebClient) -> None:
    client.retry_handlers.append(RateLimitErrorRetryHandler(max_retry_count=2))
    slack.fail("rate_limited", retry_after_s=1, count=1)

    client.chat_postMessage(channel="#releases", text="x")

    assert [call["status"] for call in slack.calls()] == [429, 200]


def test_a_hanging_slack_answers_nothing(slack: SlackDouble) -> None:
    slack.fail("hang")
    hasty = WebClient(token=slack.token, base_url=slack.url, timeout=1, retry_handlers=[])

    with pytest.raises(TimeoutError):
        hasty.chat_postMessage(channel="#releases", text="x")

    assert [call["status"] for call in slack.calls()] == [None]


def test_recovery_cuts_what_hangs(slack: SlackDouble) -> None:
    slack.fail("hang")
    seen: list[BaseException] = []

    def post() -> None:
        try:
            httpx.post(f"{slack.url}api.test", timeout=30, trust_env=False)
        except httpx.HTTPError as err:
            seen.append(err)

    caller = threading.Thread(target=post)
    caller.start()
    wait_until(lambda: bool(slack.calls()), timeout_s=10)
    slack.recover()
    caller.join(timeout=10)

    assert [type(err) for err in seen] == [httpx.RemoteProtocolError]


def test_a_lost_answer_leaves_the_message(slack: SlackDouble) -> None:
    slack.fail("lost_answer", count=1)
    client = WebClient(token=slack.token, base_url=slack.url, timeout=5, retry_handlers=[])

    with pytest.raises(ConnectionError):
        client.chat_postMessage(channel="#releases", text="once")

    assert [message["text"] for message in slack.messages()] == ["once"]


def test_a_dropped_call_leaves_nothing(slack: SlackDouble) -> None:
    slack.fail("drop", count=1)
    client = WebClient(token=slack.token, base_url=slack.url, timeout=5, retry_handlers=[])

    with pytest.raises(ConnectionError):
        client.chat_postMessage(channel="#releases", text="never")

    assert slack.messages() == []


def test_faults_meet_only_the_methods_named(slack: SlackDouble, client: WebClient) -> None:
    slack.fail("error", methods=["chat.update"], error="edit_window_closed")
    posted = client.chat_postMessage(channel="#releases", text="5 %")

    seen = error_of(client.chat_update, channel=posted["channel"], ts=posted["ts"], text="x")
    slack.recover()
    client.chat_update(channel=posted["channel"], ts=posted["ts"], text="10 %")

    assert seen == "edit_window_closed"
    assert slack.messages()[0]["text"] == "10 %"


def test_a_500_is_no_json(slack: SlackDouble, client: WebClient) -> None:
    slack.fail("http_500", count=1)

    with pytest.raises(SlackApiError) as caught:
        client.chat_postMessage(channel="#releases", text="x")

    assert caught.value.response.status_code == 500


def test_a_fault_that_does_not_exist_is_refused(slack: SlackDouble) -> None:
    with pytest.raises(ValueError, match="no fault 'slow'"):
        slack.fail("slow")


def test_reset_forgets(slack: SlackDouble, client: WebClient) -> None:
    client.chat_postMessage(channel="#releases", text="x")
    slack.fail("drop")

    slack.reset()

    assert (slack.messages(), slack.calls()) == ([], [])
    assert client.auth_test()["ok"]


def test_it_runs_as_a_process_of_its_own(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "-m", "tests.stack.slack_double", f"--port={port}", "--channel=#deploys"]
    with subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL) as process:
        try:
            control = SlackControl(f"http://127.0.0.1:{port}")
            control.wait_ready()
            WebClient(token=control.token, base_url=control.url).chat_postMessage(
                channel="#deploys", text="hi"
            )

            assert [message["text"] for message in control.messages()] == ["hi"]
        finally:
            process.terminate()


def test_it_listens_on_the_loopback_alone(slack: SlackDouble) -> None:
    port = httpx.URL(slack.root).port

    with socket.socket() as probe, pytest.raises(ConnectionRefusedError):
        probe.connect(("127.0.0.2", port))
