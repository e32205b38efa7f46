"""One page of a registry's tag list, and where the next one is."""

from __future__ import annotations

import json
import re
from urllib.parse import quote

import httpx

from cd_provider.exceptions import RegistryAnswerError
from cd_provider.hooks.registry_http import Reply, origin

_LINK = re.compile(r'<([^>]*)>\s*;[^,]*?rel\s*=\s*"?next\b', re.IGNORECASE)


def page_tags(reply: Reply, *, what: str) -> list[str]:
    """
    Read one page; ``null`` for no tags, as registries written in Go say it, is fine.

    :raises RegistryAnswerError: it is no tag list.
    """
    try:
        tags = json.loads(reply.body)["tags"] or []
    except (ValueError, LookupError, TypeError, RecursionError) as err:
        raise RegistryAnswerError(f"{what}: the answer is no tag list ({err}).") from err
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise RegistryAnswerError(f"{what}: the answer is no tag list: its tags are no texts.")
    return tags


def next_page(reply: Reply, *, what: str) -> str | None:
    """
    Give ``tags/list`` with the query of the next page, None after the last.

    :raises RegistryAnswerError: the link leads to another host or to something that is no tag list of this
        repository; it is not followed.
    """
    match = _LINK.search(", ".join(reply.headers.get_list("Link")))
    if match is None:
        return None
    try:
        url = reply.url.join(match[1])
    except httpx.InvalidURL:
        url = httpx.URL("")
    if origin(url) != origin(reply.url) or url.path != reply.url.path:
        there = quote(match[1][:200], safe="/:?&=")
        raise RegistryAnswerError(f"{what}: its next page is said to be elsewhere, at {there}.")
    return f"tags/list?{url.query.decode('ascii')}"
