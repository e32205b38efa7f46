"""Whole deliveries, put together from the operators, and the words to say what they shall do."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cd_provider.adapters.notifiers import slack
from cd_provider.core.approval import approval
from cd_provider.core.gate import promql
from cd_provider.core.smoke import smoke
from cd_provider.core.window import freeze, weekly, window
from cd_provider.pipelines.canary import canary_delivery, gateway_api

if TYPE_CHECKING:
    from cd_provider.core.before_after import before_after
    from cd_provider.core.judge_gate import judge

__all__ = [
    "approval", "before_after", "canary_delivery", "freeze", "gateway_api", "judge", "promql", "slack", "smoke",
    "weekly", "window",
]  # fmt: skip

_LATE = {"before_after": "cd_provider.core.before_after", "judge": "cd_provider.core.judge_gate"}


def __getattr__(name: str) -> Any:
    """Load what compares when a Dag names it: parsing the others pays for none of it."""
    if name in _LATE:
        return getattr(import_module(_LATE[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
