"""A TCP relay on the loopback: what goes through it can be cut off, or left hanging, and let through again."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Self


class Relay:
    """
    In a test: ``async with Relay(port) as relay``, then speak to 127.0.0.1 and ``relay.port``.

    ``refused`` counts connections that were tried while it was cut.
    """

    def __init__(self, to_port: int) -> None:
        self.to_port, self.port, self.refused = to_port, 0, 0
        self._open, self._flowing = True, asyncio.Event()
        self._flowing.set()
        self._calls: set[asyncio.Task[Any]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.cut()
        await asyncio.gather(*self._calls, return_exceptions=True)

    def cut(self) -> None:
        """Break every connection, and refuse new ones."""
        self._open = False
        for call in self._calls:
            call.cancel()

    def hang(self) -> None:
        """Keep every connection, take new ones, and pass nothing on."""
        self._flowing.clear()

    def mend(self) -> None:
        """Let everything through again."""
        self._open = True
        self._flowing.set()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if not self._open:
            self.refused += 1
            writer.close()
            return
        call = asyncio.create_task(self._relay(reader, writer))
        self._calls.add(call)
        call.add_done_callback(self._calls.discard)

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", self.to_port)
        pipes = [
            asyncio.create_task(self._pipe(reader, back)),
            asyncio.create_task(self._pipe(there, writer)),
        ]
        try:
            await asyncio.wait(pipes, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pipe in pipes:
                pipe.cancel()
            for one in (writer, back):
                one.transport.abort()
            await asyncio.gather(*pipes, return_exceptions=True)

    async def _pipe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while chunk := await reader.read(65536):
                await self._flowing.wait()
                writer.write(chunk)
                await writer.drain()
