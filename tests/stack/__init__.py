"""The real stack: Kubernetes, gateway, registry, Docker engine and Prometheus on one Debian machine."""

from __future__ import annotations

from tests.stack.errors import StackError
from tests.stack.stack import Stack, down, up

__all__ = ["Stack", "StackError", "down", "up"]
