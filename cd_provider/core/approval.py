"""A person's yes: how it is asked for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cd_provider.core.release import check_keys

KEYS = ("timeout_s", "assigned_users", "four_eyes")


def approval(
    *, timeout_s: float | str, assigned_users: Sequence[str | Mapping[str, str]] = (), four_eyes: bool = False
) -> dict[str, Any]:
    """
    Ask a person before traffic moves.

    :param timeout_s: seconds (or ``"4h"``) after which silence is a no.
    :param assigned_users: who may answer, by the ids of Airflow's auth manager; nobody named: all who may.
    :param four_eyes: whoever triggered the run may not approve it.
    """
    users = [one if isinstance(one, str) else dict(one) for one in assigned_users]
    return {"timeout_s": timeout_s, "assigned_users": users, "four_eyes": four_eyes}


def approval_arguments(value: Any) -> dict[str, Any]:
    """
    Check what :func:`approval` gives, or the same as JSON, and give it as the operator's arguments.

    :raises ArgumentError: an unknown key, or no time-out.
    """
    return dict(check_keys(value, name="approval", needed=("timeout_s",), known=KEYS))


def release_question(*, app: str, image: str, tag: str = "", findings: str = "") -> dict[str, str]:
    """
    Put the question together, as the operator's ``subject`` and ``body``; every part may be a template.

    :param image: ``repository@sha256:…``. :param tag: under which it was found.
    :param findings: Markdown below it, such as what plan found.
    """
    asked = "{{ dag_run.triggering_user_name or dag_run.run_type }}"
    lines = (
        f"**App:** {app}",
        f"**Image:** `{image}`" + (f", found as `{tag}`" if tag else ""),
        f"**Asked by:** {asked}, run `{{{{ run_id }}}}`",
        findings,
    )
    return {"subject": f"Release {app}?", "body": "\n\n".join(line for line in lines if line)}
