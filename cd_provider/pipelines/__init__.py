"""Whole deliveries, put together from the operators, and the words to say what they shall do."""

from cd_provider.adapters.notifiers import slack
from cd_provider.core.approval import approval
from cd_provider.core.before_after import before_after
from cd_provider.core.gate import promql
from cd_provider.core.judge_gate import judge
from cd_provider.core.smoke import smoke
from cd_provider.core.window import freeze, weekly, window
from cd_provider.pipelines.canary import canary_delivery, gateway_api

__all__ = [
    "approval", "before_after", "canary_delivery", "freeze", "gateway_api", "judge", "promql", "slack", "smoke",
    "weekly", "window",
]  # fmt: skip
