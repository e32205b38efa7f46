"""One connection for a command: its questions run one after the other, and Ctrl-C ends the one that runs."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, Self, TypeVar

from cd_provider.cli.connect import open_server
from cd_provider.cli.reader import Reader
from cd_provider.cli.screen import Screen
from cd_provider.cli.target import Target
from cd_provider.core.units import seconds

T = TypeVar("T")


class Session:
    """In a ``with``: gives a reader, and runs its questions."""

    def __init__(self, given: argparse.Namespace, target: Target, screen: Screen) -> None:
        self._given, self._target, self._screen = given, target, screen
        self._runner, self._stack = asyncio.Runner(), AsyncExitStack()

    def __enter__(self) -> Self:
        self._runner.__enter__()
        try:
            self.reader = self._runner.run(self._open())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc: object) -> None:
        try:
            self._runner.run(self._stack.aclose())
        finally:
            self._runner.close()

    def run(self, question: Coroutine[Any, Any, T]) -> T:
        """Wait for the answer."""
        return self._runner.run(question)

    async def _open(self) -> Reader:
        from cd_provider.adapters.metrics.counters_prometheus import PrometheusCounters

        given = self._given
        client, name = await self._stack.enter_async_context(open_server(given))
        source = PrometheusCounters(
            client,
            self._target.preset,
            ratio="client_errors" if self._target.gate.of_clients else "errors",
            matchers=given.matchers,
            replica_label=given.replica_label,
            name=name,
            timeout_s=seconds(given.timeout_s, name="--timeout-s", least=1.0),
        )
        return Reader(source, self._target, told=self._screen.remark)
