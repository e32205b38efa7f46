from __future__ import annotations

import asyncio

import pytest

from cd_provider.triggers.background import carry_through, go_on


async def test_work_goes_on_when_the_waiting_is_cancelled() -> None:
    go_on, done = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        await go_on.wait()
        done.set()

    waiting = asyncio.create_task(carry_through(work()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert not done.is_set()
    go_on.set()

    await asyncio.wait_for(done.wait(), 30)


async def test_whoever_waits_hears_of_an_error() -> None:
    async def work() -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await carry_through(work())


async def test_what_goes_on_alone_takes_nobody_with_it() -> None:
    async def work() -> None:
        raise ValueError("broken")

    task = go_on(work())
    await asyncio.wait([task], timeout=5)

    assert isinstance(task.exception(), ValueError)
