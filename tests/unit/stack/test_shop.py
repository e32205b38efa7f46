"""The shop of the demo and the tests: ready only once Prometheus knows it, since a plan asks there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

from tests.loopback import Answer, Loopback, Request
from tests.stack.shop import wait_for_counters
from tests.stack.stack import Stack

NOTHING, FOUND = (
    Answer(f'{{"data": {{"result": {result}}}}}'.encode()) for result in ("[]", '[{"value": [1, "4"]}]')
)


def test_a_shop_is_waited_for_until_prometheus_has_counted_it() -> None:
    answers, asked = [NOTHING, Answer(b"", status=503), FOUND], list[str]()

    def answer(request: Request) -> Answer:
        asked.append(request.path)
        return answers.pop(0)

    with Loopback(answer) as server:
        stack: Any = SimpleNamespace(prometheus_url=f"http://127.0.0.1:{server.port}")
        wait_for_counters(cast("Stack", stack), "web", pods=4)

    assert answers == []
    assert "web" in asked[0]
    assert "4" in asked[0]
