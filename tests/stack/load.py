"""
A bounded, steady stream of requests, written down one by one.

``python -m tests.stack.load URL --host shop.example --rate 50 --seconds 60 --out load.jsonl`` in a process
of its own; ``Load`` starts and stops that process, ``Record`` reads what it wrote, also while it writes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any, Self

import aiohttp

from tests.stack.airflow_settings import REPOSITORY
from tests.stack.errors import StackError
from tests.stack.load_record import Record
from tests.stack.session_process import SessionProcess, wait_until

MAX_SECONDS, MAX_REQUESTS, MAX_RATE = 7200.0, 500_000, 500.0


class Load:
    """
    Start and stop one stream of GET requests, open loop: a slow answer does not slow the next request down.

    :param url: where to. :param host_header: the name that the gateway routes by; None keeps the address.
    :param rate_per_s: requests a second, at most 500.
    :param connections: at most so many at once; a request that finds none free waits, and the wait counts
        in its latency.
    :param out: the file with one JSON object a line; replaced at the start.
    :param max_s: ends by itself after this time, at most two hours. :param max_requests: and after so many.
    :param timeout_s: for one request; a later answer counts as failed.
    """

    def __init__(
        self,
        *,
        url: str,
        rate_per_s: float,
        out: Path,
        host_header: str | None = None,
        connections: int = 50,
        max_s: float = 900.0,
        max_requests: int = MAX_REQUESTS,
        timeout_s: float = 10.0,
    ) -> None:
        self.out = out.resolve()
        options = {
            "rate": rate_per_s,
            "seconds": max_s,
            "count": max_requests,
            "connections": connections,
            "timeout": timeout_s,
            "out": self.out,
        }
        host = [f"--host={host_header}"] if host_header else []
        flags = [f"--{name}={value}" for name, value in options.items()]
        self._process = SessionProcess(
            name=f"load-{self.out.stem}",
            folder=self.out.parent,
            argv=[sys.executable, "-m", "tests.stack.load", url, *flags, *host],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"},
            cwd=self.out.parent,
        )

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether it still sends; False also when it came to its bounds."""
        return self._process.alive

    def start(self, *, timeout_s: float = 20.0) -> None:
        """Send; come back when the first request is written down."""
        self.out.parent.mkdir(parents=True, exist_ok=True)
        self.out.unlink(missing_ok=True)
        self._process.start()
        wait_until(lambda: self._began() or not self.running, timeout_s=timeout_s)
        if not self._began():
            self.stop()
            raise StackError(f"the load generator sent nothing:\n{self._process.tail()}")

    def stop(self) -> Record:
        """Send no more, wait for the answers that are under way, give the record."""
        self._process.stop(grace_s=15)
        return self.record()

    def record(self) -> Record:
        """What is written down so far."""
        return Record.read(self.out)

    def _began(self) -> bool:
        return self.out.exists() and self.out.stat().st_size > 0


async def send(
    session: aiohttp.ClientSession, url: str, headers: dict[str, str], due: float, out: IO[str]
) -> None:
    """Send one request and write it down: ``at``, ``status``, ``version``, ``latency_s``, ``error``."""
    line: dict[str, Any] = {"at": time.time(), "status": None, "version": None, "error": None}
    try:
        async with session.get(url, headers=headers, allow_redirects=False) as answer:
            await answer.read()
            line |= {"status": answer.status, "version": answer.headers.get("X-Version")}
    except (aiohttp.ClientError, OSError) as err:
        line["error"] = f"{type(err).__name__}: {err}"
    line["latency_s"] = round(time.monotonic() - due, 6)
    out.write(json.dumps(line) + "\n")


async def run(given: argparse.Namespace) -> int:
    """Keep the rate until time, count or SIGTERM; give the number of requests sent."""
    stopped = asyncio.Event()
    for sig in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(sig, stopped.set)
    headers = {"Host": given.host} if given.host else {}
    timeout = aiohttp.ClientTimeout(total=given.timeout)
    connector = aiohttp.TCPConnector(limit=given.connections)
    sent, open_requests, began = 0, set[asyncio.Task[None]](), time.monotonic()
    with given.out.open("w", buffering=1) as out:
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            while sent < given.count and (due := began + sent / given.rate) < began + given.seconds:
                try:
                    await asyncio.wait_for(stopped.wait(), timeout=max(0.0, due - time.monotonic()))
                    break
                except TimeoutError:
                    pass
                request = asyncio.create_task(send(session, given.url, headers, due, out))
                open_requests.add(request)
                request.add_done_callback(open_requests.discard)
                sent += 1
            await asyncio.gather(*open_requests)
    return sent


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line; no bound can be left out or lifted."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("url")
    parser.add_argument("--host", help="Host header")
    parser.add_argument("--rate", type=float, default=10.0, help=f"requests a second, at most {MAX_RATE:g}")
    parser.add_argument("--seconds", type=float, default=60.0, help=f"at most {MAX_SECONDS:g}")
    parser.add_argument("--count", type=int, default=MAX_REQUESTS, help=f"requests, at most {MAX_REQUESTS}")
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--timeout", type=float, default=10.0, help="seconds for one request")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args(argv)
    if not 0 < given.rate <= MAX_RATE:
        parser.error(f"--rate {given.rate:g} is not above 0 and at most {MAX_RATE:g}")
    given.seconds, given.count = min(given.seconds, MAX_SECONDS), min(given.count, MAX_REQUESTS)
    return given


def main(argv: Sequence[str] | None = None) -> None:
    """Send, then say how many."""
    given = parse(argv)
    print(f"{asyncio.run(run(given))} requests sent to {given.url}", flush=True)


if __name__ == "__main__":
    main()
