"""Who is told."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from cd_provider.exceptions import ArgumentError

if TYPE_CHECKING:
    from cd_provider.core.ports import Notifier


def slack(channel: str = "#releases", *, slack_conn_id: str = "slack_default") -> dict[str, Any]:
    """
    Tell a Slack channel: one message, edited as the delivery goes on.

    :param channel: its name or id (templated); the app must have been invited to it.
    :param slack_conn_id: a connection of type *Slack API* (templated): the password is the bot's token.
    """
    return {"kind": "slack", "channel": channel, "slack_conn_id": slack_conn_id}


def check_notify(value: Any) -> dict[str, Any]:
    """
    Check what :func:`slack` gives, or the same as JSON; its texts may still be templates.

    :returns: it, with defaults filled in.
    :raises ArgumentError: no mapping, an unknown kind or key, an empty text.
    """
    kind = value.get("kind") if isinstance(value, Mapping) else None
    if kind not in NOTIFIERS:
        raise ArgumentError(f"notify: saw {value!r}, expected what slack(…) gives.")
    known = slack()
    if unknown := sorted(set(value) - set(known)):
        raise ArgumentError(
            f"notify: unknown key {unknown[0]!r}, expected some of {', '.join(sorted(known))}."
        )
    whole = {**known, **value}
    for key, text in whole.items():
        if not isinstance(text, str) or not text.strip():
            raise ArgumentError(f"notify, {key}: saw {text!r}, expected a text.")
    return whole


def open_notifier(notify: Mapping[str, Any]) -> AbstractAsyncContextManager[Notifier]:
    """
    Open what :func:`slack` describes.

    :raises ArgumentError: as :func:`check_notify`.
    :raises ConnectionFaultError: while opening: the connection is missing or cannot be used.
    """
    whole = check_notify(notify)
    return NOTIFIERS[whole["kind"]](whole)


# The file is not called slack.py: once imported, it would take the place of slack(…) in this package.
def _slack(notify: Mapping[str, Any]) -> AbstractAsyncContextManager[Notifier]:
    from cd_provider.adapters.notifiers.slack_api import open_slack

    return open_slack(notify["slack_conn_id"], channel=notify["channel"])


NOTIFIERS: Mapping[str, Callable[[Mapping[str, Any]], AbstractAsyncContextManager[Notifier]]] = {
    "slack": _slack
}
