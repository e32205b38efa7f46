"""What a Slack workspace does with calls of its Web API: rules and memory, no sockets."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Mapping
from typing import Any

from tests.stack.slack_blocks import MAX_ALL_TEXT, complaints, text_size

POST_LIMIT = 40_000  # longer text is cut, with a warning
UPDATE_LIMIT = 4_000  # longer text is refused
TRUNCATED = (
    "[WARN] Your message was truncated but still posted. The `text` field accepts up to 40,000 characters."
)

Json = dict[str, Any]


class SlackRefusal(Exception):
    """Slack's ``{"ok": false, "error": …}``; ``details`` are the lines under ``errors``."""

    def __init__(self, error: str, *details: str) -> None:
        super().__init__(error)
        self.error, self.details = error, details

    def body(self) -> Json:
        """The answer as Slack sends it, with status 200."""
        body: Json = {"ok": False, "error": self.error}
        if self.details:
            body["errors"] = list(self.details)
            body["response_metadata"] = {"messages": [f"[ERROR] {line}" for line in self.details]}
        return body


class SlackWorkspace:
    """
    One workspace with some channels and the messages in them.

    :param tokens: bearer token → user id of its bot; who posted a message is who may edit it.
    :param channels: channel name → fields over ``{"id": "C…", "is_member": True, "is_archived": False}``.
    """

    def __init__(
        self,
        *,
        tokens: Mapping[str, str],
        channels: Mapping[str, Mapping[str, Any]],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.tokens, self._clock, self._last_ts = dict(tokens), clock, 0.0
        self.channels: dict[str, Json] = {}
        for number, (name, fields) in enumerate(channels.items(), start=1):
            made = {"id": f"C{number:010d}", "name": name, "is_member": True, "is_archived": False}
            self.channels[name] = {**made, **fields}
        self.messages: list[Json] = []
        self._methods: dict[str, Callable[[str, Json], Json]] = {
            "api.test": lambda _, args: {"args": args},
            "auth.test": self._auth_test,
            "chat.getPermalink": self._permalink,
            "chat.postMessage": self._post,
            "chat.update": self._update,
            "conversations.info": self._info,
            "conversations.list": self._list,
        }

    def call(self, method: str, token: str | None, args: Json) -> Json:
        """
        Answer one call.

        :param token: what came as bearer token, or as ``token`` in a form.
        :raises SlackRefusal: as Slack's page on the method says.
        """
        if method not in self._methods:
            raise SlackRefusal("unknown_method")
        if method != "api.test":
            if not token:
                raise SlackRefusal("not_authed")
            if token not in self.tokens:
                raise SlackRefusal("invalid_auth")
        return {"ok": True, **self._methods[method](self.tokens.get(token or "", ""), args)}

    def _auth_test(self, user: str, args: Json) -> Json:
        names = {
            "url": "https://double.slack.com/",
            "team": "Double",
            "user": "release_bot",
            "team_id": "T0DOUBLE",
        }
        return {**names, "user_id": user, "bot_id": _bot(user), "is_enterprise_install": False}

    def _post(self, user: str, args: Json) -> Json:
        channel = self._channel(args, names_too=True)
        content, warnings = _content(args), []
        if len(content["text"]) > POST_LIMIT:
            content["text"] = content["text"][:POST_LIMIT]
            warnings = ["message_truncated"]
        message = {
            "type": "message",
            "user": user,
            "bot_id": _bot(user),
            "ts": self._next_ts(),
            **content,
            **{
                key: args[key]
                for key in ("thread_ts", "username", "icon_emoji", "icon_url", "metadata")
                if args.get(key)
            },
        }
        if args.get("thread_ts") and args.get("reply_broadcast"):
            message["subtype"] = "thread_broadcast"
        self.messages.append(
            {"channel": channel["id"], "channel_name": channel["name"], "history": [], **message}
        )
        answer: Json = {"channel": channel["id"], "ts": message["ts"], "message": message}
        if warnings:
            answer["response_metadata"] = {"messages": [TRUNCATED], "warnings": warnings}
        return answer

    def _update(self, user: str, args: Json) -> Json:
        """Edit: without ``blocks`` the old ones stay only if there is no new ``text`` either."""
        channel = self._channel(args, names_too=False)
        if not args.get("ts"):
            raise SlackRefusal("invalid_arguments", "missing required field: ts")
        content = _content(args)
        if len(content["text"]) > UPDATE_LIMIT:
            raise SlackRefusal("msg_too_long")
        message = self._message(channel["id"], str(args["ts"]))
        if message["user"] != user:
            raise SlackRefusal("cant_update_message")
        before = {key: copy.deepcopy(message.get(key)) for key in ("text", "blocks", "attachments")}
        message["history"].append({**before, "until": self._clock()})
        if "text" in args or "blocks" in args:
            message.pop("blocks", None)
        message.update({key: value for key, value in content.items() if key in args})
        message["edited"] = {"user": user, "ts": self._next_ts()}
        shown = {
            key: value for key, value in message.items() if key not in ("history", "channel", "channel_name")
        }
        return {"channel": channel["id"], "ts": message["ts"], "text": message["text"], "message": shown}

    def _permalink(self, user: str, args: Json) -> Json:
        channel = self._channel(args, names_too=False)
        message = self._message(channel["id"], str(args.get("message_ts")))
        link = f"https://double.slack.com/archives/{channel['id']}/p{message['ts'].replace('.', '')}"
        return {"channel": channel["id"], "permalink": link}

    def _info(self, user: str, args: Json) -> Json:
        return {"channel": {"is_channel": True, **self._known(args, names_too=False)}}

    def _list(self, user: str, args: Json) -> Json:
        return {"channels": list(self.channels.values()), "response_metadata": {"next_cursor": ""}}

    def _known(self, args: Json, *, names_too: bool) -> Json:
        asked = str(args.get("channel") or "")
        for channel in self.channels.values():
            if asked == channel["id"] or (names_too and asked.removeprefix("#") == channel["name"]):
                return channel
        raise SlackRefusal("channel_not_found")

    def _channel(self, args: Json, *, names_too: bool) -> Json:
        channel = self._known(args, names_too=names_too)
        if channel["is_archived"]:
            raise SlackRefusal("is_archived" if names_too else "is_inactive")  # post, update
        if not channel["is_member"]:
            raise SlackRefusal("not_in_channel")
        return channel

    def _message(self, channel: str, ts: str) -> Json:
        for message in self.messages:
            if message["channel"] == channel and message["ts"] == ts:
                return message
        raise SlackRefusal("message_not_found")

    def _next_ts(self) -> str:
        self._last_ts = max(self._clock(), self._last_ts + 0.000_001)  # names the message, so never twice
        return f"{self._last_ts:.6f}"


def _bot(user: str) -> str:
    return f"B{user[1:]}"


def _content(args: Json) -> Json:
    """Read what a message shows; blocks and attachments may come as JSON text, in a form they always do."""
    content: Json = {"text": str(args.get("text") or "")}
    for name in ("blocks", "attachments"):
        value = args.get(name)
        if value is None:
            continue
        if isinstance(value, str):
            try:
                value = json.loads(value)
            except ValueError:
                raise SlackRefusal(
                    f"invalid_{name}_format" if name == "blocks" else "invalid_attachments"
                ) from None
        content[name] = value
    if found := complaints(content.get("blocks", [])):
        raise SlackRefusal("invalid_blocks", *found)
    if text_size(content.get("blocks", [])) > MAX_ALL_TEXT:
        raise SlackRefusal("msg_blocks_too_long")
    if len(content.get("attachments", [])) > 100:
        raise SlackRefusal("too_many_attachments")
    if not any(content.values()):
        raise SlackRefusal("no_text")
    return content
