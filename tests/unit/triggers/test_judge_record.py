"""The record that a judge keeps beside the loop: it replays to what was said, and losing it changes nothing."""

from __future__ import annotations

from cd_provider.core.finding import Finding
from cd_provider.core.judge.counts import Tick
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.record import Record, Recorder
from cd_provider.core.judge.replay import replay
from cd_provider.core.judge.verdict import Judged
from cd_provider.triggers.judge_watch import JudgeWatch
from tests.unit.triggers.judged_service import (
    ABOUT,
    BEGAN,
    Service,
    follow,
    look,
)


def record(watch: JudgeWatch) -> Record:
    draft = watch.draft()
    assert draft is not None
    return Record.read(draft.packed())


async def test_its_record_replays_to_what_it_said_and_is_the_same_begun_anew() -> None:
    service = Service(bad=0.3)
    first = service.watch(ABOUT)
    first.open(at=BEGAN)
    await follow(service, first, lambda: first.state.finding is Finding.FAILED, at_most_s=120)

    second = service.watch(ABOUT, max_s=1800.0 - (service.now - BEGAN))
    second.open(at=service.now, exposed_at=BEGAN)
    await look(service, second)

    seen = record(first)
    assert first.said == len(seen.verdicts) == 2
    assert seen.about == ABOUT
    assert seen.past.requests > 0
    assert replay(seen) == list(seen.verdicts)
    assert seen.verdicts[-1].line == first.state.line
    assert record(second) == seen


async def test_no_record_is_kept_unless_somebody_wants_it() -> None:
    service = Service(bad=0.002)
    watch = service.watch()
    watch.open(at=BEGAN)

    await follow(service, watch, lambda: watch.judge is not None and watch.judge.at >= 10.0, at_most_s=60)

    assert watch.draft() is None


async def test_before_anything_was_judged_there_is_no_record() -> None:
    assert Service(bad=0.002).watch(ABOUT).draft() is None


async def test_a_record_that_cannot_be_kept_changes_no_verdict() -> None:
    service = Service(bad=0.3)
    watch = service.watch(ABOUT)
    watch.open(at=BEGAN)
    await follow(service, watch, lambda: watch.recorder is not None, at_most_s=10)
    watch.recorder = BrokenRecorder()

    await follow(service, watch, lambda: watch.state.finding is Finding.FAILED, at_most_s=120)

    assert watch.draft() is None


class BrokenRecorder(Recorder):
    """Takes nothing."""

    def __init__(self) -> None:
        super().__init__(about={}, gate={}, max_s=1.0, began_at=0.0, past=Past())

    def add(self, tick: Tick, judged: Judged | None = None) -> None:
        raise MemoryError
