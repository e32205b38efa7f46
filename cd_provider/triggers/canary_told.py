"""Whom a canary tells how it goes, and who may answer: Airflow's task, and people in Slack."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from cd_provider.core.message import Outcome
from cd_provider.core.order import CanaryOrder
from cd_provider.core.story import tell
from cd_provider.triggers import answers
from cd_provider.triggers.progress import Progress


def storing(order: CanaryOrder) -> Callable[[str, Any], Coroutine[Any, Any, None]]:
    """Give what stores a value as an XCom of the canary's task."""

    async def store(key: str, value: Any) -> None:
        from airflow.sdk.execution_time.xcom import XCom
        from asgiref.sync import sync_to_async

        await sync_to_async(XCom.set, thread_sensitive=False)(key=key, value=value, **order.task)

    return store


def answering(order: CanaryOrder) -> Callable[[], Awaitable[Any]]:
    """Give what reads a person's answer: an XCom that they add to the canary's task."""

    async def read() -> Any:
        from airflow.sdk.execution_time.xcom import XCom
        from asgiref.sync import sync_to_async

        return await sync_to_async(XCom.get_one, thread_sensitive=False)(key=answers.KEY, **order.task)

    return read


def sinks(order: CanaryOrder) -> list[Any]:
    store = storing(order)

    async def to_airflow(progress: Progress) -> None:
        value = {
            "step": progress.step,
            "weight": progress.weight,
            "line": progress.line,
            "left_s": progress.left_s,
        }
        await store("progress", value)

    thread, asked = dict(order.thread or {}), False

    async def to_people(progress: Progress) -> None:
        nonlocal thread, asked
        from cd_provider.adapters.notifiers import open_notifier

        outcome = Outcome.ASKING if progress.asks else Outcome.RUNNING
        message = tell(
            order.asked, order.where, outcome=outcome, line=progress.line, weight=progress.weight,
            more={"Step": f"{max(progress.step, 0) + 1} of {progress.steps}"},
        )  # fmt: skip
        async with open_notifier(order.notify or {}) as notifier:
            thread = dict(await notifier.send(message, thread=thread))  # posted anew when somebody deleted it
            if progress.asks and not asked:
                await notifier.send(message, under=thread)
            asked = progress.asks

    first: list[Any] = [to_airflow] if order.task else []
    return [*first, to_people] if order.notify and order.thread else first
