"""Slack: one message per delivery, edited in place."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import proxy_bypass

from cd_provider.core.blocks import render
from cd_provider.core.units import number
from cd_provider.exceptions import (
    ConnectionFaultError,
    NotifierRefusedError,
    NotifierUnavailableError,
)
from cd_provider.hooks.connection import read_connection

if TYPE_CHECKING:
    from slack_sdk.web.async_client import AsyncWebClient

    from cd_provider.core.message import ReleaseMessage

CALL_S, PATIENCE_S = 10.0, 30.0
GONE = ("message_not_found", "cant_update_message", "edit_window_closed")
LATER = (
    "internal_error",
    "fatal_error",
    "service_unavailable",
    "request_timeout",
    "ratelimited",
    "rate_limited",
)
HELP = {
    "account_inactive": "the token's app or user is gone; put a new token into the connection's password",
    "channel_not_found": "there is no such channel, or the app may not see it; invite it",
    "invalid_auth": "the connection's password is no valid token",
    "is_archived": "the channel is archived; name another one",
    "is_inactive": "the channel is archived; name another one",
    "missing_scope": "the app needs the scope chat:write",
    "not_authed": "the connection's password is no valid token",
    "not_in_channel": "invite the app to the channel",
    "token_expired": "put a new token into the connection's password",
    "token_revoked": "put a new token into the connection's password",
}


class SlackNotifier:
    """
    A Notifier over Slack's Web API.

    :param client: what :func:`open_slack` makes; it must not retry by itself.
    :param channel: name or id.
    :param call_s: seconds for one call.
    :param patience_s: seconds for everything, waiting out Slack's rate limit included.
    :param clock: epoch seconds.
    """

    def __init__(
        self,
        client: AsyncWebClient,
        *,
        channel: str,
        name: str = "Slack",
        call_s: float = CALL_S,
        patience_s: float = PATIENCE_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.client, self.channel, self.name = client, channel, name
        self.call_s, self.patience_s, self.clock = call_s, patience_s, clock

    async def send(
        self,
        message: ReleaseMessage,
        *,
        thread: Mapping[str, str] | None = None,
        under: Mapping[str, str] | None = None,
    ) -> Mapping[str, str]:
        """
        Post the message, or edit the one that ``thread`` names; a new one when that is gone.

        :param under: post it as an answer to that one, shown in the channel as well: an edit tells nobody.
        :returns: ``{"channel": id, "ts": …}``, to be kept and given as ``thread`` next time.
        :raises NotifierUnavailableError: no answer in time, 429 beyond our patience, 5xx. A post whose answer
            was lost is not repeated: Slack would show it twice.
        :raises NotifierRefusedError: Slack refuses token, channel or content.

        Source: Slack, chat.postMessage, chat.update, "Rate limits".
        """
        blocks, text = render(message, at=self.clock())
        content: dict[str, Any] = {"blocks": blocks, "text": text}
        until = asyncio.get_running_loop().time() + self.patience_s
        if thread:
            where = {"channel": thread["channel"], "ts": thread["ts"]}
            if await self._call("chat.update", {**content, **where}, until=until, unless=GONE) is not None:
                return where
        content |= {"channel": self.channel, "unfurl_links": False, "unfurl_media": False}
        if under:
            content |= {"channel": under["channel"], "thread_ts": under["ts"], "reply_broadcast": True}
        posted = await self._call("chat.postMessage", content, until=until)
        if posted is None or not (posted.get("channel") and posted.get("ts")):
            raise NotifierUnavailableError(f"{self.name}: it did not say where it put the message.")
        return {"channel": str(posted["channel"]), "ts": str(posted["ts"])}

    async def _call(
        self, method: str, body: dict[str, Any], *, until: float, unless: tuple[str, ...] = ()
    ) -> Mapping[str, Any] | None:
        """Give Slack's answer, waiting out its rate limit; None when it says one of ``unless``."""
        clock = asyncio.get_running_loop().time
        while True:
            answer = await self._once(method, body, limit_s=min(self.call_s, until - clock()))
            if answer.ok:
                return answer.data
            if answer.error in unless:
                return None
            if answer.status != 429:
                raise self._fault(method, answer)
            if clock() + answer.wait_s >= until:
                raise NotifierUnavailableError(
                    f"{self.name}: too many messages; it takes the next one in {answer.wait_s:g} s, "
                    f"and we wait {self.patience_s:g} s in all."
                )
            await asyncio.sleep(answer.wait_s)

    async def _once(self, method: str, body: dict[str, Any], *, limit_s: float) -> _Answer:
        import aiohttp
        from slack_sdk.errors import SlackApiError

        try:
            async with asyncio.timeout(limit_s):
                return _Answer.read(await self.client.api_call(method, json=body))
        except SlackApiError as err:
            return _Answer.read(err.response)
        except (OSError, aiohttp.ClientError) as err:
            why = str(err) or f"{type(err).__name__} after {limit_s:.1f} s"
            raise NotifierUnavailableError(f"{self.name}: no answer to {method}: {why}.") from err
        except (AttributeError, ValueError) as err:  # slack_sdk trips over what is no JSON object
            raise NotifierUnavailableError(f"{self.name}: its answer to {method} is not Slack's.") from err

    def _fault(self, method: str, answer: _Answer) -> Exception:
        said = answer.error
        if not said or said in LATER or answer.status >= 500:
            return NotifierUnavailableError(
                f"{self.name}: no success of {method}, status {answer.status}: {said or 'no reason given'}."
            )
        hint = f": {HELP[said]}" if said in HELP else ""
        return NotifierRefusedError(f"{self.name}: it refuses {method} in {self.channel!r}, {said}{hint}.")


@dataclass(frozen=True)
class _Answer:
    status: int
    data: Mapping[str, Any]
    wait_s: float

    @property
    def ok(self) -> bool:
        return self.status == 200 and self.data.get("ok") is True

    @property
    def error(self) -> str:
        return str(self.data.get("error") or "")

    @classmethod
    def read(cls, response: Any) -> _Answer:
        """Read slack_sdk's response, or aiohttp's own when the body was no JSON."""
        status = int(getattr(response, "status_code", 0) or getattr(response, "status", 0))
        data = getattr(response, "data", None)
        wait = str(response.headers.get("Retry-After", ""))
        return cls(status, data if isinstance(data, dict) else {}, float(wait) if wait.isdigit() else 1.0)


@asynccontextmanager
async def open_slack(slack_conn_id: str, *, channel: str) -> AsyncIterator[SlackNotifier]:
    """
    Open Slack by a connection of the Slack provider's type; extras: base_url, timeout (seconds), proxy.

    The provider's own hook is passed over: it reads the extras without awaiting, which a running event loop
    refuses, and its client posts again when an answer was lost.

    :raises ConnectionFaultError: the connection is missing or has no token.
    """
    from slack_sdk.web.async_client import AsyncWebClient

    conn, extras = await read_connection(slack_conn_id)
    where = f"connection {slack_conn_id!r}"
    if not conn.password:
        raise ConnectionFaultError(f"{where}: its password is empty, expected a bot's token (xoxb-…).")
    base_url, proxy = extras.get("base_url", AsyncWebClient.BASE_URL), extras.get("proxy")
    if not isinstance(base_url, str) or urlsplit(base_url).scheme not in ("http", "https"):
        raise ConnectionFaultError(
            f"{where}: its base_url is no address that begins with http:// or https://."
        )
    call_s = min(CALL_S, number(extras.get("timeout", CALL_S), name=f"{where}, timeout", least=0.1))
    client = AsyncWebClient(
        conn.password, base_url=base_url, timeout=math.ceil(call_s), proxy=proxy, retry_handlers=[]
    )
    if not proxy and proxy_bypass(urlsplit(base_url).netloc):
        client.proxy = None  # slack_sdk takes HTTPS_PROXY and does not know NO_PROXY
    yield SlackNotifier(client, channel=channel, name=f"Slack of {where}", call_s=call_s)
