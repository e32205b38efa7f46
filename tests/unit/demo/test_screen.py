from __future__ import annotations

import io

import pytest
from rich.console import Console

from tests.demo.screen import PlainScreen, RichScreen, Screen, View
from tests.unit.demo.test_figures import BAD, figures


def written(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def console(*, terminal: bool) -> Console:
    return Console(file=io.StringIO(), width=120, force_terminal=terminal)


def test_lines_tell_changes_and_nothing_twice() -> None:
    screen = PlainScreen(console(terminal=False))
    views = [
        View("v2", {"plan": "running", "canary": None}),
        View("v2", {"plan": "success", "canary": None}),
        View("v2", {"plan": "success", "canary": "running"}, 10, "holds", "5 answers"),
        View("v2", {"plan": "success", "canary": "running"}, 10, "holds", "6 answers"),
    ]

    with screen.watching():
        for view in views:
            screen.show(view)

    lines = [line.partition("] ")[2] for line in written(screen.console).splitlines()]
    assert lines == [
        "plan: running",
        "plan: success",
        "canary: running",
        "the route gives the candidate 10 % of the requests; 5 answers",
        "judge: holds",
    ]


def test_a_second_delivery_is_told_from_its_beginning() -> None:
    screen = PlainScreen(console(terminal=False))
    for title in ("v2", "v3"):
        with screen.watching():
            screen.show(View(title, {"plan": "success"}))

    assert written(screen.console).count("plan: success") == 2


@pytest.mark.parametrize(
    "screen",
    [PlainScreen(console(terminal=False)), RichScreen(console(terminal=True))],
    ids=["plain", "terminal"],
)
def test_a_screen_shows_tasks_weight_judge_and_table(screen: Screen) -> None:
    with screen.watching():
        screen.show(
            View("v2", {"plan": "success", "canary": "deferred"}, 25, "errors 0 of 40 requests", "40 answers")
        )
    screen.table([figures(), BAD])

    assert isinstance(screen, PlainScreen)
    shown = written(screen.console)
    for text in (
        "plan",
        "canary",
        "25 %",
        "40 answers",
        "errors 0 of 40 requests",
        "promoted",
        "aborted",
        "9.0 s",
    ):
        assert text in shown
