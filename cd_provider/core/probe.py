"""Requests of our own, for a service that has too few: bounded, and the same to both sides."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from cd_provider.core.units import number, whole
from cd_provider.exceptions import ArgumentError

MOST_PER_SECOND, PER_SECOND = 20.0, 2.0
PATH = re.compile(r"/[!-~]*")


@dataclass(frozen=True)
class Probe:
    """
    What is asked for: ``GET path`` of each side's ready pods in turn.

    :param per_second: to each side. :param port: of the pods; None: the one of their metrics.
    """

    path: str = field(metadata={"pattern": f"^{PATH.pattern}$"})
    per_second: float = field(default=PER_SECOND, metadata={"minimum": 0.1, "maximum": MOST_PER_SECOND})
    port: int | None = field(default=None, metadata={"minimum": 1, "maximum": 65535, "multipleOf": 1})

    @classmethod
    def parse(cls, value: Any, *, where: str) -> Probe:
        """
        Read a mapping; numbers may be texts.

        :param where: what an error names.
        :raises ArgumentError: a wrong shape, path, rate or port.
        """
        known = [one.name for one in fields(cls)]
        if not isinstance(value, Mapping) or set(value) - set(known):
            raise ArgumentError(f"{where}: saw {value!r}, expected a mapping of {', '.join(known)}.")
        path, port, rate = value.get("path"), value.get("port"), value.get("per_second")
        if not isinstance(path, str) or not PATH.fullmatch(path):
            raise ArgumentError(
                f"{where}, path: saw {path!r}, expected one such as '/' or '/items?page=2': what GET may ask for "
                "without doing anything."
            )
        return cls(
            path,
            PER_SECOND
            if rate is None
            else number(rate, name=f"{where}, per_second", least=0.1, most=MOST_PER_SECOND),
            None if port is None else whole(port, name=f"{where}, port", least=1, most=65535),
        )
