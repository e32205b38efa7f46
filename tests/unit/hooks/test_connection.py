from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from airflow.sdk import BaseHook

from cd_provider.hooks.cluster import ClusterHook
from cd_provider.hooks.connection import read_connection


class SlowAirflow:
    """Answers a question after a moment, and notes whether it was given up before."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        extra = {"kube_config_path": __file__}
        monkeypatch.setenv("AIRFLOW_CONN_SLOW", json.dumps({"conn_type": "kubernetes", "extra": extra}))
        self.asked, self.may_answer = asyncio.Event(), asyncio.Event()
        self.answered, self.given_up = 0, 0
        self._ask = BaseHook.aget_connection
        monkeypatch.setattr(BaseHook, "aget_connection", self.aget_connection)

    async def aget_connection(self, conn_id: str) -> Any:
        self.asked.set()
        try:
            await self.may_answer.wait()
        except asyncio.CancelledError:
            self.given_up += 1
            raise
        self.answered += 1
        return await self._ask(conn_id)


async def test_a_question_to_airflow_is_not_given_up_before_its_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    airflow = SlowAirflow(monkeypatch)
    reading = asyncio.create_task(read_connection("slow"))
    await airflow.asked.wait()

    reading.cancel()
    asyncio.get_running_loop().call_later(0.05, airflow.may_answer.set)
    with pytest.raises(asyncio.CancelledError):
        await reading

    assert (airflow.answered, airflow.given_up) == (1, 0)


async def test_nor_is_one_that_reads_a_known_connection_again(monkeypatch: pytest.MonkeyPatch) -> None:
    airflow = SlowAirflow(monkeypatch)
    hook = ClusterHook("slow")
    hook._login = await known(airflow, hook)
    again = asyncio.create_task(hook.configuration())
    await airflow.asked.wait()

    again.cancel()
    asyncio.get_running_loop().call_later(0.05, airflow.may_answer.set)
    with pytest.raises(asyncio.CancelledError):
        await again

    assert (airflow.answered, airflow.given_up) == (2, 0)


async def known(airflow: SlowAirflow, hook: ClusterHook) -> Any:
    airflow.may_answer.set()
    login = await hook._read()
    airflow.may_answer.clear()
    airflow.asked.clear()
    return login
