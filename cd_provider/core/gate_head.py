"""What every kind of gate has: its kind, a name of its own, and no key that nobody knows."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from cd_provider.exceptions import ArgumentError


def gate_name(value: Any, *, kind: str, such_as: str, known: Collection[str]) -> str:
    """
    Check the shape of a gate, and give its name.

    :param kind: which is also the word that makes one. :param such_as: a name to show. :param known: its keys.
    :raises ArgumentError: another kind, no name, or an unknown key.
    """
    if not isinstance(value, Mapping) or value.get("kind") != kind:
        raise ArgumentError(f"gate: saw {value!r}, expected what {kind}(…) gives.")
    name = value.get("name")
    if not isinstance(name, str) or not name.strip():
        raise ArgumentError(f"gate: saw the name {name!r}, expected a text such as {such_as!r}.")
    if unknown := sorted(set(value) - set(known)):
        raise ArgumentError(f"gate {name!r}: unknown key {unknown[0]!r}, expected some of {sorted(known)}.")
    return name


def refuse_twice(names: Sequence[str]) -> None:
    """
    Check that the gates of a list can be told apart.

    :raises ArgumentError: two have the same name.
    """
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ArgumentError(f"gates: two are called {twice[0]!r}, expected different names.")
