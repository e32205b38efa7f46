"""What can go wrong while bringing the stack up."""

from __future__ import annotations


class StackError(Exception):
    """The stack cannot do what was asked; the message says why and what to do."""


class NotReadyError(Exception):
    """A part does not answer yet; the message says what was seen."""
