"""Whole deliveries, put together from the operators, and the words to say what they shall do."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cd_provider.adapters.notifiers import slack
from cd_provider.core.gate import promql
from cd_provider.pipelines.canary import canary_delivery, gateway_api

if TYPE_CHECKING:
    from cd_provider.core.approval import approval
    from cd_provider.core.before_after import before_after
    from cd_provider.core.judge_gate import judge
    from cd_provider.core.smoke import smoke
    from cd_provider.core.window import freeze, weekly, window

__all__ = [
    "approval", "before_after", "canary_delivery", "freeze", "gateway_api", "judge", "promql", "slack", "smoke",
    "weekly", "window",
]  # fmt: skip

_LATE = {
    "approval": "approval", "before_after": "before_after", "freeze": "window", "judge": "judge_gate",
    "smoke": "smoke", "weekly": "window", "window": "window",
}  # fmt: skip
"""Word → the module below ``cd_provider.core`` that knows it."""


def __getattr__(name: str) -> Any:
    """Load a word when a Dag uses it: parsing pays for nothing that is not asked for."""
    if name in _LATE:
        return getattr(import_module(f"cd_provider.core.{_LATE[name]}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
