"""Where a gateway's own pods are, for reading its counters without a metrics server."""

from __future__ import annotations

import re
from dataclasses import dataclass

from cd_provider.core.judge.presets import Preset
from cd_provider.exceptions import ArgumentError

_NAME = r"[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?"
_VALUE = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?"
_LABEL = rf"(?:{_NAME}/)?{_VALUE}={_VALUE}"
FORM = re.compile(rf"({_NAME})/({_LABEL}(?:,{_LABEL})*)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Gateways:
    """
    Which pods they are.

    :param selector: their labels, as Kubernetes writes it: ``app=envoy,tier=edge``.
    """

    namespace: str
    selector: str

    @classmethod
    def parse(cls, text: str, *, where: str = "gateways") -> Gateways:
        """
        Read ``namespace/label=value``, with more labels after commas.

        :param where: what an error names.
        :raises ArgumentError: another form.
        """
        if (found := FORM.fullmatch(text)) is None:
            raise ArgumentError(
                f"{where}: saw {text!r}, expected the namespace and labels of the gateway's pods, such as "
                "'projectcontour/app=envoy'."
            )
        return cls(*found.groups())

    def __str__(self) -> str:
        return f"{self.namespace}/{self.selector}"


def gateways_of(preset: Preset, text: str | None, *, where: str = "gateways") -> Gateways | None:
    """
    Say where a preset's pages are, read from themselves; None: they are the pods' own.

    :param where: what an error names.
    :raises ArgumentError: a gateway's counters, and not said where; said for others; or another form.
    """
    if preset.unit == "backend_pod":
        if text is not None:
            raise ArgumentError(
                f"{where}: saw {text!r}, but preset {preset.name} counts in the pods themselves; leave it out."
            )
        return None
    if text is None:
        raise ArgumentError(
            f"{where}: nothing said; preset {preset.name} counts in the gateway, and reading it directly needs to know "
            "its pods: namespace and labels, such as 'projectcontour/app=envoy'."
        )
    return Gateways.parse(text, where=where)
