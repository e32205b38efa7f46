"""Look at a double of Slack and tell it what to do, from any process."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import httpx

TOKEN = "xoxb-double"
OTHER_TOKEN = "xoxb-other"

Json = dict[str, Any]


class SlackControl:
    """What a test sees of, and says to, a double; in this process or in another."""

    def __init__(self, url: str) -> None:
        """:param url: the address without a path, ``http://127.0.0.1:8070``."""
        self.root = url.rstrip("/")
        self.url, self.token, self.other_token = f"{self.root}/api/", TOKEN, OTHER_TOKEN

    def messages(self) -> list[Json]:
        """
        All messages in order of posting.

        Each as Slack has it (``channel``, ``ts``, ``thread_ts``, ``text``, ``blocks``, ``user``, ``edited``),
        with ``channel_name``, and ``history``: the contents before each edit, ``until`` in epoch seconds.
        """
        found: list[Json] = self._get("messages")
        return found

    def calls(self) -> list[Json]:
        """All calls: ``at`` (epoch seconds), ``method``, ``status``, ``error``, ``fault``, ``args``."""
        found: list[Json] = self._get("calls")
        return found

    def fail(
        self,
        fault: str,
        *,
        methods: Sequence[str] = (),
        count: int | None = None,
        retry_after_s: int = 1,
        error: str = "internal_error",
        hang_s: float = 600.0,
    ) -> None:
        """
        Misbehave from now on.

        :param fault: ``rate_limited`` (429 with Retry-After), ``hang`` (take the request, answer nothing for
            ``hang_s``), ``http_500``, ``error`` (status 200 with ``error``), ``drop`` (cut the connection),
            ``lost_answer`` (do it, then cut the connection).
        :param methods: only for these, like ``chat.update``; all when empty.
        :param count: for that many calls; None until ``recover``.
        """
        body = {"fault": fault, "methods": list(methods), "count": count, "retry_after_s": retry_after_s}
        self._post("mode", {**body, "error": error, "hang_s": hang_s})

    def recover(self) -> None:
        """Behave again; calls that hang now are cut."""
        self._post("mode", {"fault": None})

    def reset(self) -> None:
        """Behave, and forget messages and calls."""
        self._post("reset", {})

    def wait_ready(self, *, timeout_s: float = 10.0) -> None:
        """Wait until the double answers."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                self._get("messages")
                return
            except httpx.HTTPError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _get(self, what: str) -> Any:
        return self._call("GET", what, None).raise_for_status().json()

    def _call(self, method: str, what: str, body: Json | None) -> httpx.Response:
        url = f"{self.root}/_double/{what}"
        with httpx.Client(
            timeout=10, trust_env=False, verify=False
        ) as http:  # no TLS here: read no certificates
            return http.request(method, url, json=body)

    def _post(self, what: str, body: Json) -> None:
        answer = self._call("POST", what, body)
        if answer.status_code != 200:
            raise ValueError(f"Slack double: {answer.text}")
