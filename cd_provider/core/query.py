"""A gate's query: what its placeholders stand for."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass

from cd_provider.exceptions import ArgumentError

PLACEHOLDERS = ("candidate", "pods", "stable", "namespace", "window")


@dataclass(frozen=True)
class QueryNames:
    """What the placeholders stand for; ``pods`` are names, none while there is no candidate."""

    candidate: str
    stable: str
    namespace: str
    pods: tuple[str, ...] = ()


def fill(query: str, names: QueryNames, *, window_s: float) -> str:
    """Put names and window into a query; the window is given in whole seconds, at least one."""
    values = {
        "candidate": names.candidate,
        "stable": names.stable,
        "namespace": names.namespace,
        "pods": "|".join(names.pods),
        "window": f"{max(1, int(window_s))}s",
    }
    return template("gate", query).substitute(values)


class _Query(string.Template):
    flags = re.NOFLAG  # placeholders are lower case, as they are written


def template(where: str, query: str) -> string.Template:
    """
    Read a query's placeholders.

    :param where: whose query it is, for the message.
    :raises ArgumentError: one is not known, or a dollar sign stands alone.
    """
    made = _Query(query)
    if not made.is_valid():
        raise ArgumentError(f"{where}: a single $ in {query!r}; write $$ for a dollar sign of PromQL's own.")
    if unknown := sorted(set(made.get_identifiers()) - set(PLACEHOLDERS)):
        known = ", ".join("$" + name for name in PLACEHOLDERS)
        raise ArgumentError(f"{where}: ${unknown[0]} is not known in {query!r}, expected some of {known}.")
    return made
