"""The record: whatever the ticks, what is written is read again, and a replay says what was said."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cd_provider.core.judge.alignment import Aligner
from cd_provider.core.judge.counts import Counts, Tick
from cd_provider.core.judge.judge import Judge
from cd_provider.core.judge.packed import pack, unpack
from cd_provider.core.judge.past import Past
from cd_provider.core.judge.record import Record, Recorder
from cd_provider.core.judge.replay import differences, replay
from cd_provider.core.judge.series import Notes, Restart, Series, Side
from cd_provider.core.judge_gate import JudgeGate, judge
from cd_provider.exceptions import ArgumentError
from tests.unit.core.judge.hand_made import EDGES, Pod, canary, pods, usual

BEGAN = 1_764_151_234.567891
GATE = JudgeGate.parse(judge(preset="demo", name="judge")).as_dict()
ABOUT = {"app": "shop", "release": "shop-1f3a", "attempt": 1}
PAST = usual()

some = st.integers(0, 500) | st.floats(0, 1e9) | st.just(0)
tables = st.sampled_from([(), EDGES, EDGES[3:], (0.1, 0.25)])


@st.composite
def sides(draw: st.DrawFn, prefix: str, edges: tuple[float, ...]) -> dict[str, Counts]:
    """Draw one side of a tick: pods that come and go, buckets that are there or not."""
    found = {}
    for number in draw(st.lists(st.integers(0, 3), unique=True, max_size=3)):
        slow = draw(st.just(()) | st.lists(some, min_size=len(edges), max_size=len(edges)))
        requests = float(draw(some))
        errors = min(requests, float(draw(some)))
        found[f"{prefix}{number}"] = Counts(requests, errors, tuple(map(float, slow)))
    return found


@st.composite
def runs(draw: st.DrawFn) -> list[Tick]:
    """Draw the ticks of a canary; clear of any shape that a service has."""
    at, found = BEGAN, []
    for _ in range(draw(st.integers(0, 12))):
        span_s = draw(st.sampled_from([1.0, 5.0, 30.0]))
        at, edges = at + span_s, draw(tables)
        found.append(Tick(at, span_s, draw(sides("c", edges)), draw(sides("s", edges)), edges))
    return found


def recorded(ticks: Sequence[Tick], *, past: Past = PAST, max_s: float = 1800.0) -> Record:
    """Judge and record, tick by tick."""
    live = Judge(JudgeGate.parse(GATE).settings(max_s=max_s), began_at=BEGAN, past=past)
    recorder = Recorder(about=ABOUT, gate=GATE, max_s=max_s, began_at=BEGAN, past=past)
    for tick in ticks:
        recorder.add(tick, live.step(tick))
    return recorder.record()


def later(ticks: Sequence[Tick]) -> list[Tick]:
    return [replace(tick, at=BEGAN + tick.at) for tick in ticks]


def failing() -> Record:
    """Give a canary that trips, returns, and trips again."""
    return recorded(later(canary(pods(2, 5.0, 0.3), pods(2, 5.0, 0.001), upto_s=120.0)))


@settings(max_examples=30, deadline=None)
@given(runs(), st.sampled_from([20.0, 1800.0]))
def test_what_is_written_is_read_again_whatever_the_ticks(ticks: list[Tick], max_s: float) -> None:
    seen = replace(
        recorded(ticks, max_s=max_s),
        notes=Notes(2, 1, 3),
        restarts=tuple(Restart(tick.at, "c1") for tick in ticks[:2]),
        cut="something",
    )

    assert seen.ticks == tuple(ticks)
    assert Record.read(seen.as_text()) == seen
    assert Record.read(seen.packed()) == seen


@settings(max_examples=25, deadline=None)
@given(runs(), st.sampled_from([20.0, 1800.0]))
def test_a_replay_says_what_was_said_live(ticks: list[Tick], max_s: float) -> None:
    live = Judge(JudgeGate.parse(GATE).settings(max_s=max_s), began_at=BEGAN, past=PAST)
    said = [found for tick in ticks if (found := live.step(tick))]

    seen = Record.read(recorded(ticks, max_s=max_s).as_text())

    assert replay(seen) == said == list(seen.verdicts)
    assert differences(seen) == []


CANARIES: dict[str, Callable[[], list[Tick]]] = {
    "passes": lambda: canary(pods(2, 5.0, 0.001), pods(3, 10.0, 0.001), upto_s=900.0),
    "errors": lambda: canary(pods(2, 5.0, 0.02), pods(3, 10.0, 0.001), upto_s=900.0),
    "slow": lambda: canary(pods(2, 5.0, 0.001, 1.6), pods(3, 10.0, 0.001), upto_s=900.0),
    "trips": lambda: canary(pods(2, 5.0, 0.3), pods(2, 5.0, 0.001), upto_s=120.0),
    "one pod": lambda: canary([Pod(5.0, 0.06), *pods(2, 5.0, 0.001)], pods(3, 10.0, 0.001)),
    "no traffic": lambda: canary(pods(2, 0.0), pods(3, 10.0, 0.001)),
}


@pytest.mark.parametrize("name", CANARIES)
def test_a_canary_replays_to_its_own_verdicts_word_for_word(name: str) -> None:
    seen = recorded(later(CANARIES[name]()))

    again = Record.read(seen.packed())

    assert seen.verdicts
    assert replay(again) == list(seen.verdicts)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 30), min_size=1, max_size=8), st.sampled_from([0.002, 0.02, 0.3]))
def test_read_tick_by_tick_or_all_at_once_the_record_is_the_same(cuts: list[int], bad: float) -> None:
    upto, at, looks = 60, 0, []
    for cut in cuts:
        at = min(upto, at + cut)
        looks.append(at)

    def read(looks: Sequence[int]) -> Record:
        aligner, found = Aligner(started_at=BEGAN, interval_s=5.0), list[Tick]()
        for look in looks:
            found += aligner.feed(counters(bad, look))
        return recorded(found)

    assert read([*looks, upto]) == read([upto])


POD_SIDES: dict[str, Side] = {"c1": "candidate", "c2": "candidate", "s1": "stable", "s2": "stable"}


def counters(bad: float, upto: int) -> list[Series]:
    """Give counters as a metrics server keeps them, from the first user up to so many scrapes of 5 s."""
    stamps = [BEGAN + 5.0 * number for number in range(upto + 1)]
    return [
        Series(f"{pod} {is_bad}", side, pod, [(at, float(int(50.0 * n * share))) for n, at in enumerate(stamps)],
               bad=is_bad)
        for pod, side in POD_SIDES.items()
        for is_bad, share in ((True, bad if side == "candidate" else 0.002), (False, 0.9))
    ]  # fmt: skip


def test_a_restart_is_told_once_for_each_pod_and_tick() -> None:
    aligner = Aligner(started_at=BEGAN, interval_s=5.0)
    samples = [(BEGAN, 90.0), (BEGAN + 4.0, 95.0), (BEGAN + 9.0, 3.0), (BEGAN + 14.0, 8.0)]

    aligner.feed([Series(f"c1 {code}", "candidate", "c1", samples) for code in (200, 404, 500)])

    assert aligner.restarts == [Restart(BEGAN + 10.0, "c1")]
    assert aligner.notes.resets == 3


def test_the_judge_of_another_version_is_told_by_tick_and_words() -> None:
    seen = failing()
    trip, fail = seen.verdicts
    other = replace(trip, at=trip.at + 5.0, line="TRIP as it was told then")

    told = differences(replace(seen, verdicts=(other, fail)))

    assert told == [
        f"at 00:00:0{trip.at:.0f} ({trip.at:g} s) nothing was recorded, “{trip.line}” (emergency) came out",
        f"at 00:00:{trip.at + 5:.0f} ({trip.at + 5:g} s) “TRIP as it was told then” (emergency) was recorded, "
        "nothing came out",
    ]


def test_a_record_that_is_too_large_loses_old_latencies_first_and_says_so() -> None:
    seen = recorded(later(canary(pods(2, 5.0, 0.02), pods(3, 10.0, 0.001), upto_s=600.0)))
    whole = len(seen.packed())

    smaller = Record.read(seen.packed(most=whole - 400))
    stripped = Record.read(seen.packed(most=2_500))
    least = Record.read(seen.packed(most=len(stripped.packed()) - 300))

    assert len(seen.packed(most=whole - 400)) <= whole - 400
    bare = sum(not tick.candidate["c0"].slow for tick in smaller.ticks)
    assert 0 < bare < 120
    assert all(tick.candidate["c0"].slow for tick in smaller.ticks[bare:])
    assert smaller.cut == (
        f"latencies of the first {bare} of 120 ticks left out: the record would have been larger than "
        f"{(whole - 400) / 1e6:g} MB"
    )
    assert smaller.verdicts == seen.verdicts
    assert [tick.candidate["c0"].bare for tick in smaller.ticks] == [
        tick.candidate["c0"].bare for tick in seen.ticks
    ]
    assert "ticks, and all latencies, left out" in least.cut
    assert 0 < len(least.ticks) < 120
    assert least.ticks[-1].at == seen.ticks[-1].at


def test_a_cut_record_is_told_where_its_replay_differs() -> None:
    seen = failing()

    told = differences(replace(seen, ticks=seen.ticks[3:], cut="the first 3 of 24 ticks left out"))

    assert told[0] == "a replay need not give the same: the first 3 of 24 ticks left out"
    assert len(told) > 1


def test_what_is_no_json_cannot_be_a_record() -> None:
    with pytest.raises(ArgumentError, match="expected plain JSON"):
        replace(failing(), about={"app": object()}).as_text()


def test_what_no_counter_can_do_is_not_recorded() -> None:
    tick = Tick(BEGAN + 5.0, 5.0, {"c1": Counts(math.nan, 0.0)})

    with pytest.raises(ArgumentError, match=r"candidate pod c1 at .*: saw nan requests"):
        replace(failing(), ticks=(tick,)).as_text()


def put(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(record: dict[str, Any]) -> None:
        at: Any = record
        for key in path[:-1]:
            at = at[key]
        at[path[-1]] = value

    return change


def gone(key: str) -> Callable[[dict[str, Any]], None]:
    return lambda record: record.pop(key)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (put("what", value="a shop"), r"record, what: saw 'a shop', expected 'cd_provider judge record'"),
        (put("version", value=2), r"record, version: saw 2, expected 1"),
        (gone("past"), r"expected the key 'past'"),
        (put("extra", value=1), r"expected no key 'extra'"),
        (put("max_s", value="long"), r"record, max_s: saw 'long', expected a number"),
        (put("max_s", value=True), r"record, max_s: saw True, expected a number"),
        (put("began_at", value=math.nan), r"record, began_at: saw nan, expected a number"),
        (put("began_at", value=10**400), r"record, began_at: saw 1000"),
        (put("about", value=[]), r"record, about: saw \[\], expected an object"),
        (put("past", "cluster", value=-1), r"record, past, cluster: saw -1, expected 0 or more"),
        (put("verdicts", 0, "kind", value="WELL"), r"record, verdicts\[0\], kind: saw 'WELL', expected one of PASS"),
        (put("verdicts", 0, "reason", value="luck"), r"record, verdicts\[0\], reason: saw 'luck'"),
        (put("ticks", 1, value=[1]), r"record, ticks\[1\]: saw \[1\], expected \[at, span_s, edges"),
        (put("ticks", 1, 0, value=1e15), r"record, ticks\[1\]: saw \[1000000000000000.0, 5.0\], expected a time after"),
        (put("ticks", 1, 0, value=0), r"record, ticks\[1\]: saw \[0.0, 5.0\], expected a time after the tick before"),
        (put("ticks", 1, 1, value=0), r"record, ticks\[1\]: saw .*, expected a time .* and a span"),
        (put("ticks", 1, 2, value=7), r"record, ticks\[1\], edges: saw 7, expected a number below 1"),
        (put("ticks", 1, 3, 0, 0, value=99), r"record, ticks\[1\], candidate: saw 99, expected a number below 4"),
        (put("ticks", 1, 3, 0, 1, value=-4), r"record, ticks\[1\], candidate: saw -4, expected 0 or more"),
        (put("ticks", 1, 3, 0, 3, value=-10**9), r"ticks\[1\], candidate: saw -1000000000, expected a count, or a run"),
        (put("ticks", 1, 3, 0, 3, value=-1.5), r"ticks\[1\], candidate: saw -1.5, expected a count, or a run"),
        (put("ticks", 1, 3, 1, 0, value=0), r"record, ticks\[1\], candidate: saw 'c0', expected each pod once"),
        (put("restarts", value=[[1]]), r"record, restarts\[0\]: saw \[1\], expected \[at, pod\]"),
        (put("pods", 0, value=3), r"record, pods\[0\]: saw 3, expected a pod's name"),
    ],
)  # fmt: skip
def test_a_wrong_record_is_told_by_its_key(change: Callable[[dict[str, Any]], None], said: str) -> None:
    value = json.loads(failing().as_text())
    change(value)

    with pytest.raises(ArgumentError, match=said):
        Record.read(json.dumps(value))


@pytest.mark.parametrize("text", ["", "{", "[1]", "no record", "{}", pack("[]"), pack("x")[:-8], "H4sIAAAA"])
def test_what_is_no_record_is_refused(text: str) -> None:
    with pytest.raises(ArgumentError):
        Record.read(text)


def test_a_small_pack_that_holds_too_much_is_refused() -> None:
    with pytest.raises(ArgumentError, match="more than 64 MiB"):
        unpack(pack("0" * (64 * 2**20 + 1)))


def test_the_same_text_packs_to_the_same() -> None:
    assert pack("a shop") == pack("a shop")
    assert unpack(pack("a shöp")) == "a shöp"
