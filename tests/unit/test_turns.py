"""The lock between the processes of one test run."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.turns import Turns


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[], Turns]]:
    """Open the lock once more, as another process would."""
    with ExitStack() as stack:
        yield lambda: stack.enter_context(closing(Turns(tmp_path)))


def taken(turns: Turns, *, alone: bool) -> threading.Thread:
    """Take a turn in a thread of its own: whoever has to wait, waits there."""
    thread = threading.Thread(target=turns.take, kwargs={"alone": alone}, daemon=True)
    thread.start()
    return thread


def waits(thread: threading.Thread) -> bool:
    thread.join(0.2)
    return thread.is_alive()


def test_several_go_side_by_side(opened: Callable[[], Turns]) -> None:
    one, other = opened(), opened()

    one.take(alone=False)

    assert not waits(taken(other, alone=False))


def test_whoever_wants_to_be_alone_waits_for_the_others_and_keeps_new_ones_out(
    opened: Callable[[], Turns],
) -> None:
    reader, writer, late = opened(), opened(), opened()
    reader.take(alone=False)

    writing = taken(writer, alone=True)
    assert waits(writing)
    reading = taken(late, alone=False)
    assert waits(reading)

    reader.give_back()
    assert not waits(writing)
    assert waits(reading)
    writer.give_back()
    assert not waits(reading)


def test_a_turn_that_is_held_already_is_kept(opened: Callable[[], Turns]) -> None:
    writer, other = opened(), opened()

    writer.take(alone=True)
    writer.take(alone=True)

    waiting = taken(other, alone=True)
    assert waits(waiting)
    writer.give_back()
    assert not waits(waiting)
