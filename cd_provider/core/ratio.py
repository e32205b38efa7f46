"""The denominator of a PromQL ratio: what counts the requests when nobody says so."""

from __future__ import annotations

_OPEN, _CLOSE, _QUOTES = "([{", ")]}", "\"'`"
_LOWER = ("+", "-", "==", "!=", "<", ">", " and ", " or ", " unless ")


def denominator(query: str, *, window_s: float) -> str | None:
    """
    Find ``b`` in ``a / b``.

    :param window_s: seconds of ``$window``: a rate is per second, so it is scaled to a count of that window.
    :returns: a query that counts requests; None when the query is of another form, or when its rate is not taken
        over ``$window``, so that nobody can tell how many requests it stands for.
    """
    places = _top_level(query)
    slashes = [at for at, text in places if text == "/"]
    if len(slashes) != 1 or any(_binary(query, at, text) for at, text in places):
        return None
    below = query[slashes[0] + 1 :].strip()
    if not below or below.replace(".", "").isdigit():
        return None
    if "rate(" not in below:
        return below
    return f"({below}) * {window_s:g}" if "[$window]" in below or "[${window}]" in below else None


def _binary(query: str, at: int, text: str) -> bool:
    return text in "*%^" or any(query[at:].startswith(sign) for sign in _LOWER)


def _top_level(query: str) -> list[tuple[int, str]]:
    """Give every character outside of brackets and quotes, with its place."""
    found, depth, quote, escaped = [], 0, "", False
    for at, text in enumerate(query):
        if quote:
            quote = "" if text == quote and not escaped else quote
            escaped = text == "\\" and not escaped
        elif text in _QUOTES:
            quote = text
        elif text in _OPEN:
            depth += 1
        elif text in _CLOSE:
            depth -= 1
        elif depth == 0:
            found.append((at, text))
    return found
